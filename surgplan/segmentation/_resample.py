"""A scan on a parallel grid without ever holding a second whole scan in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from surgplan.segmentation._native import interpolation, places
from surgplan.volume import Geometry, Volume

SLAB_VOXELS = 8_000_000
"""Of the scan, resampled at a time; about 100 MB while it lasts."""
REACH = 4.0  # sigmas of the blur


def resample_in_slabs(volume: Volume, grid: Geometry) -> npt.NDArray[np.float32]:
    """Voxels ``(slice, row, column)`` as `volume.resample_to` makes them, axis by axis.

    Blur and linear interpolation along an axis are one matrix, so that nothing is computed that
    the grid does not ask for.

    Parameters
    ----------
    volume
        On any regular grid.
    grid
        Its array axes are parallel to those of the scan and point the same way.
    """
    slices, rows, columns = (
        linear @ _blur(n, fine / own)
        for linear, n, own, fine in zip(
            interpolation(volume.geometry, grid),
            volume.geometry.shape,
            volume.geometry.spacing_mm,
            grid.spacing_mm,
            strict=True,
        )
    )
    result = torch.zeros((grid.shape[0], grid.shape[1] * grid.shape[2]))
    step = max(1, SLAB_VOXELS // int(np.prod(volume.geometry.shape[1:])))
    for start in range(0, volume.geometry.shape[0], step):
        slab = torch.from_numpy(volume.array[start : start + step].astype(np.float32))
        planes = torch.matmul(rows, torch.matmul(slab, columns.T))
        result += slices[:, start : start + step] @ planes.flatten(1)
    voxels: npt.NDArray[np.float32] = result.numpy().reshape(grid.shape)
    for axis, at in enumerate(places(volume.geometry, grid)):
        beyond = (at < -0.5) | (at > volume.geometry.shape[axis] - 0.5)
        np.moveaxis(voxels, axis, 0)[beyond] = volume.background
    return voxels


def _blur(count: int, factor: float) -> torch.Tensor:
    """Gaussian blur along an axis as a matrix, of half the missing resolution; ends repeat."""
    sigma = 0.5 * np.sqrt(max(0.0, factor**2 - 1))
    if factor <= 1.01 or count <= 4:
        return torch.eye(count)
    reach = int(np.ceil(REACH * sigma))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    at = np.arange(count)[:, None]
    matrix = np.zeros((count, count))
    np.add.at(matrix, (at, np.clip(at + offsets, 0, count - 1)), weights / weights.sum())
    return torch.from_numpy(matrix.astype(np.float32))
