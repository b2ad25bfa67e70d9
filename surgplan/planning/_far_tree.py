"""Search among points that others are far from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

_LEAF = 32


def far_tree(points: npt.NDArray[np.float64]) -> cKDTree:
    """A search tree over ``(n, d)`` points of a surface or a line.

    Laid out in the middle of space, not of the points, it is built in half the time, and what is
    far from a dense surface finds its nearest point several times quicker.
    """
    return cKDTree(points, leafsize=_LEAF, balanced_tree=False, compact_nodes=False)
