"""On which side of a territory's boundary the voxels of a liver lie, by the vessel next to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import Blocks
from surgplan.planning._nearest import nearest_nodes
from surgplan.planning._territory_resection import TerritoryResection

Mask = npt.NDArray[np.bool_]

_OURS, _THEIRS = 1, 2


def owned_by(resection: TerritoryResection, blocks: Blocks) -> tuple[Mask, Mask]:
    """Which voxels belong to a territory, and which may be divided by its boundary.

    Returns
    -------
    resected, divided
        ``(blocks, voxels per block)``; divided are those with tissue that touch a voxel of the
        other side across a face, an edge or a corner.
    """
    nodes, nearest = nearest_nodes(resection.tree, blocks)
    taken = np.isin(nodes.branch, list(resection.taken))
    resected: Mask = taken[nearest]
    shape = np.asarray(blocks.geometry.shape)
    steps = np.array([shape[1] * shape[2], shape[2], 1])
    place = (blocks.first @ steps)[:, None] + blocks.offsets @ steps
    sides = np.zeros(int(shape.prod()), dtype=np.uint8)
    sides[place] = np.where(resected, np.uint8(_OURS), np.uint8(_THEIRS))
    around = sides.reshape(tuple(shape))
    for axis in range(3):
        spread = around.copy()
        low = tuple(slice(0, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        spread[low] |= around[high]
        spread[high] |= around[low]
        around = spread
    divided: Mask = (around.ravel()[place] == _OURS | _THEIRS) & (blocks.tissue > 0)
    return resected, divided
