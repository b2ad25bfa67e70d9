"""A vessel tree as nodes half a millimetre apart, so that what is behind a cut can be summed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._clusters import Clusters
from surgplan.planning._territories import SAMPLE_MM
from surgplan.planning._vessel_tree import VesselTree

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

_CLUSTER_MM = 8.0


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeNodes:
    """Points along the centrelines of a tree, each before all that hangs on it.

    Attributes
    ----------
    points_mm
        ``(n, 3)`` LPS, `SAMPLE_MM` apart along each branch.
    radius_mm
        ``(n,)`` of the vessel.
    branch
        ``(n,)`` place of the branch in the tree; the fork itself belongs to the parent.
    above
        ``(n,)`` the node before, -1 for a root.
    end
        ``(n,)`` what hangs on node ``i``, itself too, are the nodes ``i`` to ``end[i] - 1``.
    """

    points_mm: Points
    radius_mm: npt.NDArray[np.float64]
    branch: Places
    above: Places
    end: Places

    @cached_property
    def clusters(self) -> Clusters:
        """The points in clusters."""
        return Clusters.of(self.points_mm, _CLUSTER_MM)

    @classmethod
    def of(cls, tree: VesselTree) -> TreeNodes:
        """The nodes of a tree."""
        points, owner, radius = tree.samples(SAMPLE_MM)
        first = np.searchsorted(owner, np.arange(len(tree.branches) + 1))
        order = _depth_first(tree)
        taken = np.concatenate([np.arange(first[b], first[b + 1]) for b in order])
        start = np.zeros(len(tree.branches), dtype=np.int64)
        start[order] = np.concatenate([[0], np.cumsum(np.diff(first)[order])[:-1]])
        last = start + np.diff(first) - 1
        above = np.arange(-1, len(taken) - 1)
        for b, branch in enumerate(tree.branches):
            above[start[b]] = -1 if branch.parent is None else last[branch.parent]
        size = tree.downstream(np.diff(first).astype(np.float64)).astype(np.int64)
        branch_of = owner[taken]
        return cls(
            points_mm=points[taken],
            radius_mm=radius[taken],
            branch=branch_of,
            above=above,
            end=(start + size)[branch_of],
        )

    def behind(self, starts: Places) -> Mask:
        """``(n,)`` whether a node is one of these or hangs on one."""
        steps = np.zeros(len(self.end) + 1, dtype=np.int64)
        np.add.at(steps, starts, 1)
        np.add.at(steps, self.end[starts], -1)
        reached: Mask = np.cumsum(steps[:-1]) > 0
        return reached

    def sums_behind(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums ``(n,)`` of values ``(n,)`` over each node and all that hangs on it."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        sums: npt.NDArray[np.float64] = total[self.end] - total[:-1]
        return sums


def _depth_first(tree: VesselTree) -> Places:
    """Branches so that all behind a branch follow it at once."""
    below: dict[int | None, list[int]] = {}
    for place, branch in enumerate(tree.branches):
        below.setdefault(branch.parent, []).append(place)
    order: list[int] = []
    waiting = list(reversed(below[None]))
    while waiting:
        order.append(waiting.pop())
        waiting += reversed(below.get(order[-1], []))
    return np.array(order, dtype=np.int64)
