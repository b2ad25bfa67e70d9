"""Surfaces as VTK knows them."""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkTriangleFilter

from surgplan.errors import UsageError
from surgplan.mesh._surface import Surface
from surgplan.volume import Segment


def to_polydata(surface: Surface) -> vtkPolyData:
    """The surface as ``vtkPolyData``: points (float64, LPS mm) and triangles, copied."""
    points = vtkPoints()
    points.SetData(numpy_to_vtk(surface.points, deep=True))
    corners = surface.triangles.astype(np.int64)
    cells = vtkCellArray()
    cells.SetData(3, numpy_to_vtkIdTypeArray(corners.ravel(), deep=True))
    mesh = vtkPolyData()
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    return mesh


def from_polydata(mesh: vtkPolyData, segment: Segment) -> Surface:
    """The surface of ``vtkPolyData`` in LPS mm; polygons are cut into triangles.

    Raises
    ------
    UsageError
        If it has no polygon, or one names a missing point.
    """
    named = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray())
    if len(named) and not 0 <= named.min() <= named.max() < mesh.GetNumberOfPoints():
        msg = f"polygons name points up to {named.max()} of {mesh.GetNumberOfPoints()}"
        raise UsageError(msg)  # VTK would read past the end
    triangulate = vtkTriangleFilter()
    triangulate.PassLinesOff()
    triangulate.PassVertsOff()
    triangulate.SetInputData(mesh)
    triangulate.Update()
    cut = triangulate.GetOutput()
    if not cut.GetNumberOfPolys():
        return Surface(points=np.empty((0, 3)), triangles=np.empty((0, 3), int), segment=segment)
    points = vtk_to_numpy(cut.GetPoints().GetData())
    corners = vtk_to_numpy(cut.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(points=points, triangles=corners, segment=segment)
