"""A second opinion on margins, by distance transform alone."""

from __future__ import annotations

import numpy as np

from surgplan.planning._boundary import Points
from surgplan.planning._corridor import in_liver
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection, takes
from surgplan.volume import Geometry, distance_outside_mm


def must_go(prepared: PreparedLiver, margin_mm: float) -> Points:
    """Centres ``(n, 3)`` of the liver's voxels within a margin of the centre of a tumour's voxel.

    By Euclidean distance transform of each tumour's voxels, which shares nothing with the
    boundaries and fields that resections are made of.
    """
    found = [np.zeros((0, 3))]
    grid = prepared.label_map.geometry
    for shape in prepared.tumours:
        index = np.round(grid.to_index(shape.voxels_mm)).astype(int)
        pad = np.ceil(margin_mm / np.asarray(grid.spacing_mm)).astype(int) + 1
        low, high = index.min(axis=0) - pad, index.max(axis=0) + pad + 1
        mask = np.zeros(high - low, dtype=bool)
        i, j, k = (index - low).T
        mask[i, j, k] = True
        window: Geometry = grid.window(
            (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))
        )
        near = window.to_lps(np.argwhere(distance_outside_mm(mask, window) <= margin_mm))
        found.append(near[in_liver(prepared, near)])
    return np.concatenate(found)


def clears(resection: Resection, points_mm: Points) -> bool:
    """Whether every point lies on the resected side."""
    return bool(takes(resection, points_mm).all())
