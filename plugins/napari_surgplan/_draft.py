"""The cut at work, what is asked of it, and what a case must be made into to work on one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_surgplan._sides import LiverGrid
from surgplan.planning import (
    Assessment,
    Condition,
    CutSheet,
    Patient,
    PreparedLiver,
    Resection,
    Stage,
    TwoStageResection,
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Ready:
    """A case made ready: for the engine, for the eye, and its Couinaud segments if it has them."""

    prepared: PreparedLiver
    grid: LiverGrid
    segments: LabelMap | None
