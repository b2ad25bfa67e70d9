"""Which centreline ends belong together across a gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from surgplan.volume import Geometry

_LOOK_BACK_MM = 6.0
"""From so far back an end's direction is taken."""

_FORWARD = 0.5
"""Least cosine between an end's direction and the way across the gap."""

_STRAIGHT = 0.8
_WAY_STEPS = 41
_DRAWN_BACK = 4.0
"""Ends of centrelines across a gap are looked for so many radii beyond it."""

_RADIUS_RATIO = 3.0
"""An end joins nothing thinner or thicker than itself by more than this factor, unless it enters
a thicker vessel from the side."""

_SALT_MM = 3.0
"""Pieces of a shorter centreline have no direction and are not joined."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tips:
    """A forest with pieces to be joined.

    `piece` numbers the trees of the forest, `body` the connected pieces of the mask below, both
    ``(n,)`` as `points_mm` ``(n, 3)`` and `radius_mm`. `field` is positive in the mask, on `grid`.
    """

    points_mm: npt.NDArray[np.float64]
    radius_mm: npt.NDArray[np.float64]
    edges: npt.NDArray[np.int64]
    piece: npt.NDArray[np.int32]
    body: npt.NDArray[np.int64]
    field: npt.NDArray[np.float32]
    grid: Geometry

    def open_mm(self, start: int, stops: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """How much of the straight ways from a place to others lies outside the mask.

        Thinning draws ends back from the wall, so that distances between ends say too much.
        """
        a, b = self.points_mm[start], self.points_mm[stops]
        shares = np.linspace(0, 1, _WAY_STEPS)[:, None, None]
        index = np.rint(self.grid.to_index(a + shares * (b - a))).astype(np.int64)
        index = np.clip(index, 0, np.array(self.field.shape) - 1)
        outside = self.field[tuple(np.moveaxis(index, -1, 0))] <= 0
        way: npt.NDArray[np.float64] = outside.mean(axis=0) * np.linalg.norm(b - a, axis=1)
        return way


@dataclass(frozen=True, kw_only=True)
class _End:
    """An end of a piece, where it points ``(3,)``, and how long its piece is."""

    at: int
    towards: npt.NDArray[np.float64]
    length_mm: float


def bridges(tips: Tips, *, gap_mm: float, blind_mm: float) -> npt.NDArray[np.int64]:
    """Edges ``(k, 2)`` that join pieces of a forest without making a loop, the best ones first.

    Parameters
    ----------
    tips
        The forest.
    gap_mm
        Widest gap between walls.
    blind_mm
        The coarsest spacing: a slanting vessel may hide between slices. Long pieces cross two and
        a half of it straight ahead, pieces whose voxels touch two of it in any direction.
    """
    if tips.piece.max() == 0:
        return np.empty((0, 2), dtype=np.int64)
    ends = _ends(tips)
    tree = cKDTree(tips.points_mm)
    reach = max(gap_mm, 2 * blind_mm) + _DRAWN_BACK * float(tips.radius_mm.max())
    found: list[tuple[float, int, int]] = []
    for end in ends:
        near = np.array(tree.query_ball_point(tips.points_mm[end.at], reach), dtype=np.int64)
        near = near[tips.piece[near] != tips.piece[end.at]]
        cost = _costs(tips, end, near, gap_mm=gap_mm, blind_mm=blind_mm)
        for piece in np.unique(tips.piece[near[np.isfinite(cost)]]):
            mine = np.flatnonzero(tips.piece[near] == piece)
            best = mine[np.argmin(cost[mine])]
            found.append((float(cost[best]), end.at, int(near[best])))
    return _forest_of(tips, sorted(found))


def _forest_of(tips: Tips, found: list[tuple[float, int, int]]) -> npt.NDArray[np.int64]:
    group = np.arange(int(tips.piece.max()) + 1)
    chosen = []
    for _, a, b in found:
        first, second = group[tips.piece[a]], group[tips.piece[b]]
        if first != second:
            chosen.append((a, b))
            group[group == second] = first
    return np.array(chosen, dtype=np.int64).reshape(-1, 2)


def _costs(
    tips: Tips, end: _End, near: npt.NDArray[np.int64], *, gap_mm: float, blind_mm: float
) -> npt.NDArray[np.float64]:
    """Cost of joining an end to each of the places; infinite where nothing speaks for it."""
    across = tips.points_mm[near] - tips.points_mm[end.at]
    length = np.linalg.norm(across, axis=1)
    own, other = tips.radius_mm[end.at], tips.radius_mm[near]
    gap = tips.open_mm(end.at, near)
    forward = across @ end.towards / np.maximum(length, 1e-6)
    touching = (tips.body[near] == tips.body[end.at]) & (gap <= 2 * blind_mm)
    ahead = (forward >= _FORWARD) | (gap <= 0.5 * blind_mm)
    straight = (forward >= _STRAIGHT) & (end.length_mm >= 4 * blind_mm) & (gap <= 2.5 * blind_mm)
    fits = (
        (((gap <= max(gap_mm, blind_mm)) & ahead) | straight)
        & (own <= _RADIUS_RATIO * other)
        & (end.length_mm >= _SALT_MM)
    )
    cost = gap + 0.5 * length + 2.0 * (1 - forward) * length
    cost[touching] = 0.1 * length[touching]
    return np.where(touching | fits, cost, np.inf)


def _ends(tips: Tips) -> list[_End]:
    """Places with at most one neighbour, and the direction in which they look out."""
    count = len(tips.points_mm)
    degree = np.bincount(tips.edges.ravel(), minlength=count)
    span = tips.points_mm[tips.edges]
    lengths = np.linalg.norm(span[:, 0] - span[:, 1], axis=1)
    both = np.concatenate([tips.edges, tips.edges[:, ::-1]])
    graph = sparse.csr_matrix((np.tile(lengths, 2), (both[:, 0], both[:, 1])), shape=(count, count))
    total = np.bincount(tips.piece[tips.edges[:, 0]], lengths, minlength=int(tips.piece.max()) + 1)
    ends = []
    for at in np.flatnonzero(degree <= 1):
        away = csgraph.dijkstra(graph, indices=int(at), limit=_LOOK_BACK_MM)
        away[~np.isfinite(away)] = -1
        back = tips.points_mm[at] - tips.points_mm[int(np.argmax(away))]
        size = float(np.linalg.norm(back))
        towards = back / size if size > 0 else np.zeros(3)
        ends.append(_End(at=int(at), towards=towards, length_mm=float(total[tips.piece[at]])))
    return ends
