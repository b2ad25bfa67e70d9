"""From a vessel mask to a forest of centreline voxels: thinned, bridged, without loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._covered import covered
from surgplan.planning._lines import Lines
from surgplan.planning._skeleton_gaps import Tips, bridges
from surgplan.planning._thinning import thinned
from surgplan.planning._tips import followed
from surgplan.volume import Geometry, box_of, distance_outside_mm

Mask = npt.NDArray[np.bool_]

_FINEST_STEP_MM = 0.8
_LOOP_MM = 8.0
"""A shorter way round is a clump of voxels at a bifurcation, not a loop."""

_THICK = 2.0
_HELD_MM = 0.1

_NEIGHBOURS = np.array(
    [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) if (a, b, c) > (0, 0, 0)]
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Skeleton:
    """Centreline voxels as a forest.

    Attributes
    ----------
    points_mm
        ``(n, 3)`` LPS mm.
    radius_mm
        ``(n,)`` distance to the wall, to about half a voxel.
    edges
        ``(m, 2)`` pairs of places in `points_mm`; without a loop.
    step_mm
        Edge of the voxels that were thinned.
    gaps_bridged, loops_cut
        What was mended.
    opened
        ``(k,)`` places on either side of where a loop was opened. One of its ends reaches the
        other, at a place of its own, so that no piece is lost.
    """

    points_mm: Points
    radius_mm: npt.NDArray[np.float64]
    edges: npt.NDArray[np.int64]
    step_mm: float
    gaps_bridged: int
    loops_cut: int
    opened: npt.NDArray[np.int64]

    def graph(self, weights: npt.NDArray[np.float64] | None = None) -> sparse.csr_matrix:
        """Symmetric ``(n, n)`` matrix of edge lengths in mm, or of other weights."""
        ends = self.points_mm[self.edges]
        lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        return _symmetric(self.edges, lengths if weights is None else weights, len(self.points_mm))


def skeleton_of(mask: Mask, geometry: Geometry, *, gap_mm: float) -> Skeleton:
    """Thin a mask that is not empty, join its fragments, and open its loops.

    The mask is put on cubes by its signed distance, so that thick slices leave no stairs; thinned
    to lines; and reduced to a minimum spanning forest over length / radius, which opens every
    loop at its thinnest place. Fragments are joined across
    at most ``gap_mm`` where direction and radius agree, and across any gap where the voxels of
    the mask touch.
    """
    cubes, grid = _cubes(mask, geometry)
    step = grid.spacing_mm[0]
    index = np.argwhere(thinned(cubes, step))
    points = grid.to_lps(index)
    radius = _wall_distance(cubes, index, step)
    pairs = _touching(index)
    count = len(index)
    forest = _spanning(pairs, points, radius)
    tips = Tips(
        points_mm=points,
        radius_mm=radius,
        edges=forest,
        piece=csgraph.connected_components(_symmetric(forest, np.ones(len(forest)), count))[1],
        body=_body(mask, geometry, points),
        field=cubes,
        grid=grid,
    )
    coarsest = max(geometry.spacing_mm)
    joints = bridges(tips, gap_mm=gap_mm, blind_mm=coarsest)
    opened = _opened(pairs, forest, points)
    closing = _shortest(opened, points, np.bincount(forest.ravel(), minlength=count))
    again = np.stack([closing[:, 0], count + np.arange(len(closing))], axis=1)
    lines = Lines(
        index=np.concatenate([index, index[closing[:, 1]]]),
        radius_mm=np.concatenate([radius, radius[closing[:, 1]]]),
        edges=np.concatenate([forest, joints, again]),
    )
    lines = covered(followed(lines, cubes, step), cubes, step)
    return Skeleton(
        points_mm=grid.to_lps(lines.index),
        radius_mm=lines.radius_mm,
        edges=lines.edges,
        step_mm=step,
        gaps_bridged=len(joints),
        loops_cut=len(closing),
        opened=np.union1d(opened, again),
    )


def _cubes(mask: Mask, geometry: Geometry) -> tuple[npt.NDArray[np.float32], Geometry]:
    """Depth below the wall (mm) on cubes around the mask, 0 or less outside, and their grid.

    A voxel's wall lies half-way to its neighbours, so distances between centres are shortened by
    half the finest spacing on both sides. Between thick slices the mask itself always stays, since
    slices of a slanting vessel need not overlap.
    """
    spacing = geometry.spacing_mm
    step = max(min(spacing), _FINEST_STEP_MM)
    box = box_of(mask, geometry, margin_mm=0.0)
    padded = np.pad(mask[box], 2)
    start = tuple(s.start - 2 for s in box)
    stop = tuple(a + n for a, n in zip(start, padded.shape, strict=True))
    window = geometry.window((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    inside = distance_outside_mm(~padded, window)
    half = np.float32(min(spacing) / 2)
    if np.allclose(spacing, step):
        return inside - half, window
    outside = distance_outside_mm(padded, window)
    field = np.where(padded, inside - half, half - outside)
    grid = window.with_spacing((step, step, step))
    ends = window.to_index(grid.to_lps(np.array([(0, 0, 0), grid.shape]) - [[0], [1]]))
    axes = [np.linspace(a, b, n) for a, b, n in zip(ends[0], ends[1], grid.shape, strict=True)]
    on_cubes = near_wall(field, padded, axes)
    if max(spacing) > _THICK * step:
        nearest = padded
        for axis, at in enumerate(axes):
            place = np.clip(np.rint(at), 0, padded.shape[axis] - 1).astype(int)
            nearest = np.take(nearest, place, axis)
        on_cubes[nearest] = np.maximum(on_cubes[nearest], np.float32(_HELD_MM))
    return on_cubes, grid


def near_wall(
    field: npt.NDArray[np.float32], mask: Mask, axes: Sequence[npt.NDArray[np.float64]]
) -> npt.NDArray[np.float32]:
    """A field interpolated linearly at fractional places along each axis, in and next to a mask.

    Elsewhere it is negative infinity: that is most of a box around vessels.
    """
    sizes = zip(axes, field.shape, strict=True)
    axes = [np.clip(at, 0, size - 1) for at, size in sizes]
    lows = [
        np.minimum(at.astype(np.int64), size - 2)
        for at, size in zip(axes, field.shape, strict=True)
    ]
    touched = mask
    for axis, low in enumerate(lows):
        touched = np.take(touched, low, axis) | np.take(touched, low + 1, axis)
    place = np.nonzero(touched)
    first = [low[at] for low, at in zip(lows, place, strict=True)]
    values = [
        field[tuple(f + step for f, step in zip(first, corner, strict=True))]
        for corner in np.ndindex(2, 2, 2)
    ]
    for at, low, along in zip(axes, lows, place, strict=True):
        share = (at - low).astype(np.float32)[along]
        half = len(values) // 2
        pairs = zip(values[:half], values[half:], strict=True)
        values = [lower + share * (upper - lower) for lower, upper in pairs]
    found = np.full(touched.shape, -np.inf, dtype=np.float32)
    found[place] = values[0]
    return found


def _wall_distance(
    cubes: npt.NDArray[np.float32], index: npt.NDArray[np.int64], step_mm: float
) -> npt.NDArray[np.float64]:
    """Largest wall distance among a voxel and its neighbours: the axis may lie between centres."""
    highest = np.full(len(index), step_mm / 2)
    limit = np.array(cubes.shape) - 1
    for offset in np.concatenate([_NEIGHBOURS, -_NEIGHBOURS, [(0, 0, 0)]]):
        near = tuple(np.clip(index + offset, 0, limit).T)
        np.maximum(highest, cubes[near], out=highest)
    return highest


def _touching(index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Pairs of places of voxels that share a face, edge or corner, ``(m, 2)``."""
    low = index.min(axis=0) - 1
    shape = tuple(index.max(axis=0) - low + 2)
    keys = np.ravel_multi_index(tuple((index - low).T), shape)  # rising, as argwhere gives them
    found = []
    for offset in _NEIGHBOURS:
        wanted = np.ravel_multi_index(tuple((index + offset - low).T), shape)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hit = keys[place] == wanted
        found.append(np.stack([np.flatnonzero(hit), place[hit]], axis=1))
    return np.concatenate(found)


