"""Whether triangles bound a solid."""

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
    twins = _twins(triangles)
    return twins is not None and _one_fan_per_point(triangles, twins)


def _twins(triangles: Triangles) -> npt.NDArray[np.int64] | None:
    """For each directed edge the one that runs back, ``(3m,)``, or None unless there is just one.

    Edge ``3 t + i`` runs from corner i of triangle t to its next corner.
    """
    start = triangles.astype(np.int64).ravel()
    end = np.roll(triangles, -1, axis=1).astype(np.int64).ravel()
    base = int(triangles.max()) + 1
    forward, backward = start * base + end, end * base + start
    order = np.argsort(forward, kind="stable")
    back_order = np.argsort(backward, kind="stable")
    edges = forward[order]
    single = bool((np.diff(edges) > 0).all())
    if not (single and np.array_equal(edges, backward[back_order]) and (start != end).all()):
        return None
    twins = np.empty_like(order)
    twins[back_order] = order
    return twins


def _one_fan_per_point(triangles: Triangles, twins: npt.NDArray[np.int64]) -> bool:
    """Whether walking from triangle to triangle around a point meets all triangles there."""
    corners = np.arange(3 * len(triangles))
    next_corner = corners - corners % 3 + (corners + 1) % 3
    across = next_corner[twins]  # the same point, seen from the triangle on the other side
    ones = np.ones(len(corners), dtype=np.int8)
    graph: Any = coo_matrix((ones, (corners, across)), shape=(len(corners),) * 2)
    fans, _ = connected_components(graph, directed=False)
    return bool(fans == len(np.unique(triangles)))
