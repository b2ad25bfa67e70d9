"""One array seen along the axes of another grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.volume import Geometry


def seen_as(array: npt.NDArray[Any], own: Geometry, other: Geometry) -> npt.NDArray[Any]:
    """A view of an array with the axes of another grid of the same voxels.

    Parameters
    ----------
    array
        On the grid ``own``.
    own, other
        Grids that `surgplan.volume.reorient` turns into each other.
    """
    turn = np.rint(np.linalg.solve(own.affine[:3, :3], other.affine[:3, :3])).astype(int)
    order = np.abs(turn).argmax(axis=0)
    steps = tuple(slice(None, None, int(turn[axis, n])) for n, axis in enumerate(order))
    return array.transpose(order)[steps]
