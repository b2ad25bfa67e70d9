"""Distances between the boundaries of two masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.volume import Geometry, box_of, distance_outside_mm


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundaryDistances:
    """How far each boundary voxel of one mask lies from the boundary of the other, both ways.

    Attributes
    ----------
    forth, back
        Millimetres, one per boundary voxel of the first and of the second mask.
    """

    forth: npt.NDArray[np.float32]
    back: npt.NDArray[np.float32]

    @property
    def hd95_mm(self) -> float:
        """95th percentile of each direction, the larger of the two, as MONAI counts it."""
        return float(max(np.percentile(self.forth, 95), np.percentile(self.back, 95)))

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance."""
        return float(np.concatenate([self.forth, self.back]).mean())

    def nsd(self, tolerance_mm: float) -> float:
        """Normalised surface dice: share of both boundaries within a tolerance of the other."""
        both = np.concatenate([self.forth, self.back])
        return float((both <= tolerance_mm).mean())


def boundary_distances(
    a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_], geometry: Geometry
) -> BoundaryDistances:
    """Distances between the boundary voxels (mask minus erosion) of two masks, neither empty."""
    box = box_of(a | b, geometry, margin_mm=2 * max(geometry.spacing_mm))
    window = Geometry(shape=a[box].shape, affine=geometry.affine)
    edges = [m[box] & ~ndimage.binary_erosion(m[box]) for m in (a, b)]
    return BoundaryDistances(
        forth=distance_outside_mm(edges[1], window)[edges[0]],
        back=distance_outside_mm(edges[0], window)[edges[1]],
    )
