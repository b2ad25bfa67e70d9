"""A scan on a coarser grid without ever holding a second whole scan in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surgplan.volume import Geometry, Volume, crop, resample_to

SLAB_VOXELS = 24_000_000
"""Of the scan, resampled at a time; about 400 MB while it lasts."""


def resample_in_slabs(volume: Volume, grid: Geometry) -> npt.NDArray[np.float32]:
    """Voxels ``(slice, row, column)`` of `volume.resample_to`, made slab by slab.

    Parameters
    ----------
    volume
        On any regular grid.
    grid
        Its array axes are parallel to those of the scan and point the same way.
    """
    result = np.empty(grid.shape, dtype=np.float32)
    plane = int(np.prod(_around(volume, grid, 0, 1)[1]))
    per_slice = max(1.0, grid.spacing_mm[0] / volume.geometry.spacing_mm[0])
    step = max(1, int(SLAB_VOXELS / (plane * per_slice)))
    for start in range(0, grid.shape[0], step):
        stop = min(start + step, grid.shape[0])
        near, _ = _around(volume, grid, start, stop)
        window = grid.window((start, 0, 0), (stop, *grid.shape[1:]))
        result[start:stop] = resample_to(crop(volume, near), window).array
    return result


def _around(
    volume: Volume, grid: Geometry, start: int, stop: int
) -> tuple[tuple[slice, slice, slice], tuple[int, int]]:
    """The box of the scan that some slices of the grid are made of, and the size of its planes."""
    corners = [(start, 0, 0), (stop - 1, grid.shape[1] - 1, grid.shape[2] - 1)]
    low, high = volume.geometry.to_index(grid.to_lps(corners))
    ratio = np.array(grid.spacing_mm) / volume.geometry.spacing_mm
    halo = 4 * np.maximum(ratio, 1) + 4  # eight sigmas of the blur against aliasing
    shape = np.array(volume.geometry.shape)
    first = np.clip(np.floor(low - halo), 0, shape - 1).astype(int)
    last = np.clip(np.ceil(high + halo) + 1, first + 1, shape).astype(int)
    slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return (slices, rows, columns), (rows.stop - rows.start, columns.stop - columns.start)
