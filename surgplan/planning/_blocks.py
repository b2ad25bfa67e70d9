"""The liver's voxels in blocks, so that most of a cut is judged without looking at each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._clusters import SLACK_MM, Clusters
from surgplan.volume import (
    BILIARY,
    HEPATIC_VEINS,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
    Segment,
    box_of,
)

STRUCTURES: tuple[Segment, ...] = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, BILIARY)
"""What a cut should know its distance to."""

PARENCHYMA, TUMOUR, FIRST_STRUCTURE, OUTSIDE, TISSUES = 1, 2, 3, 8, 16
"""Tissue numbers: structures follow `FIRST_STRUCTURE`; `OUTSIDE` is added outside the liver."""

_BLOCK_MM = 6.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """The liver's box in blocks of about 6 mm, so that most of it is judged without its voxels.

    Attributes
    ----------
    geometry
        Grid of the box, padded to whole blocks.
    tissue
        ``(blocks, voxels per block)`` uint8, blocks with any tissue only.
    counts
        ``(blocks, TISSUES)`` voxels of each tissue.
    first
        ``(blocks, 3)`` index of each block's first voxel.
    offsets
        ``(voxels per block, 3)`` index of each voxel within its block.
    centre_mm, radius_mm
        ``(blocks, 3)`` LPS middles, and the distance from there to a corner.
    """

    geometry: Geometry
    tissue: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    centre_mm: Points
    radius_mm: float

    @cached_property
    def total(self) -> npt.NDArray[np.int64]:
        """``(TISSUES,)`` voxels of each tissue in all blocks."""
        total: npt.NDArray[np.int64] = self.counts.sum(axis=0)
        return total

    @cached_property
    def clusters(self) -> Clusters:
        """The middles in clusters of two by two by two blocks."""
        _, cluster = np.unique(self.first // (2 * self.edge), axis=0, return_inverse=True)
        return Clusters.gathered(self.centre_mm, cluster)

    @cached_property
    def edge(self) -> npt.NDArray[np.int64]:
        """``(3,)`` voxels of a block along each axis."""
        edge: npt.NDArray[np.int64] = self.offsets.max(axis=0) + 1
        return edge

    @property
    def reach_mm(self) -> float:
        """No cut passes a block whose middle is farther from it."""
        return self.radius_mm + SLACK_MM

    def places(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where voxels ``(n, 3)`` of the liver, by index, stand in a ravelled `tissue`."""
        edge = self.edge
        number = np.zeros(np.asarray(self.geometry.shape) // edge, dtype=np.int64)
        number[tuple((self.first // edge).T)] = np.arange(len(self.first))
        column = np.ravel_multi_index(tuple((index % edge).T), tuple(edge.tolist()))
        row = number[tuple((index // edge).T)]
        places: npt.NDArray[np.int64] = row * len(self.offsets) + column
        return places


def block_box(label_map: LabelMap, liver: npt.NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The liver and 6 mm around it."""
    return box_of(liver, label_map.geometry, margin_mm=_BLOCK_MM)


def blocks_of(label_map: LabelMap, liver: npt.NDArray[np.bool_]) -> Blocks:
    """The blocks of a label map around its whole liver."""
    geometry = label_map.geometry
    box = block_box(label_map, liver)
    edge = np.maximum(1, np.round(_BLOCK_MM / np.asarray(geometry.spacing_mm))).astype(int)
    tissue = _tissue(label_map, liver, box)
    pad = [(0, int(-n % e)) for n, e in zip(tissue.shape, edge, strict=True)]
    padded = np.pad(tissue, pad)
    start = tuple(s.start for s in box)
    stop = tuple(a + n for a, n in zip(start, padded.shape, strict=True))
    window = geometry.window((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    grid = np.array(padded.shape) // edge
    split = padded.reshape(grid[0], edge[0], grid[1], edge[1], grid[2], edge[2])
    rows = split.transpose(0, 2, 4, 1, 3, 5).reshape(int(grid.prod()), int(edge.prod()))
    kept = np.flatnonzero(rows.any(axis=1))
    first = np.stack(np.unravel_index(kept, tuple(grid)), axis=1) * edge
    corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1).T * edge
    return Blocks(
        geometry=window,
        tissue=np.ascontiguousarray(rows[kept]),
        counts=_counts(rows[kept]),
        first=first,
        offsets=np.stack(np.unravel_index(np.arange(edge.prod()), tuple(edge)), axis=1),
        centre_mm=window.to_lps(first + (edge - 1) / 2),
        radius_mm=float(np.linalg.norm(corners @ geometry.affine[:3, :3].T, axis=1).max()),
    )


def _tissue(
    label_map: LabelMap, liver: npt.NDArray[np.bool_], box: tuple[slice, slice, slice]
) -> npt.NDArray[np.uint8]:
    """Tissue numbers of the voxels in a box; 0 where neither liver nor structure is."""
    inside, labels = liver[box], label_map.array[box]
    tissue = inside.astype(np.uint8) * np.uint8(PARENCHYMA)
    tumour = label_map.find(LIVER_TUMOUR.code)
    if tumour is not None:
        tissue[labels == tumour.label] = TUMOUR
    for number, structure in enumerate(STRUCTURES, start=FIRST_STRUCTURE):
        segment = label_map.find(structure.code)
        if segment is not None:
            found = labels == segment.label
            tissue[found] = np.where(inside[found], number, number + OUTSIDE)
    return tissue


def _counts(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    codes = rows.astype(np.int64) + TISSUES * np.arange(len(rows))[:, None]
    counts = np.bincount(codes.ravel(), minlength=TISSUES * len(rows)).reshape(-1, TISSUES)
    counts[:, 0] = 0  # around the liver
    return counts
