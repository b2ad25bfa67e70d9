"""The surface of one side of a cut, with an even face where the cut is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surgplan.mesh import Surface, reconstruct_mask
from surgplan.planning._opened import Sides
from surgplan.planning._resection import Points, Resection
from surgplan.volume import Geometry, Segment

_MESH_MM = 1.5
_STEP_MM = 0.2


def side_surface(sides: Sides, segment: Segment, resection: Resection, triangles: int) -> Surface:
    """Of one side, from every voxel or, where they are fine, from one in 1.5 mm."""
    stride = np.maximum(1, np.round(_MESH_MM / np.asarray(sides.geometry.spacing_mm))).astype(int)
    mask = sides.array[tuple(slice(None, None, int(n)) for n in stride)] == segment.label
    affine = sides.geometry.affine.copy()
    affine[:3, :3] *= stride
    coarse = Geometry(shape=mask.shape, affine=affine)
    if not mask.any():  # thinner than the stride
        mask, coarse = sides.array == segment.label, sides.geometry
    surface = reconstruct_mask(mask, coarse, segment, triangles=triangles)
    return replace(surface, points=_onto_cut(surface.points, resection, coarse.spacing_mm))


def _onto_cut(
    points: Points, resection: Resection, spacing_mm: tuple[float, float, float]
) -> Points:
    """Points within a voxel of the cut moved onto it, so that its faces are even and meet."""
    distance = resection.distance_mm(points)
    near = np.flatnonzero(np.abs(distance) < 0.75 * max(spacing_mm))
    moved = points.copy()
    steps = _STEP_MM * np.eye(3)
    at = points[near]
    slope = np.stack(
        [resection.distance_mm(at + s) - resection.distance_mm(at - s) for s in steps], axis=1
    ) / (2 * _STEP_MM)
    steep = np.maximum((slope**2).sum(axis=1), 0.25)
    moved[near] -= (distance[near] / steep)[:, None] * slope
    return moved
