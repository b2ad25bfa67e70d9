"""Where a voxel mask ends, below the size of a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.volume import Geometry

_SIGMA_SLICES = 2.0  # blur in units of the widest spacing: wide enough to see across a terrace
_SIGMA_MAX_MM = 4.0
_PAD_VOXELS = 4
_HELD = 1e-3
_CALIBRATION_STEPS = 30

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Boundary:
    """Sub-voxel surface of a mask.

    The mask is blurred by two slices, held on its own side at every voxel centre, and cut at the
    level at which the crossings between neighbouring inside and outside voxels lie half-way on
    average. So a smooth body is met within a fraction of a voxel, without shrinking, every inside
    centre stays inside, and even a single voxel has a surface.

    Attributes
    ----------
    points_mm
        ``(n, 3)`` LPS mm, one per pair of face neighbours of which one is inside.
    field
        ``(slice, row, column)`` float32 on `geometry`; positive inside, 0 on the surface.
    geometry
        The mask's box grown by a few voxels.
    """

    points_mm: Points
    field: npt.NDArray[np.float32]
    geometry: Geometry

    def inside(self, points_mm: Points) -> npt.NDArray[np.float32]:
        """The field at ``(n, 3)`` LPS points, trilinear; negative outside the box."""
        index = self.geometry.to_index(points_mm).T
        values: npt.NDArray[np.float32] = ndimage.map_coordinates(
            self.field, index, order=1, mode="constant", cval=-1.0
        )
        return values


def boundary_of(mask: npt.NDArray[np.bool_], geometry: Geometry) -> Boundary:
    """Sub-voxel surface of a mask that is not empty.

    Parameters
    ----------
    mask
        ``(slice, row, column)``; beyond its edge there is nothing.
    geometry
        Grid of the mask, of any affine.
    """
    hit = np.argwhere(mask)
    start, stop = hit.min(axis=0), hit.max(axis=0) + 1
    inner = mask[tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))]
    padded = np.pad(inner, _PAD_VOXELS)
    low = tuple(int(n) - _PAD_VOXELS for n in start)
    high = tuple(int(n) + _PAD_VOXELS for n in stop)
    window = geometry.window((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    spacing = np.asarray(geometry.spacing_mm)
    sigma = min(_SIGMA_SLICES * float(spacing.max()), _SIGMA_MAX_MM) / spacing
    blurred = ndimage.gaussian_filter(
        padded.astype(np.float32), sigma, mode="constant", truncate=3.0
    )
    field = _held(blurred - _level(blurred, padded), padded)
    points = window.to_lps(_crossings(field, padded))
    points.flags.writeable = False
    return Boundary(points_mm=points, field=field, geometry=window)


def _held(field: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Field kept on the side of the mask at every voxel centre."""
    least = np.float32(_HELD)
    held: npt.NDArray[np.float32] = np.where(
        mask, np.maximum(field, least), np.minimum(field, -least)
    )
    return held


def _level(blurred: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
    """Level at which crossings lie half-way between voxel centres on average."""
    inside, outside = _pair_values(blurred, mask)
    low, high = 0.0, 1.0
    for _ in range(_CALIBRATION_STEPS):
        level = (low + high) / 2
        share = (inside - level) / np.maximum(inside - outside, 1e-6)
        if np.clip(share, 0.0, 1.0).mean() > 0.5:
            low = level
        else:
            high = level
    return (low + high) / 2


def _pair_values(
    field: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    inside, outside = [], []
    for axis in range(3):
        first, second, differ = _neighbours(mask, axis)
        a, b = field[first][differ], field[second][differ]
        a_inside = mask[first][differ]
        inside.append(np.where(a_inside, a, b))
        outside.append(np.where(a_inside, b, a))
    return np.concatenate(inside), np.concatenate(outside)


def _neighbours(
    mask: npt.NDArray[np.bool_], axis: int
) -> tuple[tuple[slice, ...], tuple[slice, ...], npt.NDArray[np.bool_]]:
    first = tuple(slice(0, -1) if a == axis else slice(None) for a in range(3))
    second = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
    return first, second, mask[first] != mask[second]


def _crossings(field: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> Points:
    """Fractional indices ``(n, 3)`` at which the field changes sign along an array axis."""
    found = []
    for axis in range(3):
        first, second, differ = _neighbours(mask, axis)
        a = field[first][differ].astype(np.float64)
        b = field[second][differ].astype(np.float64)
        index = np.argwhere(differ).astype(np.float64)
        index[:, axis] += a / (a - b)
        found.append(index)
    return np.concatenate(found)
