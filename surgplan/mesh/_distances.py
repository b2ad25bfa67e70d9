"""How far two surfaces lie apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkDoubleArray
from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

from surgplan.mesh._polydata import to_polydata
from surgplan.mesh._surface import Surface


@dataclass(frozen=True, kw_only=True)
class SurfaceDistances:
    """Distances from the points of each of two surfaces to the other, both ways together.

    Attributes
    ----------
    mean_mm
        Mean of the mean of either way.
    p95_mm
        The larger 95th percentile of the two ways.
    max_mm
        The largest of all (Hausdorff distance over the points).
    """

    mean_mm: float
    p95_mm: float
    max_mm: float


def distances_mm(a: Surface, b: Surface) -> SurfaceDistances:
    """Distances from the points of each surface to the nearest point on a triangle of the other.

    Symmetric in its arguments. The points stand for the surface, so a coarse surface says less
    than a fine one.
    """
    there, back = points_to_surface_mm(a.points, b), points_to_surface_mm(b.points, a)
    return SurfaceDistances(
        mean_mm=float(there.mean() + back.mean()) / 2,
        p95_mm=float(max(np.percentile(there, 95), np.percentile(back, 95))),
        max_mm=float(max(there.max(), back.max())),
    )


def points_to_surface_mm(
    points_mm: npt.NDArray[np.float64], surface: Surface
) -> npt.NDArray[np.float64]:
    """``(n,)`` unsigned distances from LPS points ``(n, 3)`` to the nearest triangle."""
    nearest = vtkImplicitPolyDataDistance()
    nearest.SetInput(to_polydata(surface))
    signed = vtkDoubleArray()
    nearest.FunctionValue(numpy_to_vtk(np.ascontiguousarray(points_mm)), signed)
    distances: npt.NDArray[np.float64] = np.abs(vtk_to_numpy(signed))
    return distances
