"""From a scan to labels: the one way through."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from surgplan import __version__
from surgplan.errors import ResourceLimitError, UsageError
from surgplan.segmentation._bundle import ModelInfo, find_model, load_network
from surgplan.segmentation._engine import Forward, start, start_on
from surgplan.segmentation._intensity import limits, scale
from surgplan.segmentation._native import labels_on
from surgplan.segmentation._postprocess import forbid_fragments, without_specks
from surgplan.segmentation._probe import fastest, timings_for
from surgplan.segmentation._refine import FirstLook, refine
from surgplan.segmentation._resample import resample_in_slabs
from surgplan.segmentation._window import sliding_logits, window_count
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
        Name of a shipped model or folder of a bundle; None takes the default.
    device
        ``'cpu'``, ``'cuda'``, ``'cuda:1'`` or ``'mps'``.
    threads
        CPU threads; None leaves torch's choice.
    max_memory_bytes
        Refuse a scan that would need more; None sets no limit.
    overlap
        Share of a window that the next one covers again.
    progress
        Called with the fraction done and a word.
    """

    model: str | Path | None = None
    device: str = "cpu"
    threads: int | None = None
    max_memory_bytes: int | None = None
    overlap: float = 0.5
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
    provenance
        Model, checksum, versions and settings, as plain data.
    """

    label_map: LabelMap
    confidence: npt.NDArray[np.float32]
    provenance: dict[str, Any]


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
    info = find_model(settings.model)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    straight = reorient(volume, CANONICAL_AXES)
    second = find_model(info.refined_by) if info.refined_by else None
    grid = straight.geometry.with_spacing((info.spacing_mm,) * 3)
    _check_memory(info, grid, volume, settings.max_memory_bytes)
    found = np.empty(volume.geometry.shape, dtype=np.uint8)
    sure = np.empty(volume.geometry.shape, dtype=np.float32)
    # Seen with straight axes, stored with those of the scan: no second copy of either.
    labels, confidence = (_seen_as(a, volume.geometry, straight.geometry) for a in (found, sure))
    with torch.inference_mode():
        first = _first_look(straight, grid, info, settings)
        labels_on(
            first.logits,
            grid,
            straight.geometry,
            temperature=info.temperature,
            out=(labels, confidence),
            progress=lambda f: settings.report(0.5 + 0.2 * f, "labelling"),
        )
        if second is not None:
            settings.report(0.7, "looking inside the liver")
            finer = refine(first, second, _forward(second, settings, windows=REFINING_WINDOWS))
            if finer is not None:
                box, labels[box], confidence[box] = finer
    without_specks(labels, straight.geometry.voxel_volume_mm3 / 1000)
    settings.report(1.0, "segmented")
    sure.flags.writeable = False
    return Segmentation(
        label_map=LabelMap(array=found, geometry=volume.geometry, segments=ANATOMY),
        confidence=sure,
        provenance=_provenance(info, second, settings),
    )


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
    return FirstLook(
        scan=straight, limits=seen, logits=forbid_fragments(logits, grid.spacing_mm), grid=grid
    )


def _forward(info: ModelInfo, settings: SegmentSettings, *, windows: int) -> Forward:
    """The network on the device; on a processor, on the engine that is fastest there."""
    network = load_network(info)
    if settings.device != "cpu":
        return start_on(network, settings.device)
    shape = (1, info.network.channels, *info.window)
    timings = timings_for(network, info.sha256, shape)
    return start(network, fastest(timings, windows).engine, shape)


def _seen_as(array: npt.NDArray[Any], own: Geometry, other: Geometry) -> npt.NDArray[Any]:
    """A view of an array with the axes of another grid of the same voxels."""
    turn = np.rint(np.linalg.solve(own.affine[:3, :3], other.affine[:3, :3])).astype(int)
    order = np.abs(turn).argmax(axis=0)
    steps = tuple(slice(None, None, int(turn[own_axis, n])) for n, own_axis in enumerate(order))
    return array.transpose(order)[steps]


def _check_memory(info: ModelInfo, grid: Geometry, volume: Volume, limit_bytes: int | None) -> None:
    """Refuse what cannot fit: scores twice, the scan as float twice, labels and confidence."""
    classes = info.network.classes
    scores = 4 * classes * max(int(np.prod(grid.shape)), int(np.prod(info.window)))
    window = 4 * 12 * max(info.network.filters) * int(np.prod(info.window)) // 4
    native = int(np.prod(volume.geometry.shape)) * (4 + 4 + 4 + 4 + 1 + 1)
    needed = 2 * scores + window + native + 600_000_000
    if limit_bytes is not None and needed > limit_bytes:
        msg = (
            f"segmenting {volume.geometry.shape} needs about {needed / 1e9:.1f} GB, allowed are "
            f"{limit_bytes / 1e9:.1f} GB; raise --max-memory or crop the scan"
        )
        raise ResourceLimitError(msg)


def _provenance(
    info: ModelInfo, second: ModelInfo | None, settings: SegmentSettings
) -> dict[str, Any]:
    return {
        "model": info.name,
        "model_version": info.version,
        "model_sha256": info.sha256,
        "refined_by": second and {"model": second.name, "model_sha256": second.sha256},
        "surgplan": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": settings.device,
        "spacing_mm": info.spacing_mm,
        "overlap": settings.overlap,
    }
