"""Planes for the front: a grid of directions and margins, and better ones near the best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from surgplan.planning._objectives import ENOUGH_MM, Objectives, Scorer
from surgplan.planning._pareto import non_dominated
from surgplan.planning._resection import Resection
from surgplan.planning._search import PlaneSearch, sphere

_MARGINS = 8
_SCANNED = 3
_DIRECTIONS = 400
_WEIGHTINGS = 16
_REFINE_STEPS = 50
_TURN = 0.08
_MOVE_MM = 1.0

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A cut by the name of its kind, with what it roughly does, and a reason of its own."""

    name: str
    resection: Resection
    objectives: Objectives
    why: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class TightPlane:
    """The plane of a direction that keeps a margin, no more."""

    direction: Values
    margin_mm: float
    objectives: Objectives

    @classmethod
    def of(
        cls, scorer: Scorer, search: PlaneSearch, direction: Values, margin_mm: float
    ) -> TightPlane:
        """Lay the plane and score it."""
        unit = direction / np.linalg.norm(direction)
        plane = replace(search, margin_mm=margin_mm).plane(unit)
        return cls(direction=unit, margin_mm=margin_mm, objectives=scorer.score(plane, margin_mm))

    def scored(self, search: PlaneSearch) -> Scored:
        """As a candidate."""
        plane = replace(search, margin_mm=self.margin_mm).plane(self.direction)
        return Scored(name="plane", resection=plane, objectives=self.objectives)


def wider(margin_mm: float, count: int = _MARGINS) -> list[float]:
    """Margins to try, from the one asked for to the widest that counts."""
    most_mm = max(margin_mm, ENOUGH_MM)
    return sorted({float(m) for m in np.linspace(margin_mm, most_mm, count)})


def tight_planes(scorer: Scorer, search: PlaneSearch, seed: int) -> list[TightPlane]:
    """Planes that no other one beats.

    Evenly spread directions at few margins; those on the front at many; then refined ones.
    """

    def laid(direction: Values, margin_mm: float) -> TightPlane:
        return TightPlane.of(scorer, search, direction, margin_mm)

    scanned = [
        laid(direction, margin_mm)
        for margin_mm in wider(search.margin_mm, _SCANNED)
        for direction in sphere(_DIRECTIONS, seed)
    ]
    best = {tuple(p.direction): p.direction for p in _front(scanned)}
    found = [laid(d, margin_mm) for d in best.values() for margin_mm in wider(search.margin_mm)]
    found = _front([*scanned, *found])
    return _front([*found, *_refined(scorer, search, found, seed)])


def _front(planes: list[TightPlane]) -> list[TightPlane]:
    return [planes[n] for n in non_dominated(np.array([p.objectives.costs for p in planes]))]


def _refined(
    scorer: Scorer, search: PlaneSearch, found: list[TightPlane], seed: int
) -> Iterator[TightPlane]:
    """For several weightings of the objectives, the best plane near the best of those found."""
    costs = np.array([plane.objectives.costs for plane in found])
    reach = np.maximum(np.ptp(costs, axis=0), 1e-9)
    objectives = costs.shape[1]
    for weights in np.random.default_rng(seed).dirichlet(np.ones(objectives), size=_WEIGHTINGS):
        worth = weights / reach
        yield _near(scorer, search, found[int(np.argmin(costs @ worth))], worth)


def _near(scorer: Scorer, search: PlaneSearch, start: TightPlane, worth: Values) -> TightPlane:
    """Tilted and moved to the least weighted cost (Nelder-Mead)."""
    across = np.linalg.svd(start.direction[None])[2][1:]
    most_mm = max(search.margin_mm, ENOUGH_MM)

    def placed(x: Values) -> TightPlane:
        margin_mm = float(np.clip(start.margin_mm + x[2], search.margin_mm, most_mm))
        return TightPlane.of(scorer, search, start.direction + x[:2] @ across, margin_mm)

    simplex = np.vstack([np.zeros(3), np.diag([_TURN, _TURN, _MOVE_MM])])
    result = minimize(
        lambda x: float(np.asarray(placed(x).objectives.costs) @ worth),
        simplex[0],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": _REFINE_STEPS},
    )
    return placed(result.x)
