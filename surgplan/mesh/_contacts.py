"""Masks whose surface cannot touch itself.

Two voxels that share only an edge or a corner make a surface that passes through one line or point
twice. Without such contacts a mask is well-composed (Latecki, 3D well-composed pictures, 1997,
doi:10.1006/gmip.1997.0422) and every iso-surface with its signs is a manifold.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

_CORNERS = tuple(product((0, 1), repeat=3))  # bit i of a cell's code is its corner i
_BITS = np.arange(8)


def bridge_contacts(mask: Mask) -> Mask:
    """Add voxels until the mask touches itself across faces only.

    Of the voxels that would do, the one with most neighbours in the mask is added. What touches
    becomes one piece; nothing is taken away.

    Parameters
    ----------
    mask
        ``(slice, row, column)``; its outermost voxels must be empty.
    """
    bridged = mask.copy()
    while len(cells := np.argwhere(_CANDIDATES[_codes(bridged)] > 0)):
        candidates = _CANDIDATES[_codes_at(bridged, cells)]
        corners = cells[:, None, :] + np.array(_CORNERS)
        crowd = np.where(candidates[:, None] >> _BITS & 1, _neighbours(bridged, corners), -1)
        chosen = corners[np.arange(len(cells)), np.argmax(crowd, axis=1)]
        bridged[tuple(chosen.T)] = True
    return bridged


def _codes(mask: Mask) -> npt.NDArray[np.uint8]:
    """Which of their eight corners lie in the mask, for all cells of 2 x 2 x 2 voxels."""
    size = tuple(n - 1 for n in mask.shape)
    codes = np.zeros(size, dtype=np.uint8)
    for bit, offset in enumerate(_CORNERS):
        part = mask[tuple(slice(o, o + n) for o, n in zip(offset, size, strict=True))]
        codes |= part.view(np.uint8) << np.uint8(bit)
    return codes


def _codes_at(mask: Mask, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    corners = cells[:, None, :] + np.array(_CORNERS)
    inside = mask[tuple(np.moveaxis(corners, -1, 0))]
    return np.packbits(inside, axis=1, bitorder="little")[:, 0]


def _neighbours(mask: Mask, voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Voxels of the mask among the 27 around each, zero beyond the edge of the grid."""
    count = np.zeros(voxels.shape[:-1], dtype=np.int64)
    for offset in product((-1, 0, 1), repeat=3):
        at = np.clip(voxels + offset, 0, np.array(mask.shape) - 1)
        count += mask[tuple(np.moveaxis(at, -1, 0))]
    return count


def _bridges(code: int) -> int:
    """Corners that could end a contact in a cell, as bits; 0 where the cell has none."""
    inside = [bool(code >> bit & 1) for bit in range(8)]
    found = 0
    for axis, side in product(range(3), (0, 1)):
        face = [i for i, corner in enumerate(_CORNERS) if corner[axis] == side]
        a, b, c, d = (inside[i] for i in face)  # a and d are diagonal, so are b and c
        if a == d and b == c and a != b:
            found |= sum(1 << i for i in face if not inside[i])
    for i in range(4):  # corner 7 - i is the farthest from corner i
        pair = inside[i] and inside[7 - i]
        hole = not inside[i] and not inside[7 - i]
        if (pair and sum(inside) == 2) or (hole and sum(inside) == 6):
            found |= sum(1 << j for j in range(8) if not inside[j])
    return found


_CANDIDATES = np.array([_bridges(code) for code in range(256)], dtype=np.uint8)
