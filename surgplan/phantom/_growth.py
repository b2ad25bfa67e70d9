"""Growing vessel trees into the liver: targets spread over a territory, halved branch by branch.

Each branch runs part of the way to the middle of its targets, which are then parted by a plane
through that middle, as in the airway trees of Tawhai 2004 (doi:10.1152/japplphysiol.00520.2004).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from surgplan.phantom._routes import Router, densify
from surgplan.phantom._shapes import Array
from surgplan.phantom._trees import Sprout

OWN_GAP_MM = 0.8
ADVANCES = (0.42, 0.3, 0.55, 0.2, 0.65)
"""Parts of the way to the middle of the targets that are tried for the next bifurcation."""


@dataclass(kw_only=True, eq=False)
class Plantation:
    """A tree while it grows.

    Attributes
    ----------
    unit_mm
        Radius of a branch with one terminal.
    """

    router: Router
    unit_mm: float
    sprouts: list[Sprout] = field(default_factory=list)

    def radius_mm(self, terminals: int) -> float:
        """Radius by Murray's law of a branch that serves so many terminals."""
        return float(self.unit_mm * max(terminals, 1) ** (1 / 3))

    def lay(self, label: str, parent: int | None, points: Array, terminals: int) -> int:
        """Add a branch; returns its place."""
        self.router.own.add(points, self.radius_mm(terminals), OWN_GAP_MM)
        self.sprouts.append(Sprout(label=label, parent=parent, points=points))
        return len(self.sprouts) - 1

    def grow(self, label: str, parent: int, targets: Array) -> None:
        """Serve targets ``(n, 3)`` from the end of a branch; ones that cannot be reached are left.

        Labels grow with the tree: ``P8``, then ``P8.1`` and ``P8.2``, then ``P8.1.1``.
        """
        if not len(targets):
            return
        line = self.sprouts[parent].points
        start, tangent = line[-1], line[-1] - line[-2]
        tangent = tangent / np.linalg.norm(tangent)
        radius = self.radius_mm(len(targets))
        for end in self._ends(start, targets):
            points = self.router.way(start, tangent, end, radius)
            if points is not None:
                break
        else:
            self._scatter(label, parent, targets)
            return
        place = self.lay(label, parent, points, len(targets))
        if len(targets) > 1:
            first, second = self._halves(targets, points[-1] - points[0])
            self.grow(f"{label}.1", place, first)
            self.grow(f"{label}.2", place, second)

    def _scatter(self, label: str, parent: int, targets: Array) -> None:
        """Where no common branch finds a way, try one half of the targets, then the other."""
        if len(targets) < 2:
            return
        middle = targets.mean(axis=0) - self.sprouts[parent].points[-1]
        halves = sorted(self._halves(targets, middle), key=len, reverse=True)
        before = len(self.sprouts)
        for half in halves:
            if len(self.sprouts) == before:
                self.grow(label, parent, half)

    def _ends(self, start: Array, targets: Array) -> list[Array]:
        """Where the branch may end, best first: a lone target, or a point on the way."""
        if len(targets) == 1:
            return [targets[0]]
        middle = targets.mean(axis=0)
        on_the_way = [start + part * (middle - start) for part in ADVANCES]
        reach = 0.25 * float(np.linalg.norm(middle - start))
        beside = [
            p + self.router.random.normal(0, reach / np.sqrt(3), 3)
            for p in on_the_way[:2]
            for _ in range(3)
        ]
        return on_the_way + beside

    def _halves(self, targets: Array, axis: Array) -> tuple[Array, Array]:
        """Targets on either side of a plane along the axis, across their widest spread."""
        axis = axis / max(float(np.linalg.norm(axis)), 1e-9)
        spread = targets - targets.mean(axis=0)
        across = spread - 0.8 * np.outer(spread @ axis, axis)
        _, _, directions = np.linalg.svd(across, full_matrices=False)
        direction = directions[0]  # its sign is arbitrary; the largest part decides
        direction = direction * np.sign(direction[np.argmax(np.abs(direction))])
        order = np.argsort(spread @ direction, kind="stable")
        share = float(self.router.random.uniform(0.38, 0.62))
        cut = min(max(1, round(share * len(targets))), len(targets) - 1)
        return targets[order[:cut]], targets[order[cut:]]

    def grow_along(self, name: str, label: str, trunk: Array, targets: Array) -> None:
        """A trunk ``name`` with side branches ``label.1`` ... at acute angles, as hepatic veins."""
        line = densify(trunk, 1.0)
        groups = _side_groups(line, targets)
        counts = [len(group) for _, group in groups]
        places: list[int] = []
        start = 0
        for number, (join, _) in enumerate(groups):
            if join > start:
                piece = line[[*range(start, join, 3), join]]
                parent = places[-1] if places else None
                places.append(self.lay(name, parent, piece, sum(counts[number:])))
                start = join
            else:
                places.append(places[-1])
        for number, (_, group) in enumerate(groups):
            self.grow(f"{label}.{number + 1}", places[number], group)


def _side_groups(line: Array, targets: Array) -> list[tuple[int, Array]]:
    """Targets in groups of about four, each with the point of a trunk that it leaves from.

    Points rise; the last two groups leave from the trunk's end.
    """
    gaps = np.linalg.norm(targets[:, None] - line[None], axis=2)
    nearest, distance = gaps.argmin(axis=1), gaps.min(axis=1)
    join = nearest - 0.8 * distance
    side = np.cross(line[-1] - line[0], [0.0, 0.3, 1.0])
    right = np.einsum("ij,j->i", targets - line[nearest], side) > 0
    groups = []
    for chosen in (right, ~right):
        order = np.flatnonzero(chosen)[np.argsort(join[chosen], kind="stable")]
        if len(order):
            for part in np.array_split(order, max(1, round(len(order) / 4))):
                groups.append((float(join[part].min()), targets[part]))
    groups.sort(key=lambda g: g[0])
    first, last = 10, len(line) - 1
    spaced: list[tuple[int, Array]] = []
    for number, (at, group) in enumerate(groups):
        left = len(groups) - 2 - number  # side groups still to come
        earliest = spaced[-1][0] + 4 if spaced else first
        at_most = last - 4 * max(left, 1)
        spaced.append((last if left <= 0 else min(max(int(at), earliest), at_most), group))
    return spaced
