"""The nearest of many points for every voxel around the liver."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.planning._blocks import Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._tree_nodes import TreeNodes
from surgplan.planning._vessel_tree import VesselTree

_ROUNDING_MM = 1e-6


@lru_cache(maxsize=4)
def nearest_nodes(tree: VesselTree, blocks: Blocks) -> tuple[TreeNodes, npt.NDArray[np.int32]]:
    """The nodes of a tree, and which is nearest to each voxel; once for a tree and a liver."""
    nodes = TreeNodes.of(tree)
    nearest = nearest_of_voxels(nodes.points_mm, blocks)
    nearest.flags.writeable = False
    return nodes, nearest


def nearest_of_voxels(points_mm: Points, blocks: Blocks) -> npt.NDArray[np.int32]:
    """Which of some points ``(n, 3)`` LPS is nearest to each voxel of the blocks of a liver.

    Returns
    -------
    nearest
        ``(blocks, voxels per block)``, in the order of `Blocks`.

    Notes
    -----
    Points are first left out by what is certain about a block as a whole: those that are farther
    from its box than another one is from all of the box. Only the few others are compared.
    """
    nearest = np.empty(blocks.tissue.shape, dtype=np.int32)
    steps = blocks.geometry.affine[:3, :3]
    offsets = (blocks.offsets - blocks.offsets.max(axis=0) / 2) @ steps.T
    terms = np.column_stack([-2 * offsets, np.ones(len(offsets))])
    chosen, stops = _candidates(points_mm, blocks.centre_mm, np.abs(offsets).max(axis=0))
    start = 0
    for row, stop in enumerate(stops.tolist()):
        few = chosen[start:stop]
        away = points_mm[few] - blocks.centre_mm[row]
        size = np.einsum("ij,ij->i", away, away)
        # |offset - away|^2, less |offset|^2, which is the same for all of them
        nearest[row] = few[(terms @ np.vstack([away.T, size])).argmin(axis=1)]
        start = stop
    return nearest


def _candidates(
    points_mm: Points, middle_mm: Points, half_mm: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Points that may be nearest somewhere in boxes around middles, and where each box's end."""
    tree = cKDTree(points_mm)
    reach = tree.query(middle_mm)[0] + 2 * float(np.linalg.norm(half_mm)) + _ROUNDING_MM
    found = tree.query_ball_point(middle_mm, reach, return_sorted=True)
    count = np.array([len(f) for f in found], dtype=np.int64)
    point = np.concatenate([np.zeros(0, dtype=np.int64), *found])
    box = np.repeat(np.arange(len(found)), count)
    away = np.abs(points_mm[point] - middle_mm[box])
    most = ((away + half_mm) ** 2).sum(axis=1)
    least = (np.maximum(away - half_mm, 0.0) ** 2).sum(axis=1)
    bound = np.full(len(found), np.inf)
    np.minimum.at(bound, box, most)
    kept = least <= bound[box] + _ROUNDING_MM
    return point[kept], np.cumsum(np.bincount(box[kept], minlength=len(found)))
