"""A case thinned out for searching many cuts; every result is computed exactly afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._clusters import Clusters
from surgplan.planning._corridor import in_liver
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection, takes

_SCAN_MM = 4.5
_REFINE_MM = 2.5
_GUARD_MM = 10.0
_GUARDS = 2000
_CLUSTER_MM = 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Points that stand for a case, all LPS mm.

    Attributes
    ----------
    coarse, fine
        ``(n, 3)`` liver, about 4.5 and 2.5 mm apart.
    coarse_at
        ``(n,)`` places of the coarse points among all voxels of the blocks, see `Blocks`.
    coarse_mm3
        Volume that a coarse point stands for.
    pairs, faces_mm2
        ``(k, 2)`` neighbours among the coarse points, and ``(k,)`` the area between them.
    hulls
        For each tumour ``(n, 3)``, the corners of the convex hull of its boundary.
    guards
        ``(n, 3)`` on vessels and bile ducts outside the liver, within 10 mm of it: vena cava,
        portal trunk, hepatic duct.
    """

    coarse: Points
    fine: Points
    coarse_at: npt.NDArray[np.int64]
    coarse_mm3: float
    pairs: npt.NDArray[np.int64]
    faces_mm2: npt.NDArray[np.float64]
    hulls: tuple[Points, ...]
    guards: Points

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """The pairs as two rows, ``(2, k)``."""
        return np.ascontiguousarray(self.pairs.T)

    @cached_property
    def clusters(self) -> Clusters:
        """The coarse points in clusters."""
        return Clusters.of(self.coarse, _CLUSTER_MM)

    @cached_property
    def hull_clusters(self) -> Clusters:
        """The corners of all hulls in clusters."""
        return Clusters.of(np.concatenate(self.hulls), _CLUSTER_MM / 2)

    @classmethod
    def of(cls, prepared: PreparedLiver) -> Samples:
        """Thin out a case."""
        thin, stride = _liver(prepared, _SCAN_MM)
        index = np.argwhere(thin) * stride
        geometry = prepared.blocks.geometry
        steps, coarse = geometry.affine[:3, :3] * stride, geometry.to_lps(index)
        pairs, faces = _neighbours(thin, steps)
        fine, fine_stride = _liver(prepared, _REFINE_MM)
        shapes = [shape.boundary.points_mm for shape in prepared.tumours]
        return cls(
            coarse=coarse,
            fine=geometry.to_lps(np.argwhere(fine) * fine_stride),
            coarse_at=prepared.blocks.places(index),
            coarse_mm3=abs(float(np.linalg.det(steps))),
            pairs=pairs,
            faces_mm2=faces,
            hulls=tuple(points[ConvexHull(points).vertices] for points in shapes),
            guards=_guards(prepared, coarse),
        )

    def area_mm2(self, resected: npt.NDArray[np.bool_]) -> float:
        """Roughly the area of a cut, from the coarse points that it takes.

        The stairs of a voxel surface are 3/2 of the surface itself, on average over directions.
        """
        first, second = self.ends
        return float(self.faces_mm2[resected.take(first) != resected.take(second)].sum()) / 1.5

    def facing_mm2(self, resected: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """The area of a cut as a vector ``(3,)``, from the coarse points that it takes.

        Sums of normals are exact for stairs; the grid's axes must be perpendicular.
        """
        first, second = self.ends
        crossed = np.flatnonzero(resected[first] != resected[second])
        way = self.coarse[second[crossed]] - self.coarse[first[crossed]]
        sign = np.where(resected[first[crossed]], 1.0, -1.0)
        faces = sign * self.faces_mm2[crossed] / np.linalg.norm(way, axis=1)
        total: npt.NDArray[np.float64] = faces @ way
        return total

    def outside(self, resection: Resection) -> Samples:
        """The same case without the liver that a resection takes."""
        left = ~takes(resection, self.coarse)
        return replace(
            self,
            coarse=self.coarse[left],
            coarse_at=self.coarse_at[left],
            fine=self.fine[~takes(resection, self.fine)],
        )


def _liver(
    prepared: PreparedLiver, spacing_mm: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """The liver on a thinner grid, and of how many voxels one is taken along each axis."""
    spacing = np.asarray(prepared.blocks.geometry.spacing_mm)
    stride = np.maximum(1, np.round(spacing_mm / spacing)).astype(np.int64)
    return prepared.liver[tuple(slice(None, None, int(n)) for n in stride)], stride


def _neighbours(
    thin: npt.NDArray[np.bool_], steps: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pairs of face neighbours in the order of `np.argwhere`, and the area between them."""
    number = np.cumsum(thin).reshape(thin.shape) - 1
    pairs, faces = [], []
    for axis in range(3):
        low = number.take(range(thin.shape[axis] - 1), axis=axis)
        high = number.take(range(1, thin.shape[axis]), axis=axis)
        both = thin.take(range(thin.shape[axis] - 1), axis=axis) & thin.take(
            range(1, thin.shape[axis]), axis=axis
        )
        pairs.append(np.stack([low[both], high[both]], axis=1))
        across = np.delete(steps, axis, axis=1)
        faces.append(np.full(len(pairs[-1]), np.linalg.norm(np.cross(*across.T))))
    return np.concatenate(pairs), np.concatenate(faces)


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
