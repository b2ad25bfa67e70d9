"""Solid voxels thinned to lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

Mask = npt.NDArray[np.bool_]

_GROWN = ((1, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
_WIDE = 1.5
_STEPS = 3.0
_LONG = 4
_AROUND = 6
_CUBE = np.ones((3, 3, 3), dtype=bool)


def thinned(depth: npt.NDArray[np.float32], step: float) -> Mask:
    """Lines of voxels in the middle of what is solid, at least one voxel.

    After Lee 1994 (doi:10.1006/cgip.1994.1042). Where a straight piece is an even number of voxels
    wide, the thinning may eat it up lengthwise; such a piece is thinned again, grown by a voxel.

    Parameters
    ----------
    depth
        ``(slice, row, column)`` to the wall, positive inside, on cubes.
    step
        Edge of a cube, in the unit of the depth.
    """
    solid = depth > 0
    lines: Mask = skeletonize(solid) > 0
    pieces, count = ndimage.label(_lost(depth / step, solid, lines), _CUBE)
    for number, box in enumerate(ndimage.find_objects(pieces, count), start=1):
        if max(s.stop - s.start for s in box) < _LONG:
            continue
        around = tuple(slice(max(s.start - _AROUND, 0), s.stop + _AROUND) for s in box)
        near = ndimage.binary_dilation(pieces[around] == number, _CUBE)
        tried = [skeletonize(_grown(solid[around], grown)) > 0 for grown in _GROWN]
        lines[around] |= near & max(tried, key=lambda again: int((near & again).sum()))
    if not lines.any():
        lines[np.unravel_index(np.argmax(depth), depth.shape)] = True
    return lines


def _lost(depth: npt.NDArray[np.float32], solid: Mask, lines: Mask) -> Mask:
    """The deepest voxels of pieces that are farther from every line than it is from the wall."""
    lost: Mask = solid & (depth >= ndimage.maximum_filter(depth, 3))
    if lines.any():
        ridge, line = np.argwhere(lost), np.argwhere(lines)
        away, nearest = cKDTree(line).query(ridge)
        wall = np.maximum(depth[tuple(line[nearest].T)], 1.0)
        lost[tuple(ridge[away <= _WIDE * wall + _STEPS].T)] = False
    return lost


def _grown(solid: Mask, steps: tuple[int, ...]) -> Mask:
    """Voxels and those one step on along some axes."""
    grown = np.pad(solid, [(0, s) for s in steps])
    for axis, step in enumerate(steps):
        grown |= np.roll(grown, step, axis)
    kept: Mask = grown[tuple(slice(n) for n in solid.shape)]
    return kept
