"""Lines for what thinning has left without one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from surgplan.planning._lines import Lines, Places, Values

_WIDE, _SLACK_MM = 1.5, 2.0
"""Voxels farther from every line than so many of its radii, and so many mm, have none."""

_CORNER = 1.5
"""So many radii from its middle an end of a vessel has its corners: a line stays in the middle."""

_ROUNDS = 20
_CUBE = np.ones((3, 3, 3), dtype=bool)


def covered(lines: Lines, depth: npt.NDArray[np.float32], step_mm: float) -> Lines:
    """Lines with others added, so that no part of what is solid is far from one.

    Thinning may eat a line up lengthwise: above all along a thin vessel that lies level between
    thick slices. From the farthest voxel of each piece without a line, one is laid along the
    middle to the nearest line, again and again until no piece is left; no loop is closed.

    Parameters
    ----------
    lines
        In the middle of what is solid.
    depth
        ``(slice, row, column)`` to the wall in mm, positive inside, on cubes.
    step_mm
        Edge of a cube.
    """
    place = np.full(depth.shape, -1, dtype=np.int32)
    place[tuple(lines.index.T)] = np.arange(len(lines.index))
    bare = np.argwhere(depth > 0)
    beyond = _beyond(bare, lines.index, lines.radius_mm, step_mm)
    bare, beyond = bare[beyond > 0], beyond[beyond > 0]
    for _ in range(_ROUNDS):
        laid, wide = [np.zeros((0, 3), dtype=np.int64)], [np.zeros(0)]
        for tip in _farthest(bare, beyond):
            way, foot = _way(depth, bare[tip], place)
            if not len(way):  # cut off from every line, or a way laid just now leads through it
                continue
            own = np.maximum(depth[tuple(way.T)].astype(np.float64), step_mm / 2)
            apart = step_mm * np.linalg.norm(way[:, None] - way, axis=-1)
            wide.append(np.where(apart <= own + step_mm, own, 0.0).max(axis=1))
            laid.append(way)
            kept = way[np.flatnonzero(apart[0] <= _CORNER * own + step_mm)[-1] :]
            added = len(lines.index) + np.arange(len(kept))
            place[tuple(kept.T)] = added
            chain = np.append(added, foot)
            lines = lines.with_more(
                kept,
                wide[-1][len(way) - len(kept) :],
                np.stack([chain[:-1], chain[1:]], axis=1),
            )
        if len(laid) == 1:
            break
        beyond = _beyond(bare, np.concatenate(laid), np.concatenate(wide), step_mm, beyond)
        bare, beyond = bare[beyond > 0], beyond[beyond > 0]
    return lines


def _beyond(
    voxels: Places, middles: Places, radius_mm: Values, step_mm: float, known: Values | None = None
) -> Values:
    """How much too far from every line voxels lie, mm; negative where one is near enough."""
    away, near = cKDTree(middles).query(voxels)
    beyond: Values = step_mm * away - _WIDE * radius_mm[near] - _SLACK_MM
    return beyond if known is None else np.minimum(beyond, known)


def _farthest(voxels: Places, beyond: Values) -> Places:
    """Of each piece of touching voxels the one that lies farthest beyond; by place."""
    if not len(voxels):
        return np.zeros(0, dtype=np.int64)
    low = voxels.min(axis=0)
    field = np.zeros(voxels.max(axis=0) - low + 1, dtype=bool)
    field[tuple((voxels - low).T)] = True
    pieces, _ = ndimage.label(field, _CUBE)
    number = pieces[tuple((voxels - low).T)]
    order = np.lexsort((-beyond, number))
    farthest: Places = order[np.unique(number[order], return_index=True)[1]]
    return farthest


def _way(
    depth: npt.NDArray[np.float32], tip: Places, place: npt.NDArray[np.int32]
) -> tuple[Places, int]:
    """Voxels from a tip along the middle up to the first line, and its place; -1 without one."""
    reach = 8
    while True:
        low = np.maximum(tip - reach, 0)
        near = tuple(slice(a, b) for a, b in zip(low, tip + reach + 1, strict=True))
        lines = np.argwhere(place[near] >= 0)
        if len(lines):
            open_to = (depth[near] > 0) | (place[near] >= 0)
            ways = MCP_Geometric(np.where(open_to, 1 / np.maximum(depth[near], 0.2), -1.0))
            costs = ways.find_costs([tip - low], lines, find_all_ends=False)[0][tuple(lines.T)]
            if np.isfinite(costs.min()):
                way = np.array(ways.traceback(lines[int(np.argmin(costs))]), dtype=np.int64) + low
                return way[:-1], int(place[tuple(way[-1])])
        if (low == 0).all() and (tip + reach + 1 >= depth.shape).all():
            return np.zeros((0, 3), dtype=np.int64), -1
        reach *= 2
