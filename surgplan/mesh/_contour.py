"""Level surfaces of a field on a voxel grid, in index space."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from surgplan.mesh._field import keep_sides

Points = npt.NDArray[np.float64]
Triangles = npt.NDArray[np.int32]

_TOLERANCE = 1e-3  # share of the volume
_MOST_TRIES = 12
_FARTHEST = 0.9  # voxels; past it every voxel centre would be at its limit


def contour_at_volume(
    field: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_], voxels: float
) -> tuple[Points, Triangles]:
    """The level surface that encloses a wanted volume and leaves each voxel centre on its side.

    Parameters
    ----------
    field
        ``(slice, row, column)``, positive in the mask, negative outside.
    mask
        Which voxel centres lie inside.
    voxels
        Wanted volume, in voxels.

    Returns
    -------
    points, triangles
        ``(n, 3)`` array index (slice, row, column), and ``(m, 3)``; closed. As near to the wanted
        volume as the voxel centres allow.
    """
    low, high, level = -_FARTHEST, _FARTHEST, 0.0
    before: tuple[float, float] | None = None
    for _ in range(_MOST_TRIES):
        points, triangles = _contour(keep_sides(field + np.float32(level), mask))
        missing = voxels - abs(enclosed(points, triangles))
        if abs(missing) <= _TOLERANCE * voxels:
            break
        low, high = (level, high) if missing > 0 else (low, level)
        gain = len(points) if before is None else (before[1] - missing) / (level - before[0])
        before = (level, missing)
        level += missing / gain if gain > 0 else 0.0
        if not low < level < high:
            level = (low + high) / 2
    return points, triangles


def enclosed(points: Points, triangles: Triangles) -> float:
    """Signed volume by the divergence theorem, in the cube of the unit of the points."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def _contour(field: npt.NDArray[np.float32]) -> tuple[Points, Triangles]:
    image = vtkImageData()
    image.SetDimensions(*field.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(field.ravel()))
    edges: Any = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    mesh = edges.GetOutput()
    points = vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64)[:, ::-1]
    corners = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray())
    return points, corners.reshape(-1, 3).astype(np.int32)
