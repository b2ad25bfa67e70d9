"""From a mask to the smoothest field whose signs are those of the mask.

Each voxel centre keeps its side, so that no vessel breaks, nothing merges, and the zero level stays
within half a voxel of the faces between voxels. Between these bounds the field has the least
curvature, which turns the stairs of slices and pixels into slopes (Lempitsky, Surface extraction
from binary volumes with higher-order smoothness, CVPR 2010, doi:10.1109/CVPR.2010.5539832).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import sparse

Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

CLEARANCE = 0.02
"""Voxels that the zero level keeps from each voxel centre."""

_SLACK = 0.5  # voxels by which smoothing may move the field away from the distance to the faces
_BAND = 2.6  # voxels on both sides of the surface within which the field is smoothed
_ITERATIONS = 40
_LEVELS = 3
_LEAST_SIZE = 12  # voxels along an axis below which a coarser grid has nothing to say
_STEEPEST = np.float32(144)  # largest eigenvalue of the squared Laplacian


def smooth_field(mask: Mask) -> Field:
    """Roughly the distance to the surface in voxels, positive inside, smoothed.

    Parameters
    ----------
    mask
        ``(slice, row, column)``, with at least three empty voxels around.
    """
    distance = _distance(mask)
    return keep_sides(_solve(distance, _LEVELS), mask)


def keep_sides(field: Field, mask: Mask) -> Field:
    """The field with every voxel centre at least `CLEARANCE` on its own side."""
    least = np.float32(CLEARANCE)
    return np.where(mask, np.maximum(field, least), np.minimum(field, -least))


def _distance(mask: Mask) -> Field:
    """Voxels from each voxel centre to the faces between inside and outside."""
    image = sitk.GetImageFromArray(mask.view(np.uint8))
    to_rim = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=True, squaredDistance=False, useImageSpacing=False
    )
    # the filter measures to the outermost voxels inside, whose own distance is half a voxel
    distance: Field = sitk.GetArrayFromImage(to_rim)
    return distance + np.float32(0.5)


def _solve(distance: Field, levels: int) -> Field:
    """Smooth on a grid twice as coarse first, because wide stairs are narrow there."""
    start = distance
    if levels > 1 and min(distance.shape) >= _LEAST_SIZE:
        half, two = np.float32(0.5), np.float32(2)
        coarse = _solve(distance[::2, ::2, ::2] * half, levels - 1)
        start = _finer(coarse * two, distance.shape)
    slack = np.float32(_SLACK / 2 ** (_LEVELS - levels))
    return _relax(np.clip(start, distance - slack, distance + slack), distance, slack)


def _relax(start: Field, distance: Field, slack: np.float32) -> Field:
    """Least curvature around the surface, between ``distance - slack`` and ``distance + slack``.

    Minimises the sum of squared Laplacians by projected gradient steps with momentum (FISTA, Beck
    and Teboulle 2009, doi:10.1137/080716542).
    """
    band = np.abs(distance) <= _BAND
    for axis in range(3):
        np.moveaxis(band, axis, 0)[[0, -1]] = False
    if not band.any():
        return start
    at = np.flatnonzero(band)
    laplacian, constant = _laplacian(at, band, start)
    low, high = distance.ravel()[at] - slack, distance.ravel()[at] + slack
    values = start.ravel()[at]
    ahead, momentum = values, 1.0
    for _ in range(_ITERATIONS):
        slope = laplacian @ (laplacian @ ahead + constant)
        stepped = np.clip(ahead - slope / _STEEPEST, low, high)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = stepped + np.float32((momentum - 1) / faster) * (stepped - values)
        values, momentum = stepped, faster
    relaxed = start.copy()
    relaxed.ravel()[at] = values
    return relaxed


def _laplacian(
    at: npt.NDArray[np.int64], band: Mask, field: Field
) -> tuple[Any, npt.NDArray[np.float32]]:
    """Sum of the six neighbours minus six times the voxel: a matrix on the band and what is fixed.

    Voxels outside the band keep the value they have in ``field``.
    """
    rows = np.full(band.size, -1, dtype=np.int32)
    rows[at] = np.arange(len(at), dtype=np.int32)
    slices, columns = band.shape[1] * band.shape[2], band.shape[2]
    constant = np.zeros(len(at), dtype=np.float32)
    neighbours = np.empty((len(at), 7), dtype=np.int32)
    weights = np.ones((len(at), 7), dtype=np.float32)
    for place, step in enumerate((-slices, -columns, -1, 0, 1, columns, slices)):
        neighbours[:, place] = rows[at + step]
        fixed = neighbours[:, place] < 0
        constant[fixed] += field.ravel()[at[fixed] + step]
        weights[fixed, place] = 0
        neighbours[fixed, place] = 0
    weights[:, 3] = -6
    pointers = np.arange(0, 7 * len(at) + 1, 7)
    shape = (len(at), len(at))
    return sparse.csr_matrix((weights.ravel(), neighbours.ravel(), pointers), shape), constant


def _finer(coarse: Field, shape: tuple[int, ...]) -> Field:
    """The field between the voxels of a grid half as fine, linearly."""
    field = coarse
    for axis, size in enumerate(shape):
        place = np.minimum(np.arange(size) / 2, field.shape[axis] - 1)
        before = place.astype(np.intp)
        after = np.minimum(before + 1, field.shape[axis] - 1)
        weight = (place - before).astype(np.float32)
        weight = weight.reshape([size if a == axis else 1 for a in range(3)])
        field = field.take(before, axis) * (1 - weight) + field.take(after, axis) * weight
    return field
