"""The two sides of a cut as voxels, and those that lie in its opening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.planning._blocks import OUTSIDE, Blocks
from surgplan.planning._front import CutFront, Values
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection
from surgplan.volume import Code, Geometry, LabelMap, Segment

_MOST_MM = 3.0
_SLACK_MM = 1.0


def _segment(label: int, name: str, colour: tuple[int, int, int]) -> Segment:
    code = Code(value=name, meaning=name.capitalize(), scheme="99SURGPLAN")
    return Segment(label=label, name=name, code=code, colour=colour)


REMNANT = _segment(1, "remnant", (0, 158, 115))
SPECIMEN = _segment(2, "specimen", (230, 159, 0))
OPENED = _segment(3, "opened cut", (150, 30, 30))


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """The liver on its box: which side of a cut each voxel lies on.

    Attributes
    ----------
    array
        ``(slice, row, column)`` uint8 labels of `REMNANT` and `SPECIMEN`, 0 outside the liver.
    geometry
        Where the box lies.
    near
        ``(3, n)`` indices of the voxels within 3 mm of the cut.
    away_mm
        ``(n,)`` how far they are from it.
    piece
        ``(n,)`` the nearest piece of the front.
    """

    array: npt.NDArray[np.uint8]
    geometry: Geometry
    near: tuple[npt.NDArray[np.int64], ...]
    away_mm: Values
    piece: npt.NDArray[np.int64]

    def label_map(self, gap_mm: Values) -> LabelMap:
        """With the voxels that lie in an opening of ``(pieces,)`` widths marked as opened."""
        inside = self.away_mm < np.minimum(gap_mm[self.piece] / 2, _MOST_MM)
        array = self.array.copy()
        array[tuple(axis[inside] for axis in self.near)] = OPENED.label
        return LabelMap(array=array, geometry=self.geometry, segments=(REMNANT, SPECIMEN, OPENED))


def sides_of(prepared: PreparedLiver, resection: Resection, front: CutFront) -> Sides | None:
    """Divide the voxels of the liver; None where one side has none."""
    index, distance = _distances(prepared.blocks, resection)
    shape = prepared.liver.shape
    array = np.zeros(shape, dtype=np.uint8)
    array[tuple(index.T)] = np.where(distance < 0, SPECIMEN.label, REMNANT.label)
    present = np.unique(array[prepared.liver])
    if not {REMNANT.label, SPECIMEN.label} <= set(present.tolist()):
        return None
    near = np.abs(distance) < _MOST_MM
    geometry = prepared.blocks.geometry.window((0, 0, 0), (shape[0], shape[1], shape[2]))
    _, piece = cKDTree(front.points_mm).query(geometry.to_lps(index[near]))
    return Sides(
        array=array,
        geometry=geometry,
        near=tuple(index[near].T),
        away_mm=np.abs(distance[near]),
        piece=piece,
    )


def _distances(blocks: Blocks, resection: Resection) -> tuple[npt.NDArray[np.int64], Values]:
    """Indices ``(n, 3)`` of the liver's voxels and their signed distances.

    Right in sign everywhere, and exact within 3 mm of the cut; elsewhere that of a block's middle.
    """
    middle = resection.distance_mm(blocks.centre_mm)
    row, column = np.nonzero((blocks.tissue > 0) & (blocks.tissue < OUTSIDE))
    index = blocks.first[row] + blocks.offsets[column]
    distance = middle[row]
    ask = np.abs(middle[row]) <= blocks.radius_mm + _SLACK_MM + _MOST_MM
    distance[ask] = resection.distance_mm(blocks.geometry.to_lps(index[ask]))
    return index, distance
