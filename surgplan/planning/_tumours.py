"""The tumours of a label map, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.distance import pdist

from surgplan.planning._boundary import Boundary, Points, boundary_of
from surgplan.planning._clusters import Clusters
from surgplan.planning._far_tree import far_tree
from surgplan.volume import LIVER_TUMOUR, LabelMap, box_of

CLUSTER_MM = 4.0
"""Edge of the clusters of points on tumours and structures."""


@dataclass(frozen=True, kw_only=True)
class Tumour:
    """A connected piece of tumour; cysts are none.

    Attributes
    ----------
    id
        1 for the largest, 2 for the next; of two equals the one met first in the array.
    volume_ml
        By counting voxels.
    centre_mm
        Centre of gravity, LPS.
    diameter_mm
        Largest distance between two points of its sub-voxel boundary.
    """

    id: int
    volume_ml: float
    centre_mm: tuple[float, float, float]
    diameter_mm: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TumourShape:
    """A tumour with its sub-voxel boundary and the centres of its voxels, ``(n, 3)`` LPS mm."""

    tumour: Tumour
    boundary: Boundary
    voxels_mm: Points

    @cached_property
    def clusters(self) -> Clusters:
        """The boundary's points in clusters."""
        return Clusters.of(self.boundary.points_mm, CLUSTER_MM)

    @cached_property
    def box_mm(self) -> tuple[Points, Points]:
        """Lowest and highest coordinates ``(3,)`` of the boundary, LPS."""
        points = self.boundary.points_mm
        return points.min(axis=0), points.max(axis=0)

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree over the boundary's points."""
        return far_tree(self.boundary.points_mm)


def tumours_of(label_map: LabelMap) -> tuple[Tumour, ...]:
    """The tumours of a label map, largest first.

    Pieces are connected across faces, edges and corners (26 neighbours). Empty where there are
    none.
    """
    return tuple(shape.tumour for shape in tumour_shapes(label_map))


def tumour_shapes(label_map: LabelMap) -> tuple[TumourShape, ...]:
    """The tumours of a label map with their boundaries, largest first."""
    mask = label_map.mask(LIVER_TUMOUR)
    if not mask.any():
        return ()
    box = box_of(mask, label_map.geometry)
    pieces, count = ndimage.label(mask[box], structure=np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable") + 1
    boxes = ndimage.find_objects(pieces)
    start = tuple(s.start for s in box)
    shapes = []
    for number, piece in enumerate(order.tolist(), start=1):
        window = boxes[piece - 1]
        low = tuple(int(a + s.start) for a, s in zip(start, window, strict=True))
        shapes.append(_shape(number, pieces[window] == piece, low, label_map))
    return tuple(shapes)


def _shape(
    number: int, mask: npt.NDArray[np.bool_], start: tuple[int, ...], label_map: LabelMap
) -> TumourShape:
    stop = tuple(a + n for a, n in zip(start, mask.shape, strict=True))
    geometry = label_map.geometry.window(
        (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])
    )
    boundary = boundary_of(mask, geometry)
    voxels = geometry.to_lps(np.argwhere(mask))
    hull = boundary.points_mm[ConvexHull(boundary.points_mm).vertices]
    x, y, z = (float(v) for v in voxels.mean(axis=0))
    tumour = Tumour(
        id=number,
        volume_ml=len(voxels) * geometry.voxel_volume_mm3 / 1000,
        centre_mm=(x, y, z),
        diameter_mm=float(pdist(hull).max()),
    )
    return TumourShape(tumour=tumour, boundary=boundary, voxels_mm=voxels)
