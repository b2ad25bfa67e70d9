"""Rehearse a resection: the cut step by step, the vessels in its way, the liver as it opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from surgplan.errors import NothingToDoError, UsageError
from surgplan.mesh import Surface
from surgplan.planning._crossings import VesselMet, vessels_met
from surgplan.planning._cut import cut_liver
from surgplan.planning._front import CutFront, cut_front
from surgplan.planning._opened import REMNANT, SPECIMEN, Sides, sides_of
from surgplan.planning._opening import Carried, Opening
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._resection import Points, Resection, Vector
from surgplan.planning._side_surface import side_surface
from surgplan.planning._vessel_tree import VesselTree
from surgplan.planning._views import View, views_of
from surgplan.volume import LabelMap

_STEPS = (1, 1000)
_OPENING_DEG = (1.0, 90.0)


@dataclass(frozen=True, kw_only=True)
class RehearsalSettings:
    """How a rehearsal looks.

    Attributes
    ----------
    towards_start
        LPS direction in which the surgeon stands: a cut is begun on this side. In front and below
        unless told otherwise. Wedges and bowls are begun all around instead.
    opening_deg
        How far the cut opens, 1..90 degrees.
    triangles
        About how many each surface has.
    """

    towards_start: Vector = (0.0, -1.0, -1.0)
    opening_deg: float = 25.0
    triangles: int = 25_000

    def __post_init__(self) -> None:
        start = np.asarray(self.towards_start, dtype=np.float64)
        if start.shape != (3,) or not np.isfinite(start).all() or not start.any():
            msg = f"`towards_start` must be a direction of three numbers, got {self.towards_start}"
            raise UsageError(msg)
        low, high = _OPENING_DEG
        if not low <= self.opening_deg <= high:
            msg = f"`opening_deg` must lie in {low:g}..{high:g}, got {self.opening_deg}"
            raise UsageError(msg)
        if self.triangles < 100:
            msg = f"`triangles` must be 100 or more, got {self.triangles}"
            raise UsageError(msg)


@dataclass(frozen=True, kw_only=True)
class RehearsalStep:
    """A moment of a transection.

    Attributes
    ----------
    progress
        Share of the cut that is divided, 0..1.
    part
        Which separate part of the cut is being divided.
    depth_mm
        How deep along the cut, measured from where the part is begun.
    opened_mm2
        Area divided so far.
    vessels
        Places in `Rehearsal.vessels` of those met since the step before.
    view
        Where to look.
    """

    progress: float
    part: int
    depth_mm: float
    opened_mm2: float
    vessels: tuple[int, ...]
    view: View


@dataclass(frozen=True, kw_only=True, eq=False)
class Rehearsal:
    """A transection that can be played; see `rehearse`.

    A picture of the plan: tissue is carried aside, not simulated.

    Attributes
    ----------
    front
        The cut in pieces, in the order in which they are divided.
    vessels
        Vessels in the order in which the cut comes to them.
    steps
        Moments from the untouched liver to the divided one, evenly spaced by area.
    remnant, specimen
        Closed surfaces before the cut opens.
    """

    front: CutFront
    vessels: tuple[VesselMet, ...]
    steps: tuple[RehearsalStep, ...]
    remnant: Surface
    specimen: Surface
    resection: Resection = field(repr=False)
    opening: Opening = field(repr=False)
    sides: Sides = field(repr=False)

    def surfaces(self, progress: float) -> tuple[Surface, Surface]:
        """Remnant and specimen at a progress of 0..1; triangles and their order never change."""
        moved = self._specimen.at(_checked(progress))
        specimen = Surface(
            points=moved, triangles=self.specimen.triangles, segment=self.specimen.segment
        )
        return self.remnant, specimen

    def carry(self, points_mm: Points) -> Carried:
        """Make ready points ``(n, 3)`` LPS of anything else that goes along, such as a tumour.

        Points on the specimen's side move with it, the others stay; `Carried.at` says where.
        """
        points = np.asarray(points_mm, dtype=np.float64)
        return Carried.of(self.opening, points, self.resection.distance_mm(points) < 0)

    def label_map(self, progress: float) -> LabelMap:
        """The liver at a progress of 0..1, on the box of the liver: 1 remnant, 2 specimen, 3 cut.

        No voxel of the liver is lost: the opened cut is those of both sides that its walls have
        left, up to 3 mm on either side.
        """
        front = self.front
        gap = self.opening.gap_mm(front.depth_mm, front.part, _checked(progress))
        return self.sides.label_map(gap)

    @cached_property
    def _specimen(self) -> Carried:
        every = np.ones(len(self.specimen.points), dtype=bool)
        return Carried.of(self.opening, self.specimen.points, every)


def rehearse(
    label_map: LabelMap,
    resection: Resection,
    trees: Sequence[VesselTree] | None = None,
    *,
    steps: int = 40,
    settings: RehearsalSettings | None = None,
) -> Rehearsal:
    """Play the transection along a resection.

    Parameters
    ----------
    label_map
        Liver with tumours; perpendicular axes.
    resection
        What is cut.
    trees
        Vessels to meet on the way; None for those of `vessel_trees`.
    steps
        How many moments after the first, 1..1000.
    settings
        None for the defaults.

    Raises
    ------
    NothingToDoError
        If there is no liver, or the cut leaves it on one side.
    UsageError
        If the number of steps does not fit.
    """
    prepared = prepare(label_map, trees=None if trees is None else tuple(trees))
    return rehearse_prepared(prepared, resection, steps=steps, settings=settings)


def rehearse_prepared(
    prepared: PreparedLiver,
    resection: Resection,
    *,
    steps: int = 40,
    settings: RehearsalSettings | None = None,
) -> Rehearsal:
    """As `rehearse`, for a liver made ready before, with its trees."""
    low, high = _STEPS
    if not low <= steps <= high:
        msg = f"`steps` must lie in {low}..{high}, got {steps}"
        raise UsageError(msg)
    settings = settings or RehearsalSettings()
    start = np.asarray(settings.towards_start, dtype=np.float64)
    start /= np.linalg.norm(start)
    front = cut_front(cut_liver(prepared.blocks, resection).patches.in_liver(), start)
    sides = None if front is None else sides_of(prepared, resection, front)
    if front is None or sides is None:
        msg = "a rehearsal needs a cut that divides the liver, got one that leaves it on one side"
        raise NothingToDoError(msg)
    vessels = vessels_met(prepared, resection, front)
    return Rehearsal(
        front=front,
        vessels=vessels,
        steps=_steps(front, vessels, start, steps),
        remnant=side_surface(sides, REMNANT, resection, settings.triangles),
        specimen=side_surface(sides, SPECIMEN, resection, settings.triangles),
        resection=resection,
        opening=Opening.of(front, settings.opening_deg),
        sides=sides,
    )


def _steps(
    front: CutFront, vessels: Sequence[VesselMet], start: npt.NDArray[np.float64], count: int
) -> tuple[RehearsalStep, ...]:
    moments = np.linspace(0.0, 1.0, count + 1)
    met = np.searchsorted(moments, [v.progress for v in vessels])  # the first moment not before
    total = float(front.area_mm2.sum())
    found = []
    for number, view in enumerate(views_of(front, start, moments)):
        progress = float(moments[number])
        reached = front.reached_mm(progress)
        part = int(np.flatnonzero(np.isfinite(reached))[-1])
        found.append(
            RehearsalStep(
                progress=progress,
                part=part,
                depth_mm=float(reached[part]),
                opened_mm2=progress * total,
                vessels=tuple(np.flatnonzero(met == number).tolist()),
                view=view,
            )
        )
    return tuple(found)


def _checked(progress: float) -> float:
    if not 0 <= progress <= 1:
        msg = f"`progress` must lie in 0..1, got {progress}"
        raise UsageError(msg)
    return float(progress)
