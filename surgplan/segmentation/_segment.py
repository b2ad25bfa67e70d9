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
from surgplan.segmentation._intensity import normalise
from surgplan.segmentation._native import labels_on
from surgplan.segmentation._postprocess import forbid_fragments, without_specks
from surgplan.segmentation._window import Forward, sliding_logits
from surgplan.volume import ANATOMY, Geometry, LabelMap, Volume, reorient, resample_to

CANONICAL_AXES = "SPL"

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
    model's voxels.

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
    grid = straight.geometry.with_spacing((info.spacing_mm,) * 3)
    _check_memory(info, grid, volume, settings.max_memory_bytes)
    settings.report(0.0, "loading model")
    forward = _forward(info, settings.device)
    settings.report(0.1, "segmenting")
    image = normalise(torch.from_numpy(resample_to(straight, grid).array.copy()), volume.modality)
    with torch.inference_mode():
        logits = sliding_logits(
            image,
            forward,
            window=info.window,
            overlap=settings.overlap,
            progress=lambda f: settings.report(0.1 + 0.5 * f, "segmenting"),
        )
        logits = forbid_fragments(logits, grid.spacing_mm)
        labels, confidence = labels_on(
            logits,
            grid,
            straight.geometry,
            temperature=info.temperature,
            progress=lambda f: settings.report(0.6 + 0.4 * f, "labelling"),
        )
    labels = without_specks(labels, straight.geometry.voxel_volume_mm3 / 1000)
    found = LabelMap(array=labels, geometry=straight.geometry, segments=ANATOMY)
    sure = straight.with_array(confidence)
    codes = volume.geometry.axis_codes
    settings.report(1.0, "segmented")
    return Segmentation(
        label_map=LabelMap(
            array=reorient(found, codes).array, geometry=volume.geometry, segments=ANATOMY
        ),
        confidence=reorient(sure, codes).array,
        provenance=_provenance(info, settings),
    )


def _forward(info: ModelInfo, device: str) -> Forward:
    try:
        network = load_network(info).to(device)
    except (RuntimeError, AssertionError) as e:
        msg = f"device {device!r} cannot be used: {e}; use --device cpu"
        raise UsageError(msg) from e
    kind = torch.device(device).type

    def forward(batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast(kind, torch.bfloat16):
            result: torch.Tensor = network(batch.to(device))
        return result.float().cpu()

    return forward


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


def _provenance(info: ModelInfo, settings: SegmentSettings) -> dict[str, Any]:
    return {
        "model": info.name,
        "model_version": info.version,
        "model_sha256": info.sha256,
        "surgplan": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": settings.device,
        "spacing_mm": info.spacing_mm,
        "overlap": settings.overlap,
    }
