"""The cut at work, what is asked of it, and what a case must be made into to work on one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_surgplan._follow import Progress, silent
from napari_surgplan._sides import LiverGrid
from surgplan.errors import NothingToDoError
from surgplan.planning import (
    Assessment,
    BezierResection,
    Condition,
    CutSheet,
    FreehandResection,
    Patient,
    PlaneResection,
    PreparedLiver,
    Resection,
    Stage,
    TwoStageResection,
    UnionResection,
    couinaud_from_vessels,
    prepare,
)
from surgplan.volume import LabelMap


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a plan shall do: margin, condition, body size, and for which tumours (None: all)."""

    margin_mm: float = 10.0
    condition: Condition = "normal"
    patient: Patient | None = None
    tumours: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """The cut at work.

    Attributes
    ----------
    name
        Of the plan that it is or becomes.
    resection, sheet
        The cut, and how it looks; the sheet of a cut that is slow to draw follows a moment later.
    resected
        ``(n,)`` which points of the thin liver grid are resected; None before they are known.
    liver_resected
        ``(n,)`` the same of the points of the liver's surface.
    assessment, stages
        What it does, and of an operation in two, stage by stage; None until the engine has judged
        it.
    """

    name: str
    resection: Resection
    sheet: CutSheet | None = None
    resected: npt.NDArray[np.bool_] | None = None
    liver_resected: npt.NDArray[np.bool_] | None = None
    assessment: Assessment | None = None
    stages: tuple[Stage, ...] = ()
    why: str = ""

    @property
    def lacks_stages(self) -> bool:
        """Whether it is an operation in two whose stages are not known yet."""
        return isinstance(self.resection, TwoStageResection) and not self.stages

    @property
    def is_quick(self) -> bool:
        """Whether it can be drawn between two moves of the mouse."""
        return _is_quick(self.resection)


def _is_quick(resection: Resection) -> bool:
    if isinstance(resection, UnionResection | TwoStageResection):
        return all(_is_quick(part) for part in resection.parts)
    return isinstance(resection, PlaneResection | BezierResection | FreehandResection)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ready:
    """A case made ready: for the engine, for the eye, and its Couinaud segments if it has them."""

    prepared: PreparedLiver
    grid: LiverGrid
    segments: LabelMap | None

    @classmethod
    def of(cls, label_map: LabelMap, progress: Progress = silent) -> Ready:
        """Make a case ready; slow, so on a worker."""
        progress(0.0, "outlining liver and tumours")
        prepared = prepare(label_map)
        grid = LiverGrid.of(prepared)
        progress(0.2, "following the vessels")
        segments = segments_of(prepared)
        progress(1.0, "ready")
        return cls(prepared=prepared, grid=grid, segments=segments)


def segments_of(prepared: PreparedLiver) -> LabelMap | None:
    """Couinaud's segments by the vessels; None where those do not tell them."""
    vessels = prepared.perfusions
    if vessels.portal is None or vessels.hepatic is None:
        return None
    try:
        found = couinaud_from_vessels(prepared.label_map, vessels.portal.tree, vessels.hepatic.tree)
    except NothingToDoError:
        return None
    return found.label_map
