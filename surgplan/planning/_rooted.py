"""A forest of centreline voxels, rooted and pruned, as branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csgraph

from surgplan.planning._boundary import Points
from surgplan.planning._skeleton import Skeleton

_SPUR_STEPS = 1.5
"""A twig must leave its parent's wall by its own width, and by its radius and so many voxels."""

_KNOT_STEPS = 1.5
"""A shorter piece between two bifurcations is one bifurcation, drawn out by the voxels."""

LEAST_INSIDE = 0.1
"""Of a vessel of the liver at least this share of its course lies in it."""

ROOT, APART = -1, -2


@dataclass(frozen=True, kw_only=True, eq=False)
class Rooted:
    """A skeleton with a direction.

    `parent` is ``(n,)``: the place before each place on the way from its root, `ROOT` for roots,
    `APART` for places that no root reaches.
    """

    skeleton: Skeleton
    parent: npt.NDArray[np.int64]

    @property
    def reached(self) -> npt.NDArray[np.bool_]:
        """Places that a root reaches, ``(n,)``."""
        reached: npt.NDArray[np.bool_] = self.parent != APART
        return reached

    def kids(self) -> npt.NDArray[np.int64]:
        """How many places follow each place."""
        above = self.parent[self.parent >= 0]
        return np.bincount(above, minlength=len(self.parent))

    def path_up(self, start: int, stop: npt.NDArray[np.bool_]) -> list[int]:
        """Places from one up to the first marked one or the root, both included."""
        path = [start]
        while self.parent[path[-1]] >= 0:
            path.append(int(self.parent[path[-1]]))
            if stop[path[-1]]:
                break
        return path


def rooted_at(skeleton: Skeleton, roots: Sequence[int]) -> Rooted:
    """Direct every edge away from the root that is nearest along it, by length over radius.

    Where two roots share a piece of the forest, the piece is cut half-way between them.
    """
    edges, points = skeleton.edges, skeleton.points_mm
    ends = points[edges]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    weights = lengths / skeleton.radius_mm[edges].min(axis=1)
    graph = skeleton.graph(np.maximum(weights, 1e-9))
    reach, before, _ = csgraph.dijkstra(
        graph, indices=np.asarray(roots), min_only=True, return_predecessors=True
    )
    parent = np.where(before < 0, ROOT, before).astype(np.int64)
    parent[~np.isfinite(reach)] = APART
    return Rooted(skeleton=skeleton, parent=parent)


def within(rooted: Rooted, inside: npt.NDArray[np.bool_]) -> Rooted:
    """Without the roots behind which hardly anything lies inside, such as renal veins."""
    origin = np.arange(len(rooted.parent))
    climbing = rooted.parent >= 0
    while climbing.any():
        above = np.where(rooted.parent[origin] >= 0, rooted.parent[origin], origin)
        climbing = above != origin
        origin = above
    count = np.bincount(origin, minlength=len(origin))
    share = np.bincount(origin, inside, minlength=len(origin)) / np.maximum(count, 1)
    outside = share[origin] < LEAST_INSIDE
    return Rooted(skeleton=rooted.skeleton, parent=np.where(outside, APART, rooted.parent))


def pruned(rooted: Rooted) -> tuple[Rooted, int]:
    """Without the twigs that hardly leave their parent's wall, and how many those were.

    The shortest twig of each bifurcation goes first; what is left may then be a twig no more. One
    that ends where a loop was opened carries another one on, and stays.
    """
    parent = rooted.parent.copy()
    count = 0
    while True:
        now = Rooted(skeleton=rooted.skeleton, parent=parent)
        gone = _spurs(now)
        if not gone:
            return now, count
        for path in gone:
            parent[path] = APART
        count += len(gone)


def _spurs(rooted: Rooted) -> list[list[int]]:
    kids = rooted.kids()
    fork = kids >= 2
    worst: dict[int, tuple[float, list[int]]] = {}
    radius, step = rooted.skeleton.radius_mm, rooted.skeleton.step_mm
    ends = (kids == 0) & (rooted.parent >= 0)
    ends[rooted.skeleton.opened] = False
    for leaf in np.flatnonzero(ends):
        path = rooted.path_up(int(leaf), fork)
        joint = path[-1]
        if not fork[joint]:
            continue
        own = np.median(radius[path[: max(1, len(path) // 2)]])
        beyond = _length_mm(rooted.skeleton.points_mm[path]) - radius[joint]
        excess = float(beyond - own - max(own, _SPUR_STEPS * step))
        if excess < 0 and excess < worst.get(joint, (0.0, []))[0]:
            worst[joint] = (excess, path[:-1])
    return [path for _, path in worst.values()]


@dataclass(kw_only=True, eq=False)
class Chain:
    """Places between two bifurcations, from the root outwards, and the chain before."""

    places: list[int]
    parent: int | None


def chains_of(rooted: Rooted) -> list[Chain]:
    """The pieces between bifurcations, parents first.

    A child begins with the last place of its parent.
    """
    below: dict[int, list[int]] = {}
    for child in np.flatnonzero(rooted.parent >= 0):
        below.setdefault(int(rooted.parent[child]), []).append(int(child))
    chains: list[Chain] = []
    stack: list[tuple[list[int], int | None]] = []
    for root in np.flatnonzero(rooted.parent == ROOT):
        stack += [([int(root), kid], None) for kid in below.get(int(root), [])]
    while stack:
        places, parent = stack.pop()
        while len(below.get(places[-1], [])) == 1:
            places.append(below[places[-1]][0])
        kids = below.get(places[-1], [])
        if kids and parent is not None and _is_knot(rooted.skeleton, places):
            stack += [([*places, kid], parent) for kid in kids]
            continue
        chains.append(Chain(places=places, parent=parent))
        stack += [([places[-1], kid], len(chains) - 1) for kid in kids]
    return chains


def _is_knot(skeleton: Skeleton, places: list[int]) -> bool:
    return _length_mm(skeleton.points_mm[places]) <= _KNOT_STEPS * skeleton.step_mm


def _length_mm(points: Points) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
