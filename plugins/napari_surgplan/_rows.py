"""The structures of a scan as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_surgplan._follow import WHOLE_LIVER, Progress, silent
from napari_surgplan._state import State
from surgplan.planning import tumours_of
from surgplan.report import ReportInput, mean_confidence
from surgplan.volume import LIVER, LIVER_TUMOUR, LabelMap, Segment


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several pieces of a structure: a tumour.

    Attributes
    ----------
    name, volume_ml
        What people call it, and its size by counting voxels.
    centre_mm
        LPS.
    """

    name: str
    volume_ml: float
    centre_mm: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A structure.

    Attributes
    ----------
    segment
        Which; label 1 stands for the whole liver.
    volume_ml
        By counting voxels.
    confidence
        Mean probability that the model gave to its choice; None where no model was asked.
    parts
        The tumours one by one, largest first, numbered as in plans; empty for other structures.
    """

    segment: Segment
    volume_ml: float
    confidence: float | None
    parts: tuple[Part, ...] = ()


def rows_of(state: State, *, progress: Progress = silent) -> tuple[Row, ...]:
    """The whole liver, then all other structures that have voxels."""
    label_map, volume = state.label_map, state.volume
    if label_map is None or volume is None:
        return ()
    progress(0.1, "volumes")
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    counts = label_map.counts()
    progress(0.4, "confidence")
    report = ReportInput(
        volume=volume, label_map=label_map, surfaces=(), plans=(), confidence=state.confidence
    )
    sure = mean_confidence(report)
    progress(0.8, "liver")
    rows = []
    for segment in label_map.segments:
        if counts[segment.label] == 0:
            continue
        liver = segment.code == LIVER.code
        voxels = label_map.whole_liver().sum() if liver else counts[segment.label]
        rows.append(
            Row(
                segment=WHOLE_LIVER if liver else segment,
                volume_ml=float(voxels) * voxel_ml,
                confidence=sure.get(segment.name),
                parts=_tumours(label_map) if segment.code == LIVER_TUMOUR.code else (),
            )
        )
    return tuple(rows)


def _tumours(label_map: LabelMap) -> tuple[Part, ...]:
    return tuple(
        Part(
            name=f"tumour {tumour.id}, ⌀ {tumour.diameter_mm:.0f} mm",
            volume_ml=tumour.volume_ml,
            centre_mm=tumour.centre_mm,
        )
        for tumour in tumours_of(label_map)
    )


def middle_mm(label_map: LabelMap, segment: Segment) -> npt.NDArray[np.float64]:
    """The voxel of a structure nearest to its centre of gravity, LPS millimetres."""
    index = np.argwhere(label_map.array == segment.label)
    nearest = index[np.argmin(((index - index.mean(axis=0)) ** 2).sum(axis=1))]
    return label_map.geometry.to_lps(nearest)
