"""Whether triangles bound a solid, and of how many pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Triangles = npt.NDArray[np.int32]


def is_closed_manifold(triangles: Triangles) -> bool:
    """Whether every edge joins two triangles that agree, and every point has one fan of triangles.

    Agree means that they run along the edge in opposite directions, so that both face the same
    side. A point with two fans is where two parts of a surface touch at a tip.
    """
    return len(torn_points(triangles)) == 0


def torn_points(triangles: Triangles) -> npt.NDArray[np.int64]:
    """Points on edges that do not join two agreeing triangles or, if none, points with two fans."""
    start = triangles.astype(np.int64).ravel()
    end = np.roll(triangles, -1, axis=1).astype(np.int64).ravel()
    base = int(triangles.max()) + 1
    forward, backward = start * base + end, end * base + start
    order = np.argsort(forward, kind="stable")
    back_order = np.argsort(backward, kind="stable")
    if np.array_equal(forward[order], backward[back_order]):
        single = np.diff(forward[order]) > 0
        if single.all() and (start != end).all():
            twins = np.empty_like(order)
            twins[back_order] = order
            return _with_two_fans(triangles, twins)
    edges, count = np.unique(forward, return_counts=True)
    back = count[np.searchsorted(edges, backward).clip(max=len(edges) - 1)]
    paired = np.isin(backward, edges) & (back == 1) & (start != end)
    paired &= count[np.searchsorted(edges, forward)] == 1
    return np.unique(np.concatenate([start[~paired], end[~paired]]))


def piece_of_points(triangles: Triangles) -> npt.NDArray[np.int32]:
    """Number of the connected piece that each point belongs to."""
    size = int(triangles.max()) + 1
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    _, piece = connected_components(_graph(start, end, size), directed=False)
    return np.asarray(piece, dtype=np.int32)


def _with_two_fans(triangles: Triangles, twins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Points around which walking from triangle to triangle does not meet all triangles there.

    ``twins`` tells for each directed edge the one that runs back; edge ``3 t + i`` runs from corner
    i of triangle t to its next corner.
    """
    corners = np.arange(3 * len(triangles))
    next_corner = corners - corners % 3 + (corners + 1) % 3
    across = next_corner[twins]  # the same point, seen from the triangle on the other side
    _, fan = connected_components(_graph(corners, across, len(corners)), directed=False)
    _, first = np.unique(fan, return_index=True)  # one corner of each fan
    points, count = np.unique(triangles.ravel()[first], return_counts=True)
    return points[count > 1].astype(np.int64)


def _graph(start: npt.NDArray[Any], end: npt.NDArray[Any], size: int) -> Any:
    return coo_matrix((np.ones(len(start), dtype=np.int8), (start, end)), shape=(size, size))
