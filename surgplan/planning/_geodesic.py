"""The nearest centreline point by the shortest way inside the liver."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from surgplan.errors import UsageError
from surgplan.planning._boundary import Points
from surgplan.volume import Geometry

_COARSE_MM = 2.0
_SIGHT_STEPS = 24
_CHUNK = 200_000

Mask = npt.NDArray[np.bool_]

_STEPS = np.array(
    [s for s in product(range(-2, 3), repeat=3) if s > (0, 0, 0) and np.gcd.reduce(s) == 1]
)
"""Half of the 98 directions of a 5 x 5 x 5 neighbourhood: ways along them are at most 2 % long."""


def geodesic_nearest(
    inside: Mask, geometry: Geometry, points_mm: Points, nearest: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Correct the straight nearest points where the straight way leaves the mask.

    A straight way that stays inside cannot be beaten, so only the rest is worked out, on a grid of
    about 2 mm by Dijkstra's algorithm. A part of the mask that no way leads to keeps its straight
    nearest point.

    Parameters
    ----------
    inside
        The liver, ``(slice, row, column)``.
    geometry
        Its grid, with perpendicular axes.
    points_mm
        Centreline points ``(n, 3)`` LPS mm.
    nearest
        ``(voxels,)`` the straight nearest point of each voxel inside.
    """
    if not geometry.is_orthogonal:
        msg = "geodesic distances need a grid with perpendicular axes; resample first"
        raise UsageError(msg)
    index = np.argwhere(inside)
    targets = geometry.to_index(points_mm)
    blocked = np.flatnonzero(~_in_sight(inside, index, targets[nearest]))
    if len(blocked) == 0:
        return nearest
    nodes, source = _coarse_sources(inside, geometry, points_mm)
    reached = source >= 0
    if not reached.any():
        return nearest
    at = cKDTree(nodes[reached]).query(geometry.to_lps(index[blocked]))[1]
    corrected = nearest.copy()
    corrected[blocked] = source[reached][at]
    return corrected


def _in_sight(inside: Mask, index: npt.NDArray[np.int64], targets: npt.NDArray[np.float64]) -> Mask:
    """Whether the straight way from each voxel to its target stays inside, to about a voxel."""
    grown = ndimage.binary_dilation(np.pad(inside, 1), np.ones((3, 3, 3)))
    limit = np.array(grown.shape) - 1
    seen = np.empty(len(index), dtype=bool)
    for first in range(0, len(index), _CHUNK):
        start = index[first : first + _CHUNK]
        way = targets[first : first + _CHUNK] - start
        clear = np.ones(len(start), dtype=bool)
        for share in np.linspace(0, 1, _SIGHT_STEPS)[1:]:
            place = np.rint(start + share * way).astype(np.int64) + 1
            clear &= grown[tuple(np.clip(place, 0, limit).T)]
            clear &= ((place >= 0) & (place <= limit)).all(axis=1)
        seen[first : first + _CHUNK] = clear
    return seen


def _coarse_sources(
    inside: Mask, geometry: Geometry, points_mm: Points
) -> tuple[Points, npt.NDArray[np.int64]]:
    """Nodes ``(m, 3)`` LPS about 2 mm apart in the mask, and the point nearest by way to each.

    -1 where no way leads. Points outside the mask are no sources.
    """
    every = np.array([max(1, round(_COARSE_MM / s)) for s in geometry.spacing_mm])
    coarse = inside[:: every[0], :: every[1], :: every[2]]
    number = np.full(coarse.shape, -1, dtype=np.int64)
    number[coarse] = np.arange(int(coarse.sum()))
    nodes = geometry.to_lps(np.argwhere(coarse) * every)
    place = np.rint(geometry.to_index(points_mm)).astype(np.int64)
    fits: Mask = np.all((place >= 0) & (place < inside.shape), axis=1)
    fits[fits] = inside[tuple(place[fits].T)]
    if not fits.any() or len(nodes) == 0:
        return nodes, np.full(len(nodes), -1, dtype=np.int64)
    chosen = np.flatnonzero(fits)
    near = cKDTree(nodes).query(points_mm[chosen], k=min(4, len(nodes)))
    return nodes, _flooded(number, every * geometry.spacing_mm, chosen, near)


def _flooded(
    number: npt.NDArray[np.int64],
    step_mm: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.int64],
    near: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]],
) -> npt.NDArray[np.int64]:
    """Point from which each node is reached first; points start with their way to nodes near."""
    count = int(number.max()) + 1
    away, node = (a.reshape(len(chosen), -1) for a in near)
    rows, columns, lengths = _edges(number, step_mm)
    starts = count + np.repeat(np.arange(len(chosen)), node.shape[1])
    size = count + len(chosen)
    graph = sparse.csr_matrix(
        (
            np.concatenate([lengths, lengths, np.maximum(away.ravel(), 1e-6)]),
            (
                np.concatenate([rows, columns, starts]),
                np.concatenate([columns, rows, node.ravel()]),
            ),
        ),
        shape=(size, size),
    )
    _, _, source = csgraph.dijkstra(
        graph, indices=np.arange(count, size), min_only=True, return_predecessors=True
    )
    source = source[:count]
    return np.where(source >= 0, chosen[np.maximum(source - count, 0)], -1)


def _edges(
    number: npt.NDArray[np.int64], step_mm: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pairs of nodes one step apart whose middle is a node too, or lies between two."""
    rows, columns, lengths = [], [], []
    for step in _STEPS:
        first = tuple(
            slice(max(0, -s), n - max(0, s)) for s, n in zip(step, number.shape, strict=True)
        )
        second = tuple(
            slice(max(0, s), n - max(0, -s)) for s, n in zip(step, number.shape, strict=True)
        )
        a, b = number[first].ravel(), number[second].ravel()
        linked = (a >= 0) & (b >= 0)
        if np.abs(step).max() > 1:
            linked &= _middle(number, step)
        rows.append(a[linked])
        columns.append(b[linked])
        lengths.append(np.full(int(linked.sum()), float(np.linalg.norm(step * step_mm))))
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(lengths)


def _middle(number: npt.NDArray[np.int64], step: npt.NDArray[np.int64]) -> Mask:
    """Whether both voxels next to the middle of each step are nodes."""
    clear: Mask | None = None
    for half in (np.floor(step / 2), np.ceil(step / 2)):
        window = tuple(
            slice(max(0, -s) + int(h), n - max(0, s) + int(h))
            for s, h, n in zip(step, half, number.shape, strict=True)
        )
        here = number[window].ravel() >= 0
        clear = here if clear is None else clear & here
    return clear if clear is not None else np.zeros(0, dtype=bool)