def _spanning(
    pairs: npt.NDArray[np.int64], points: Points, radius: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    ends = points[pairs]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    weights = lengths / radius[pairs].min(axis=1)
    tree = csgraph.minimum_spanning_tree(_symmetric(pairs, weights, len(points))).tocoo()
    return np.stack([tree.row, tree.col], axis=1).astype(np.int64)


def _symmetric(
    pairs: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], count: int
) -> sparse.csr_matrix:
    both = np.concatenate([pairs, pairs[:, ::-1]])
    values = np.concatenate([weights, weights])
    return sparse.csr_matrix((values, (both[:, 0], both[:, 1])), shape=(count, count))


def _body(mask: Mask, geometry: Geometry, points: Points) -> npt.NDArray[np.int64]:
    """Which connected piece of the mask each point lies in, or next to."""
    box = box_of(mask, geometry)
    pieces, _ = ndimage.label(mask[box], structure=np.ones((3, 3, 3)))
    start = np.array([s.start for s in box])
    index = np.rint(geometry.to_index(points)).astype(int) - start
    place = np.clip(index, 0, np.array(pieces.shape) - 1)
    number: npt.NDArray[np.int64] = pieces[tuple(place.T)].astype(np.int64)
    lost = number == 0
    if lost.any():
        inside = np.argwhere(pieces > 0)
        near = cKDTree(geometry.to_lps(inside + start)).query(points[lost])[1]
        number[lost] = pieces[tuple(inside[near].T)]
    return number


