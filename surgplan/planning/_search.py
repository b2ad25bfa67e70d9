"""Search for planes, alone or with wedges, that clear the tumours and keep much liver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from surgplan.planning._boundary import Points
from surgplan.planning._resection import PlaneResection
from surgplan.planning._samples import Samples

_DIRECTIONS = 400
_APART_DEG = 30.0
_REFINE_STEPS = 60
_CLEARANCE_MM = 3.0
_GUARD_WEIGHT = 5.0
_SHEET_MM = 4.0
_AREA_WEIGHT = 1e-5  # 1000 mm2 of cut count as much as 1 % of the liver

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PlaneSearch:
    """Planes that clear some tumours by a margin: for each direction the tightest one.

    Attributes
    ----------
    samples
        The case, thinned out.
    tumours
        Positions in `samples.hulls` of those to clear.
    margin_mm
        Between them and the plane.
    sparing
        Whether vessels outside the liver must stay on the remnant's side, 3 mm from the plane.
    """

    samples: Samples
    tumours: tuple[int, ...]
    margin_mm: float
    sparing: bool = False

    def best(self, count: int, seed: int) -> list[PlaneResection]:
        """The best planes, at least 30 degrees apart, best first; the same for the same seed."""
        directions = sphere(_DIRECTIONS, seed)
        costs = np.array([self.cost(d, self.samples.coarse) for d in directions])
        chosen: list[int] = []
        for number in np.argsort(costs, kind="stable").tolist():
            cosines = directions[chosen] @ directions[number]
            if not chosen or cosines.max() < np.cos(np.radians(_APART_DEG)):
                chosen.append(number)
            if len(chosen) == count:
                break
        return [self.plane(self._refined(directions[number])) for number in chosen]

    def cost(self, direction: Values, liver: Points) -> float:
        """Share of the liver resected, and a price on every vessel that is not spared."""
        start = self.start_mm(direction)
        cost = float((liver @ direction > start).mean())
        if self.sparing and len(self.samples.guards):
            met = self.samples.guards @ direction > start - _CLEARANCE_MM
            cost += _GUARD_WEIGHT * float(met.mean())
        return cost

    def start_mm(self, direction: Values) -> float:
        """Where along a direction the resected side begins."""
        return min(self.start_of_mm(number, direction) for number in self.tumours)

    def start_of_mm(self, tumour: int, direction: Values) -> float:
        """The same for one tumour alone."""
        return float((self.samples.hulls[tumour] @ direction).min()) - self.margin_mm

    def plane(self, direction: Values) -> PlaneResection:
        """The tightest plane for a direction, through the foot of the tumours' centre."""
        start = self.start_mm(direction)
        centre = np.concatenate([self.samples.hulls[n] for n in self.tumours]).mean(axis=0)
        x, y, z = (float(v) for v in centre + direction * (start - centre @ direction))
        a, b, c = (float(v) for v in direction)
        return PlaneResection(point_mm=(x, y, z), normal=(a, b, c))

    def _refined(self, direction: Values) -> Values:
        across = np.linalg.svd(direction[None])[2][1:]

        def turned(tilt: Values) -> Values:
            vector = direction + tilt @ across
            unit: Values = vector / np.linalg.norm(vector)
            return unit

        simplex = np.array([[0.0, 0.0], [0.08, 0.0], [0.0, 0.08]])
        found = minimize(
            lambda tilt: self.cost(turned(tilt), self.samples.fine),
            simplex[0],
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "maxfev": _REFINE_STEPS},
        )
        return turned(found.x)


def sphere(count: int, seed: int) -> Points:
    """Directions ``(count, 3)`` spread evenly over the sphere, turned at random by the seed."""
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    ring = np.sqrt(1 - height**2)
    points = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
    turned: Points = Rotation.from_quat(np.random.default_rng(seed).normal(size=4)).apply(points)
    return turned


def split_tumours(
    search: PlaneSearch, wedges: npt.NDArray[np.bool_], seed: int
) -> tuple[Values, tuple[int, ...]]:
    """Direction of the best plane for some tumours when the others get wedges.

    Weighs resected liver against the area of the cut, so that a plane is preferred to several
    wedges where it costs little liver.

    Parameters
    ----------
    search
        Of all tumours, two or more.
    wedges
        ``(coarse samples, tumours)``, what the wedge of each tumour takes.
    seed
        The same seed gives the same result.

    Returns
    -------
    direction, tumours
        ``(3,)``, and positions of the tumours that the plane clears.
    """
    samples = search.samples
    area = 6 * (samples.coarse_mm3 * wedges.sum(axis=0)) ** (2 / 3)  # as of cubes
    best: tuple[float, Values, tuple[int, ...]] = (np.inf, np.zeros(3), ())
    for direction in sphere(_DIRECTIONS // 2, seed):
        starts = [search.start_of_mm(number, direction) for number in search.tumours]
        order = np.argsort(-np.asarray(starts), kind="stable")
        along = samples.coarse @ direction
        rest = np.logical_or.accumulate(wedges[:, order[::-1]], axis=1)[:, ::-1]
        for split in _splits(len(order)):
            start = starts[order[split - 1]]
            resected = float(((along > start) | rest[:, split]).mean())
            sheet = samples.coarse_mm3 / _SHEET_MM * float((np.abs(along - start) < 2).sum())
            cost = resected + _AREA_WEIGHT * (sheet + float(area[order[split:]].sum()))
            if cost < best[0]:
                best = cost, direction, tuple(sorted(order[:split].tolist()))
    return best[1], best[2]


def _splits(count: int) -> Sequence[int]:
    """After how many tumours along a direction to stop: all of few, eight of many."""
    return sorted({int(n) for n in np.linspace(1, count - 1, min(count - 1, 8))})
