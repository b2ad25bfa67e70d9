"""From a mask to the smoothest field whose signs are those of the mask.

Each voxel centre keeps its side, so that no vessel breaks, nothing merges, and the zero level stays
within half a voxel of the faces between voxels. Between these bounds the field has the least
curvature, which turns the stairs of slices and pixels into slopes (Lempitsky, Surface extraction
from binary volumes with higher-order smoothness, CVPR 2010, doi:10.1109/CVPR.2010.5539832).
"""

from __future__ import annotations

from itertools import product
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
_ITERATIONS = 40  # on the finest grid, twice as many on each coarser one
_LEVELS = 3
_LEAST_SIZE = 6  # voxels along an axis below which a coarser grid has nothing to say


def smooth_field(mask: Mask, spacing_mm: tuple[float, float, float]) -> Field:
    """Roughly the distance to the surface in voxels, positive inside, smoothed.

    Parameters
    ----------
    mask
        ``(slice, row, column)``, with at least three empty voxels around.
    spacing_mm
        Along ``(slice, row, column)``; curvature counts in millimetres, so that thick slices bend
        to the thin ones and not the other way round.
    """
    weights = (min(spacing_mm) / np.asarray(spacing_mm)) ** 2
    return keep_sides(_solve(_distance(mask), weights.astype(np.float32), 0), mask)


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


def _solve(distance: Field, weights: Field, level: int) -> Field:
    """Smooth on a grid twice as coarse first, because wide stairs are narrow there."""
    start = distance
    if level + 1 < _LEVELS and min(distance.shape) >= _LEAST_SIZE:
        half, two = np.float32(0.5), np.float32(2)
        coarse = _solve(distance[::2, ::2, ::2] * half, weights, level + 1)
        start = _finer(coarse * two, distance.shape)
    return _relax(start, distance, weights, level)


def _relax(start: Field, distance: Field, weights: Field, level: int) -> Field:
    """Least curvature around the surface, within the slack around the distance.

    Minimises the sum of squared Laplacians by projected gradient steps with momentum (FISTA, Beck
    and Teboulle 2009, doi:10.1137/080716542).
    """
    slack = np.float32(_SLACK / 2**level)
    field = np.clip(start, distance - slack, distance + slack)
    band = np.abs(distance) <= _BAND
    for axis in range(3):
        np.moveaxis(band, axis, 0)[[0, -1]] = False
    at = np.flatnonzero(band)
    if not len(at):
        return field
    laplacian, constant = _laplacian(at, field, weights)
    low, high = distance.ravel()[at] - slack, distance.ravel()[at] + slack
    step = 1 / np.square(4 * weights.sum())  # the squared Laplacian is nowhere steeper
    values = ahead = field.ravel()[at]
    momentum = 1.0
    for _ in range(_ITERATIONS * 2**level):
        slope = laplacian @ (laplacian @ ahead + constant)
        stepped = np.clip(ahead - step * slope, low, high)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = stepped + np.float32((momentum - 1) / faster) * (stepped - values)
        values, momentum = stepped, faster
    field.ravel()[at] = values
    return field


def _laplacian(
    at: npt.NDArray[np.int64], field: Field, weights: Field
) -> tuple[Any, npt.NDArray[np.float32]]:
    """Weighted sum of differences to the six neighbours: a matrix on the band and what is fixed.

    The band are the voxels ``at``; the others keep the value they have in ``field``.
    """
    rows = np.full(field.size, -1, dtype=np.int32)
    rows[at] = np.arange(len(at), dtype=np.int32)
    constant = np.zeros(len(at), dtype=np.float32)
    columns = np.empty((len(at), 7), dtype=np.int32)
    entries = np.empty((len(at), 7), dtype=np.float32)
    columns[:, 6], entries[:, 6] = rows[at], -2 * weights.sum()
    strides = (field.shape[1] * field.shape[2], field.shape[2], 1)
    for place, (axis, side) in enumerate(product(range(3), (-1, 1))):
        neighbours = at + side * strides[axis]
        columns[:, place], entries[:, place] = rows[neighbours], weights[axis]
        fixed = columns[:, place] < 0
        constant[fixed] += weights[axis] * field.ravel()[neighbours[fixed]]
        columns[fixed, place] = entries[fixed, place] = 0
    pointers = np.arange(0, 7 * len(at) + 1, 7)
    shape = (len(at), len(at))
    return sparse.csr_matrix((entries.ravel(), columns.ravel(), pointers), shape), constant


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
