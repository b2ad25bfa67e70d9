"""Other people's models on a scan: labels made while the windows pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from surgplan.errors import InputRefusedError
from surgplan.segmentation._adopted import AdoptedModel
from surgplan.segmentation._engine import Forward, start, start_on
from surgplan.segmentation._native import Canvas, labels_of_planes
from surgplan.segmentation._probe import fastest, timings_for
from surgplan.segmentation._resample import resample_in_slabs
from surgplan.segmentation._turn import seen_as
from surgplan.segmentation._window import finished_planes, window_count
from surgplan.volume import LabelMap, Volume, reorient


@dataclass(frozen=True, kw_only=True)
class AdoptedRun:
    """How an added model is run: see `SegmentSettings`."""

    device: str
    overlap: float
    progress: Callable[[float, str], None]


def segment_adopted(
    volume: Volume, model: AdoptedModel, run: AdoptedRun
) -> tuple[LabelMap, npt.NDArray[np.float32]]:
    """Labels in our numbers, and the probability that the model gives to its choice.

    Scores of no more than one window's depth are held, whatever the size of the scan.

    Raises
    ------
    InputRefusedError
        If the model was made for the other modality.
    ModelIntegrityError
        If its weights do not have the stored checksum.
    """
    wanted = model.preparation
    if volume.modality != wanted.modality:
        msg = f"model {model.name!r} is for {wanted.modality}, the scan is {volume.modality}"
        raise InputRefusedError(msg)
    straight = reorient(volume, wanted.axes)
    grid = straight.geometry.with_spacing(wanted.spacing_mm)
    run.progress(0.0, "loading model")
    forward = _forward(model, run, window_count(grid.shape, model.window, run.overlap))
    run.progress(0.1, "segmenting")
    image = wanted.apply(torch.from_numpy(resample_in_slabs(straight, grid)))
    classes = np.empty(volume.geometry.shape, dtype=np.uint8)
    sure = np.empty(volume.geometry.shape, dtype=np.float32)
    with torch.inference_mode():
        labels_of_planes(
            finished_planes(
                image[None], forward, window=model.window, overlap=run.overlap, outside=0.0
            ),
            grid,
            straight.geometry,
            temperature=1.0,
            out=Canvas(
                labels=seen_as(classes, volume.geometry, straight.geometry),
                confidence=seen_as(sure, volume.geometry, straight.geometry),
            ),
            progress=lambda f: run.progress(0.1 + 0.9 * f, "segmenting"),
        )
    ours = np.zeros(256, dtype=np.uint8)
    for channel, label in model.labels.items():
        ours[channel] = label
    np.take(ours, classes, out=classes)
    sure.flags.writeable = False
    label_map = LabelMap(array=classes, geometry=volume.geometry, segments=model.segments)
    return label_map, sure


def _forward(model: AdoptedModel, run: AdoptedRun, windows: int) -> Forward:
    network = model.load()
    if run.device != "cpu":
        return start_on(network, run.device)
    shape = (1, 1, *model.window)
    timings = timings_for(network, model.sha256, shape)
    return start(network, fastest(timings, windows).engine, shape)
