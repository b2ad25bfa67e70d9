"""Solid voxels thinned to lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import skeletonize

Mask = npt.NDArray[np.bool_]

_GROWN = ((1, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
_WIDE = 1.5
_STEPS = 3.0
_AROUND = 4


def thinned(depth: npt.NDArray[np.float32]) -> Mask:
    """Lines of voxels in the middle of what is solid, at least one voxel.

    After Lee 1994 (doi:10.1006/cgip.1994.1042). Where a straight piece is an even number of voxels
    wide, the thinning may eat it up lengthwise; such a piece is thinned again, grown by a voxel.

    Parameters
    ----------
    depth
        ``(slice, row, column)`` to the wall, positive inside, on cubes; any unit.
    """
    solid = depth > 0
    lines: Mask = skeletonize(solid) > 0
    wall = ndimage.distance_transform_edt(np.pad(solid, 1))[1:-1, 1:-1, 1:-1]
    for grown in _GROWN:
        lost = _lost(solid, lines, wall)
        if not lost.any():
            break
        for box in ndimage.find_objects(ndimage.label(lost, np.ones((3, 3, 3)))[0]):
            around = tuple(slice(max(s.start - _AROUND, 0), s.stop + _AROUND) for s in box)
            again = skeletonize(_grown(solid[around], grown)) > 0
            lines[around] |= again & lost[around]
    if not lines.any():
        lines[np.unravel_index(np.argmax(depth), depth.shape)] = True
    return lines


def _lost(solid: Mask, lines: Mask, wall: npt.NDArray[np.float64]) -> Mask:
    """What is farther from every line than the piece that the line runs in is wide."""
    if not lines.any():
        return solid
    away, nearest = ndimage.distance_transform_edt(~lines, return_indices=True)
    lost: Mask = solid & (away > _WIDE * wall[tuple(nearest)] + _STEPS)
    return lost


def _grown(solid: Mask, steps: tuple[int, ...]) -> Mask:
    """Voxels and those one step on along some axes."""
    grown = np.pad(solid, [(0, s) for s in steps])
    for axis, step in enumerate(steps):
        grown |= np.roll(grown, step, axis)
    kept: Mask = grown[tuple(slice(n) for n in solid.shape)]
    return kept
