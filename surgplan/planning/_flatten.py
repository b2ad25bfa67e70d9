"""A surface without parameters laid flat, and any flat surface turned the right way up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra

from surgplan.planning._boundary import Points
from surgplan.planning._charts import upright_axes

Values = npt.NDArray[np.float64]
Triangles = npt.NDArray[np.int64]

_LANDMARKS = 60
_GAP_MM = 8.0


def flattened(points_mm: Points, triangles: Triangles) -> Values:
    """Flat places ``(n, 2)`` in mm that keep the ways along the surface as well as they can.

    Landmark multidimensional scaling of the ways along edges (de Silva and Tenenbaum 2004); pieces
    that do not hang together lie side by side.
    """
    graph, count = _ways(points_mm, triangles), len(points_mm)
    _, piece = connected_components(graph, directed=False)
    flat = np.zeros((count, 2))
    start = 0.0
    for number in np.argsort(-np.bincount(piece), kind="stable"):
        members = np.flatnonzero(piece == number)
        local = _scaled(graph[members][:, members])
        renumbered = np.full(count, -1)
        renumbered[members] = np.arange(len(members))
        own = renumbered[triangles[piece[triangles[:, 0]] == number]]
        local = upright(local, points_mm[members], own)
        local -= local.min(axis=0)
        flat[members] = local + np.array([start, 0.0])
        start += float(np.ptp(local[:, 0])) + _GAP_MM
    return flat


def opened(points_mm: Points, triangles: Triangles, centre_mm: Values, direction: Values) -> Values:
    """Flat places ``(n, 2)`` in mm of a cup around an axis, opened like a flower.

    Each point lies as far from the middle of the map as from the bottom of the cup, along the
    surface, and in the direction in which it lies around the axis.
    """
    local = points_mm - centre_mm
    height = local @ direction
    across, up = upright_axes(direction)
    angle = np.arctan2(local @ up, local @ across)
    beside = local - height[:, None] * direction
    bottom = int(np.argmin(height + np.linalg.norm(beside, axis=1)))
    way = dijkstra(_ways(points_mm, triangles), directed=False, indices=bottom)
    way = np.where(np.isfinite(way), way, np.linalg.norm(local, axis=1))
    flat: Values = way[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return flat


def upright(flat_mm: Values, points_mm: Points, triangles: Triangles) -> Values:
    """A flat surface turned so that the head is up, seen from the resected side.

    Triangles run counter-clockwise seen from the remnant.
    """
    if len(triangles) == 0:
        return flat_mm
    a, b, c = (flat_mm[triangles[:, k]] for k in range(3))
    area = float(((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum())
    flat = flat_mm * np.array([-1.0 if area > 0 else 1.0, 1.0])
    centred = flat - flat.mean(axis=0)
    towards, *_ = np.linalg.lstsq(centred, points_mm - points_mm.mean(axis=0), rcond=None)
    head = towards[:, 2] if np.linalg.norm(towards[:, 2]) > 0.3 else -towards[:, 1]
    up = head / max(float(np.linalg.norm(head)), 1e-9)
    turned: Values = centred @ np.array([[up[1], up[0]], [-up[0], up[1]]])
    return turned


def _ways(points_mm: Points, triangles: Triangles) -> Any:
    """Lengths of the edges of triangles, as a sparse ``(n, n)`` matrix."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    lengths = np.linalg.norm(points_mm[edges[:, 0]] - points_mm[edges[:, 1]], axis=1)
    count = len(points_mm)
    return coo_array((np.maximum(lengths, 1e-6), edges.T), shape=(count, count)).tocsr()


def _scaled(graph: Any) -> Values:
    """Flat places of one connected piece."""
    count = graph.shape[0]
    if count < 4:
        return np.zeros((count, 2))
    landmarks = np.unique(np.linspace(0, count - 1, min(_LANDMARKS, count)).astype(int))
    squared = dijkstra(graph, directed=False, indices=landmarks) ** 2
    between = squared[:, landmarks]
    mean = between.mean(axis=0)
    centred = -0.5 * (between - mean[:, None] - mean[None] + between.mean())
    size, axes = np.linalg.eigh(centred)
    size, axes = np.maximum(size[-2:], 1e-9), axes[:, -2:]
    flat: Values = -0.5 * (squared - mean[:, None]).T @ (axes / np.sqrt(size))
    return flat
