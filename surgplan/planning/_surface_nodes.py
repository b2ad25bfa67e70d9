"""The surface of a mask in small pieces, each with its true area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.volume import Geometry


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceNodes:
    """Pieces of a surface: middles ``(n, 3)`` LPS mm, and areas ``(n,)`` mm2."""

    points_mm: Points
    area_mm2: npt.NDArray[np.float64]


def surface_nodes(mask: npt.NDArray[np.bool_], geometry: Geometry, size_mm: float) -> SurfaceNodes:
    """Divide the surface of a mask among cubes of a given size.

    The stairs of a voxel surface are longer than the surface itself, but their faces, added as
    vectors, are not: the area of a piece is the length of that sum.

    Parameters
    ----------
    mask
        ``(slice, row, column)``, not empty; beyond its edge there is nothing.
    geometry
        Grid of the mask.
    size_mm
        Edge of the cubes.
    """
    padded = np.pad(mask, 1)
    steps = geometry.affine[:3, :3]
    places, vectors = [], []
    for axis in range(3):
        change = np.diff(padded.view(np.int8), axis=axis)
        index = np.argwhere(change)
        sign = change[tuple(index.T)].astype(np.float64)
        place = index - 1.0
        place[:, axis] += 0.5
        face = np.cross(steps[:, (axis + 1) % 3], steps[:, (axis + 2) % 3])
        places.append(place)
        vectors.append(sign[:, None] * face)
    place, vector = np.concatenate(places), np.concatenate(vectors)
    cube = np.floor(place * np.asarray(geometry.spacing_mm) / size_mm).astype(np.int64)
    _, owner = np.unique(cube, axis=0, return_inverse=True)
    count = np.bincount(owner)
    middle = np.stack([np.bincount(owner, place[:, a]) for a in range(3)], axis=1) / count[:, None]
    total = np.stack([np.bincount(owner, vector[:, a]) for a in range(3)], axis=1)
    return SurfaceNodes(points_mm=geometry.to_lps(middle), area_mm2=np.linalg.norm(total, axis=1))
