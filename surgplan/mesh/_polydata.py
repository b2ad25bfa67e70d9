"""Surfaces as VTK knows them; inside this room only."""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

from surgplan.mesh._surface import Surface


def to_polydata(surface: Surface) -> vtkPolyData:
    """Points (float64) and triangles, copied."""
    points = vtkPoints()
    points.SetData(numpy_to_vtk(surface.points, deep=True))
    corners = surface.triangles.astype(np.int64)
    cells = vtkCellArray()
    cells.SetData(3, numpy_to_vtkIdTypeArray(corners.ravel(), deep=True))
    mesh = vtkPolyData()
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    return mesh