def _opened(
    pairs: npt.NDArray[np.int64], forest: npt.NDArray[np.int64], points: Points
) -> npt.NDArray[np.int64]:
    """Edges ``(k, 2)`` that the forest left out although the way round through it is long."""
    count = len(points)
    ends = points[forest]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    graph = _symmetric(forest, lengths, count)
    left = _left_out(pairs, forest, count)
    starts, back = np.unique(left[:, 0], return_inverse=True)
    round_mm = np.empty(len(left))
    for first in range(0, len(starts), 64):
        some = starts[first : first + 64]
        away = csgraph.dijkstra(graph, indices=some, limit=_LOOP_MM)
        mine = (back >= first) & (back < first + len(some))
        round_mm[mine] = away[back[mine] - first, left[mine, 1]]
    opened: npt.NDArray[np.int64] = left[~np.isfinite(round_mm)]
    return opened


def _shortest(
    opened: npt.NDArray[np.int64], points: Points, degree: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """For each loop the edge ``(k, 2)`` that closes it best, from an end of a line where one is.

    A loop that was opened leaves a bunch of edges; bunches are told apart by where they are.
    """
    middles = points[opened].mean(axis=1).reshape(-1, 3)
    near = cKDTree(middles).query_pairs(_LOOP_MM / 2, output_type="ndarray") if len(middles) else []
    joined = _symmetric(np.reshape(near, (-1, 2)), np.ones(len(near)), len(middles))
    bunch = csgraph.connected_components(joined)[1]
    both = np.concatenate([opened, opened[:, ::-1]])
    length = np.linalg.norm(points[both[:, 0]] - points[both[:, 1]], axis=1)
    order = np.lexsort((length, degree[both[:, 0]] > 1, np.tile(bunch, 2)))
    first = np.unique(np.tile(bunch, 2)[order], return_index=True)[1]
    shortest: npt.NDArray[np.int64] = both[order[first]]
    return shortest


def _left_out(
    pairs: npt.NDArray[np.int64], forest: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    kept = np.sort(forest, axis=1)
    every = np.sort(pairs, axis=1)
    left: npt.NDArray[np.int64] = pairs[~np.isin(every @ (count, 1), kept @ (count, 1))]
    return left
