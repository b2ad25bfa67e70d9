"""A resection as something to look at: which part of a surface it takes, and the cut itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import marching_cubes

from surgplan.volume import Geometry

SHEET_SPACING_MM = 2.5
"""Fine enough for a picture, where each triangle is split in four; nothing is measured on it."""

_EDGE_BLUR_MM = 1.0
_BLOCK = 4
_SLACK_MM = 2.0
_PROBES = 200

Distance = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


class LiverInside:
    """How far inside the liver points lie: positive inside, negative outside, 0 on its surface.

    The values are those of the blurred mask (-0.5 to 0.5), made for cutting surfaces in pictures.
    """

    def __init__(self, liver: npt.NDArray[np.bool_], geometry: Geometry) -> None:
        sigma = _EDGE_BLUR_MM / np.asarray(geometry.spacing_mm)
        self._soft = ndimage.gaussian_filter(liver.astype(np.float32), sigma)
        self._geometry = geometry

    def __call__(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Values at ``(n, 3)`` LPS points, ``(n,)``."""
        index = self._geometry.to_index(points_mm).T
        values: npt.NDArray[np.float64] = ndimage.map_coordinates(
            self._soft, index, order=1, output=np.float64
        )
        return values - 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """The cut as triangles, reaching a little beyond the liver.

    Attributes
    ----------
    points, triangles
        ``(n, 3)`` LPS mm and ``(m, 3)``.
    inside
        ``(n,)`` values of `LiverInside`.
    towards_resected
        LPS vector: mean direction in which the resected part lies; zero for a closed cut.
    """

    points: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.integer]
    inside: npt.NDArray[np.float64]
    towards_resected: npt.NDArray[np.float64]


def cut_sheet(
    distance_mm: Distance, inside: LiverInside, liver_points_mm: npt.NDArray[np.float64]
) -> Sheet | None:
    """The surface of zero distance around a liver; None where the resection does not reach it.

    Parameters
    ----------
    distance_mm
        Signed distance of ``(n, 3)`` LPS points, negative on the resected side.
    inside
        See `LiverInside`.
    liver_points_mm
        ``(n, 3)`` LPS points of the liver's surface, for the box to search.
    """
    low = liver_points_mm.min(axis=0) - 2 * SHEET_SPACING_MM
    high = liver_points_mm.max(axis=0) + 2 * SHEET_SPACING_MM
    axes = [np.arange(a, b, SHEET_SPACING_MM) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = _distances(distance_mm, grid)
    if not values.min() < 0 < values.max():
        return None
    vertices, triangles, _, _ = marching_cubes(values, 0.0, spacing=(SHEET_SPACING_MM,) * 3)
    points = vertices.astype(np.float64) + low
    near = triangles[(inside(points)[triangles] > -0.5).any(axis=1)]
    if len(near) == 0:
        return None
    points, near = _refined(points, near)
    return Sheet(
        points=points,
        triangles=near,
        inside=inside(points),
        towards_resected=_towards_resected(points, near, distance_mm),
    )


def _refined(
    points: npt.NDArray[np.float64], triangles: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.integer]]:
    """Every triangle split in four at the middles of its edges."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, which = np.unique(edges, axis=0, return_inverse=True)
    middles = points[unique].mean(axis=1)
    a, b, c = triangles.T
    ab, bc, ca = (which.reshape(-1, 3) + len(points)).T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([points, middles]), np.concatenate([np.column_stack(p) for p in parts])


def _distances(distance_mm: Distance, grid: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distances on a grid, exact near 0; whole blocks far from it take that of their first point.

    Distances change by at most about a millimetre per millimetre, so signs stay right.
    """
    coarse = grid[::_BLOCK, ::_BLOCK, ::_BLOCK]
    values = distance_mm(coarse.reshape(-1, 3)).reshape(coarse.shape[:3])
    for axis, count in enumerate(grid.shape[:3]):
        values = np.take(values, np.arange(count) // _BLOCK, axis=axis)
    near = np.abs(values) < np.sqrt(3) * _BLOCK * SHEET_SPACING_MM + _SLACK_MM
    values[near] = distance_mm(grid[near])
    return values


def _towards_resected(
    points: npt.NDArray[np.float64], triangles: npt.NDArray[np.integer], distance_mm: Distance
) -> npt.NDArray[np.float64]:
    """Triangles of one sheet all face the same side; a few of them tell which."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    normals: npt.NDArray[np.float64] = np.cross(b - a, c - a)
    some = np.linspace(0, len(triangles) - 1, min(_PROBES, len(triangles))).astype(int)
    middles = ((a + b + c) / 3)[some]
    lengths = np.linalg.norm(normals[some], axis=1, keepdims=True)
    units = normals[some] / np.maximum(lengths, 1e-12)
    rise = distance_mm(middles + units) - distance_mm(middles - units)
    vector: npt.NDArray[np.float64] = normals.sum(axis=0)
    return -vector if rise.sum() > 0 else vector
