"""What every assessment of one case needs, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.errors import NothingToDoError
from surgplan.planning._blocks import STRUCTURES, Blocks, block_box, blocks_of
from surgplan.planning._boundary import Points
from surgplan.planning._clusters import Clusters
from surgplan.planning._perfusion import Perfusions, perfusions_of
from surgplan.planning._tumours import CLUSTER_MM, TumourShape, tumour_shapes
from surgplan.planning._vessel_tree import VesselTree
from surgplan.volume import (
    LabelMap,
    Segment,
    box_of,
)

_AROUND_MM = 40.0
_REGION_MM = 24.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Structure:
    """A vessel system or the bile ducts near the liver: boundary points ``(n, 3)`` LPS mm."""

    segment: Segment
    points_mm: Points

    @cached_property
    def clusters(self) -> Clusters:
        """The points in clusters."""
        return Clusters.of(self.points_mm, CLUSTER_MM)


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedLiver:
    """A label map made ready for many assessments; see `prepare`.

    `liver` is the whole liver, ``(slice, row, column)`` from the first voxel of `blocks.geometry`;
    `trees` are vessel trees to use instead of those that the labels give.
    """

    label_map: LabelMap
    fingerprint: str
    liver: npt.NDArray[np.bool_]
    blocks: Blocks
    tumours: tuple[TumourShape, ...]
    structures: tuple[Structure, ...]
    trees: tuple[VesselTree, ...] | None = None

    @cached_property
    def perfusions(self) -> Perfusions:
        """The vessel systems and what each of their pieces serves; worked out when first asked."""
        return perfusions_of(self)

    @cached_property
    def regions(self) -> tuple[tuple[Clusters, ...], Clusters]:
        """Clusters of blocks, tumours, vessels and structures, and clusters of their middles."""
        parts = (
            self.blocks.clusters,
            *(t.clusters for t in self.tumours),
            *(p.nodes.clusters for p in self.perfusions.each()),
            *(s.clusters for s in self.structures),
        )
        return parts, Clusters.of(np.concatenate([c.centre_mm for c in parts]), _REGION_MM)


def prepare(label_map: LabelMap, *, trees: tuple[VesselTree, ...] | None = None) -> PreparedLiver:
    """Crop, count and outline a case once, so that each assessment after it is quick.

    Parameters
    ----------
    label_map
        The liver with tumours and vessels.
    trees
        Vessel trees, for example corrected by hand; None for those of `vessel_trees`.

    Raises
    ------
    NothingToDoError
        If there is no liver.
    """
    liver = label_map.whole_liver()
    if not liver.any():
        msg = "planning needs a liver, and the label map has none; segment it first"
        raise NothingToDoError(msg)
    return PreparedLiver(
        label_map=label_map,
        fingerprint=label_map.fingerprint(),
        liver=liver[block_box(label_map, liver)].copy(),
        blocks=blocks_of(label_map, liver),
        tumours=tumour_shapes(label_map),
        structures=_structures(label_map, liver),
        trees=trees,
    )


def _structures(label_map: LabelMap, liver: npt.NDArray[np.bool_]) -> tuple[Structure, ...]:
    box = box_of(liver, label_map.geometry, margin_mm=_AROUND_MM)
    start = tuple(s.start for s in box)
    stop = tuple(s.stop for s in box)
    window = label_map.geometry.window((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    labels = label_map.array[box]
    found = []
    for structure in STRUCTURES:
        segment = label_map.find(structure.code)
        mask = labels == (segment.label if segment else 0)
        if segment is not None and mask.any():
            found.append(Structure(segment=structure, points_mm=window.to_lps(_faces(mask))))
    return tuple(found)


def _faces(mask: npt.NDArray[np.bool_]) -> Points:
    """Indices ``(n, 3)`` half-way between neighbours of which one is inside, or at the edge."""
    objects = ndimage.find_objects(mask.astype(np.uint8))[0]
    padded = np.pad(mask[objects], 1)
    start = np.array([s.start for s in objects]) - 1
    found = []
    for axis in range(3):
        step = np.argwhere(np.diff(padded.view(np.int8), axis=axis) != 0).astype(np.float64)
        step[:, axis] += 0.5
        found.append(step + start)
    return np.concatenate(found)
