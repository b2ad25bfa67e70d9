"""From a scan to labels: the one way through."""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from surgplan import __version__
from surgplan.errors import UsageError
from surgplan.segmentation._adopted import AdoptedModel, find_added
from surgplan.segmentation._bundle import ModelInfo, find_model, load_network
from surgplan.segmentation._doubts import Doubt, doubts_about, one_look_only
from surgplan.segmentation._engine import REFERENCE, Forward, start, start_on
from surgplan.segmentation._intensity import limits, scale
from surgplan.segmentation._memory import MemoryNeed
from surgplan.segmentation._native import Canvas, labels_of_planes, labels_on
from surgplan.segmentation._organs import settle_organs, settle_outlines
from surgplan.segmentation._postprocess import forbid_fragments, without_specks
from surgplan.segmentation._probe import fastest, timings_for
from surgplan.segmentation._refine import FirstLook, refine
from surgplan.segmentation._resample import resample_in_slabs
from surgplan.segmentation._segment_adopted import AdoptedRun, segment_adopted
from surgplan.segmentation._settle import UnsureLesion, settle_lesions
from surgplan.segmentation._turn import seen_as
from surgplan.segmentation._window import finished_planes, sliding_logits, window_count
from surgplan.volume import ANATOMY, Geometry, LabelMap, Volume, reorient

CANONICAL_AXES = "SPL"
REFINING_WINDOWS = 12  # of a liver of usual size

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class SegmentSettings:
    """How a scan is segmented.

    Attributes
    ----------
    model
        Name of a shipped or added model, or folder of a bundle; None takes the default.
    device
        ``'cpu'``, ``'cuda'``, ``'cuda:1'`` or ``'mps'``.
    threads
        CPU threads; None leaves torch's choice.
    max_memory_bytes
        Use no more: where scores of the whole scan do not fit, labels are made while the windows
        pass, without the second look and as the network has them; a scan that does not fit even so
        is refused. None sets no limit.
    overlap
        Share of a window that the next one covers again.
    reference
        On a processor, run the networks on the engine that all others are measured by in place of
        the fastest: labels then do not depend on what is installed and how fast it is here.
    progress
        Called with the fraction done and a word.
    """

    model: str | Path | None = None
    device: str = "cpu"
    threads: int | None = None
    max_memory_bytes: int | None = None
    overlap: float = 0.5
    reference: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            msg = f"`overlap` must lie in 0..1, 1 excluded, got {self.overlap}"
            raise UsageError(msg)

    def report(self, fraction: float, word: str) -> None:
        """Tell the progress, where somebody listens."""
        if self.progress:
            self.progress(fraction, word)


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation:
    """What a model found.

    Attributes
    ----------
    label_map
        On the scan's own grid.
    confidence
        ``(slice, row, column)`` float32 in 0..1: probability that the model gives to its choice.
    doubts
        What speaks against believing it, the gravest first.
    provenance
        Model, checksum, versions, settings, doubts and unsure lesions, as plain data.
    unsure_lesions
        Places that may be lesions, labelled as parenchyma; the largest first.
    """

    label_map: LabelMap
    confidence: npt.NDArray[np.float32]
    doubts: tuple[Doubt, ...]
    provenance: dict[str, Any]
    unsure_lesions: tuple[UnsureLesion, ...] = ()


def segment(volume: Volume, *, settings: SegmentSettings | None = None) -> Segmentation:
    """Find the structures of the anatomy vocabulary in a scan.

    The scan is turned to straight axes and resampled to the model's spacing; scores are brought
    back to the scan's own grid before labels are made, so that boundaries are finer than the
    model's voxels. A model that names another one to refine it has that one look once more, and
    closer, where the liver was found.

    Raises
    ------
    ModelIntegrityError
        If the model's weights do not have the stated checksum.
    ResourceLimitError
        If the scan needs more memory than allowed.

    Notes
    -----
    Research and education only, not a medical device: every structure can be wrong or missing.
    """
    settings = settings or SegmentSettings()
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    added = find_added(settings.model)
    if added is not None:
        return _by_added(volume, added, settings)
    info = find_model(settings.model)
    straight = reorient(volume, CANONICAL_AXES)
    second = find_model(info.refined_by) if info.refined_by else None
    grid = straight.geometry.with_spacing((info.spacing_mm,) * 3)
    need = MemoryNeed.of(info, second, volume, grid)
    keeps_scores = need.keeps_scores(settings.max_memory_bytes, volume)
    found = np.empty(volume.geometry.shape, dtype=np.uint8)
    sure = np.empty(volume.geometry.shape, dtype=np.float32)
    # Seen with straight axes, stored with those of the scan: no second copy of either.
    labels, confidence = (seen_as(a, volume.geometry, straight.geometry) for a in (found, sure))
    canvas = Canvas(labels=labels, confidence=confidence)
    with torch.inference_mode():
        if keeps_scores:
            _with_scores(straight, grid, (info, second), settings, canvas)
        else:
            _as_windows_pass(straight, grid, info, settings, canvas)
    without_specks(labels, straight.geometry.voxel_volume_mm3 / 1000)
    unsure = settle_lesions(labels, confidence, straight.geometry)
    settings.report(1.0, "segmented")
    sure.flags.writeable = False
    label_map = LabelMap(array=found, geometry=volume.geometry, segments=ANATOMY)
    provenance = _provenance(info, second if keeps_scores else None, settings)
    provenance["reliability"] = {name: asdict(r) for name, r in info.reliability.items()}
    doubts = doubts_about(volume, label_map, sure, unsure)
    if second is not None and not keeps_scores:
        doubts = (*doubts, one_look_only(need.whole))
    return _doubted(label_map, sure, provenance, doubts, unsure)


