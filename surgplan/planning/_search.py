"""Search for planes, alone or with wedges, that clear the tumours and keep much liver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    def best(self, count: int, seed: int) -> Iterator[PlaneResection]:
        """The best planes, at least 30 degrees apart, best first; the same for the same seed."""
        directions = sphere(_DIRECTIONS, seed)
        costs = np.array([self.cost(d, self.samples.coarse) for d in directions])
        chosen: list[int] = []
        for number in np.argsort(costs, kind="stable").tolist():
            cosines = directions[chosen] @ directions[number]
            if not chosen or cosines.max() < np.cos(np.radians(_APART_DEG)):
                chosen.append(number)
                yield self.plane(self.refined(directions[number]))
            if len(chosen) == count:
                break

    def cost(self, direction: Values, liver: Points) -> float:
        """Share of the liver resected, and a price on every vessel that is not spared."""
        start = self.start_mm(direction)
        cost = float((liver @ direction > start).mean())
        return cost + self.met(direction, start) if self.sparing else cost

    def met(self, direction: Values, start_mm: float) -> float:
        """Price of the vessels outside the liver that a plane does not spare."""
        guards = self.samples.guards
        if not len(guards):
            return 0.0
        return _GUARD_WEIGHT * float((guards @ direction > start_mm - _CLEARANCE_MM).mean())

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

    def refined(self, direction: Values) -> Values:
        """A direction nearby that costs least."""
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A plane for some tumours, when the others get wedges.

    `direction` ``(3,)``, `tumours` by position, `resected` as a share of the liver, `area_mm2` of
    the cut, and `cost`: the share with a price on the area and on vessels outside the liver.
    """

    direction: Values
    tumours: tuple[int, ...]
    resected: float
    area_mm2: float
    cost: float


def splits(search: PlaneSearch, wedges: npt.NDArray[np.bool_], seed: int) -> list[Split]:
    """For each group of tumours that a plane can clear from the rest, the best such plane.

    The cost weighs resected liver against the area of the cut, so that a plane is preferred to
    several wedges where it takes little liver.

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
    list of Split
        Lowest cost first; those that resect more with a larger cut than another, or than wedges
        alone, come last.
    """
    all_wedges = np.asarray(wedges.any(axis=1))
    alone = (float(all_wedges.mean()), search.samples.area_mm2(all_wedges))
    best: dict[tuple[int, ...], Split] = {}
    for direction in sphere(_DIRECTIONS // 2, seed):
        for split in _along(search, wedges, direction):
            known = best.get(split.tumours)
            if known is None or split.cost < known.cost:
                best[split.tumours] = split
    sizes = [alone, *((split.resected, split.area_mm2) for split in best.values())]

    def last(split: Split) -> tuple[bool, float]:
        beaten = any(r < split.resected and a < split.area_mm2 for r, a in sizes)
        return beaten, split.cost

    return sorted(best.values(), key=last)


def _along(
    search: PlaneSearch, wedges: npt.NDArray[np.bool_], direction: Values
) -> Iterator[Split]:
    """Along one direction, planes behind the first tumour, the first two and so on."""
    samples = search.samples
    starts = [search.start_of_mm(number, direction) for number in search.tumours]
    order = np.argsort(-np.asarray(starts), kind="stable")
    along = samples.coarse @ direction
    rest = np.logical_or.accumulate(wedges[:, order[::-1]], axis=1)[:, ::-1]
    for split in _splits(len(order)):
        start = starts[order[split - 1]]
        taken = (along > start) | rest[:, split]
        resected, area_mm2 = float(taken.mean()), samples.area_mm2(taken)
        met = search.met(direction, start) if search.sparing else 0.0
        yield Split(
            direction=direction,
            tumours=tuple(sorted(order[:split].tolist())),
            resected=resected,
            area_mm2=area_mm2,
            cost=resected + _AREA_WEIGHT * area_mm2 + met,
        )


def _splits(count: int) -> Sequence[int]:
    """After how many tumours along a direction to stop: all of few, eight of many."""
    return sorted({int(n) for n in np.linspace(1, count - 1, min(count - 1, 8))})
