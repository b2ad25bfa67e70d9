"""Fewer triangles without a hole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fast_simplification
import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkFiltersCore import vtkDecimatePro, vtkQuadricDecimation

from surgplan.errors import UsageError
from surgplan.mesh._polydata import to_polydata
from surgplan.mesh._surface import Surface

LEAST_TRIANGLES = 4
"""A tetrahedron."""

_Mesh = tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]
_ENOUGH = 1.05  # share of the wanted number that still counts as reached
_SAME_VOLUME = 1e-4


def simplify(surface: Surface, triangles: int) -> Surface:
    """The surface with about as many triangles as asked, closed if it was, of the same volume.

    Quadric decimation (Garland and Heckbert 1997, doi:10.1145/258734.258849), then a push along the
    normals that gives back the volume. The result is checked; where decimation would tear the
    surface, other decimators are tried, and the closed result with the fewest triangles is
    returned, in the worst case the surface as it is.

    Parameters
    ----------
    surface
        Any surface.
    triangles
        Wanted number; a surface that has no more comes back unchanged.

    Raises
    ------
    UsageError
        If ``triangles`` is less than 4.
    """
    if triangles < LEAST_TRIANGLES:
        msg = f"`triangles` must be at least {LEAST_TRIANGLES}, a tetrahedron, got {triangles}"
        raise UsageError(msg)
    best = surface
    if len(surface.triangles) <= triangles:
        return best
    for points, corners in _attempts(surface, triangles):
        if not LEAST_TRIANGLES <= len(corners) < len(best.triangles):
            continue
        simpler = _restore_volume(replace(surface, points=points, triangles=corners), surface)
        if simpler is None:
            continue
        best = simpler
        if len(best.triangles) <= triangles * _ENOUGH:
            break
    return best


def _attempts(surface: Surface, triangles: int) -> Iterator[_Mesh]:
    """Decimators, the best first; each works only when it is asked for."""
    points, corners = surface.points.copy(), surface.triangles.copy()  # it takes no read-only ones
    for haste in (3.0, 7.0):  # slower is nearer to the surface, but may stop too early
        yield fast_simplification.simplify(points, corners, target_count=triangles, agg=haste)
    reduction = 1 - triangles / len(corners)
    quadric: Any = vtkQuadricDecimation()
    quadric.VolumePreservationOn()
    yield _decimated(quadric, surface, reduction)
    careful: Any = vtkDecimatePro()
    careful.PreserveTopologyOn()
    careful.SplittingOff()
    yield _decimated(careful, surface, reduction)


def _decimated(decimator: Any, surface: Surface, reduction: float) -> _Mesh:
    decimator.SetInputData(to_polydata(surface))
    decimator.SetTargetReduction(reduction)
    decimator.Update()
    mesh = decimator.GetOutput()
    corners = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64), corners.astype(np.int32)


def _restore_volume(simpler: Surface, surface: Surface) -> Surface | None:
    """Pushed along the normals to the volume it had; None if decimation tore it."""
    if not surface.is_closed:
        return simpler
    if not simpler.is_closed:
        return None
    for _ in range(3):
        missing_mm3 = (surface.volume_ml - simpler.volume_ml) * 1000
        if abs(missing_mm3) <= _SAME_VOLUME * abs(surface.volume_ml) * 1000:
            break
        push_mm = missing_mm3 / simpler.area_mm2
        simpler = replace(simpler, points=simpler.points + push_mm * simpler.normals)
    return simpler