def _doubted(
    label_map: LabelMap,
    sure: npt.NDArray[np.float32],
    provenance: dict[str, Any],
    doubts: tuple[Doubt, ...],
    unsure: tuple[UnsureLesion, ...] = (),
) -> Segmentation:
    told = {
        "doubts": [asdict(doubt) for doubt in doubts],
        "unsure_lesions": [asdict(lesion) for lesion in unsure],
    }
    return Segmentation(
        label_map=label_map,
        confidence=sure,
        doubts=doubts,
        unsure_lesions=unsure,
        provenance={**provenance, **told},
    )


def _by_added(volume: Volume, model: AdoptedModel, settings: SegmentSettings) -> Segmentation:
    run = AdoptedRun(device=settings.device, overlap=settings.overlap, progress=settings.report)
    label_map, sure = segment_adopted(volume, model, run)
    settings.report(1.0, "segmented")
    provenance = {
        "model": model.name,
        "model_version": model.version,
        "model_sha256": model.sha256,
        "origin": model.origin,
        "spacing_mm": model.preparation.spacing_mm,
        **_circumstances(settings),
    }
    return _doubted(label_map, sure, provenance, doubts_about(volume, label_map, sure))


def _with_scores(
    straight: Volume,
    grid: Geometry,
    models: tuple[ModelInfo, ModelInfo | None],
    settings: SegmentSettings,
    out: Canvas,
) -> None:
    """Labels and confidence of the first look, and of the second inside the liver."""
    info, second = models
    first = _first_look(straight, grid, info, settings)
    box = first.neighbourhood() if second else None
    with ThreadPoolExecutor(1) as beside:
        around = beside.submit(
            labels_on, first.logits, grid, straight.geometry,
            temperature=info.temperature, out=replace(out, left_out=box),
        )  # fmt: skip
        if second is not None and box is not None:
            settings.report(0.5, "looking inside the liver")
            forward = _forward(second, settings, windows=REFINING_WINDOWS)
            out.labels[box], out.confidence[box] = refine(
                first,
                box,
                second,
                forward,
                progress=lambda f: settings.report(0.55 + 0.25 * f, "looking inside the liver"),
            )
        settings.report(0.95, "labelling")
        around.result()


def _first_look(
    straight: Volume, grid: Geometry, info: ModelInfo, settings: SegmentSettings
) -> FirstLook:
    settings.report(0.0, "loading model")
    windows = window_count(grid.shape, info.window, settings.overlap)
    forward = _forward(info, settings, windows=windows)
    settings.report(0.1, "segmenting")
    image = torch.from_numpy(resample_in_slabs(straight, grid))
    seen = limits(image, straight.modality)
    logits = sliding_logits(
        scale(image, *seen)[None],
        forward,
        window=info.window,
        overlap=settings.overlap,
        progress=lambda f: settings.report(0.1 + 0.4 * f, "segmenting"),
    )
    if straight.modality == "CT":
        settle_organs(logits, image.numpy(), info.spacing_mm)
    elif straight.modality == "MR" and info.settles_outlines:
        settle_outlines(logits, (250 * scale(image, *seen)).numpy(), info.spacing_mm)
    return FirstLook(
        scan=straight, limits=seen, logits=forbid_fragments(logits, grid.spacing_mm), grid=grid
    )


def _forward(info: ModelInfo, settings: SegmentSettings, *, windows: int) -> Forward:
    """The network on the device; on a processor, on the engine that is fastest there."""
    network = load_network(info)
    if settings.device != "cpu":
        return start_on(network, settings.device)
    shape = (1, info.network.channels, *info.window)
    if settings.reference:
        return start(network, REFERENCE, shape)
    timings = timings_for(network, info.sha256, shape)
    return start(network, fastest(timings, windows).engine, shape)


def _as_windows_pass(
    straight: Volume,
    grid: Geometry,
    info: ModelInfo,
    settings: SegmentSettings,
    out: Canvas,
) -> None:
    """Labels and confidence where memory is short: no scores kept, no second look."""
    settings.report(0.0, "loading model")
    windows = window_count(grid.shape, info.window, settings.overlap)
    forward = _forward(info, settings, windows=windows)
    image = torch.from_numpy(resample_in_slabs(straight, grid))
    image = scale(image, *limits(image, straight.modality))
    labels_of_planes(
        finished_planes(image[None], forward, window=info.window, overlap=settings.overlap),
        grid,
        straight.geometry,
        temperature=info.temperature,
        out=out,
        progress=lambda f: settings.report(0.1 + 0.9 * f, "segmenting with little memory"),
    )


def _provenance(
    info: ModelInfo, second: ModelInfo | None, settings: SegmentSettings
) -> dict[str, Any]:
    return {
        "model": info.name,
        "model_version": info.version,
        "model_sha256": info.sha256,
        "refined_by": second and {"model": second.name, "model_sha256": second.sha256},
        "spacing_mm": info.spacing_mm,
        **_circumstances(settings),
    }


def _circumstances(settings: SegmentSettings) -> dict[str, Any]:
    return {
        "surgplan": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": settings.device,
        "overlap": settings.overlap,
    }
