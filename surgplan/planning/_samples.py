"""A case thinned out for searching many cuts; every result is computed exactly afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._corridor import in_liver
from surgplan.planning._prepare import PreparedLiver

_SCAN_MM = 4.5
_REFINE_MM = 2.5
_GUARD_MM = 10.0
_GUARDS = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Points that stand for a case, all LPS mm.

    Attributes
    ----------
    coarse, fine
        ``(n, 3)`` liver, about 4.5 and 2.5 mm apart.
    coarse_mm3, fine_mm3
        Volume that each stands for.
    hulls
        For each tumour ``(n, 3)``, the corners of the convex hull of its boundary.
    guards
        ``(n, 3)`` on vessels and bile ducts outside the liver, within 10 mm of it: vena cava,
        portal trunk, hepatic duct.
    """

    coarse: Points
    fine: Points
    coarse_mm3: float
    fine_mm3: float
    hulls: tuple[Points, ...]
    guards: Points

    @classmethod
    def of(cls, prepared: PreparedLiver) -> Samples:
        """Thin out a case."""
        coarse, coarse_mm3 = _liver(prepared, _SCAN_MM)
        fine, fine_mm3 = _liver(prepared, _REFINE_MM)
        shapes = [shape.boundary.points_mm for shape in prepared.tumours]
        return cls(
            coarse=coarse,
            fine=fine,
            coarse_mm3=coarse_mm3,
            fine_mm3=fine_mm3,
            hulls=tuple(points[ConvexHull(points).vertices] for points in shapes),
            guards=_guards(prepared, coarse),
        )


def _liver(prepared: PreparedLiver, spacing_mm: float) -> tuple[Points, float]:
    geometry = prepared.blocks.geometry
    stride = np.maximum(1, np.round(spacing_mm / np.asarray(geometry.spacing_mm))).astype(int)
    thin = prepared.liver[tuple(slice(None, None, int(n)) for n in stride)]
    points = geometry.to_lps(np.argwhere(thin) * stride)
    return points, geometry.voxel_volume_mm3 * float(stride.prod())


def _guards(prepared: PreparedLiver, liver: Points) -> Points:
    empty = np.zeros((0, 3))
    points = np.concatenate([*(s.points_mm[::4] for s in prepared.structures), empty])
    outside = points[~in_liver(prepared, points)]
    if not len(outside):
        return empty
    distance, _ = cKDTree(liver).query(outside, distance_upper_bound=_GUARD_MM)
    near = outside[np.isfinite(distance)]
    thin: Points = near[:: max(1, len(near) // _GUARDS)]
    return thin
