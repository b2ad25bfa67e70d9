"""Voxels that the boundary of a territory divides, alone or with another cut beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._owned import Mask, Owned
from surgplan.planning._pieces import (
    OFF_CUT_MM,
    Patches,
    Piece,
    Values,
    parts_of,
    reach_mm,
    shares_of,
    slopes_of,
)

_SETTLED_MM = 1e-6


def owned_piece(blocks: Blocks, rows: npt.NDArray[np.int64], owned: Owned) -> Piece:
    """The voxels of some blocks, divided by the territories' own planes and by the rest."""
    block, column = np.nonzero(blocks.tissue[rows])
    row = rows[block]
    tissue = blocks.tissue[row, column]
    index = (blocks.first[row] + blocks.offsets[column]).astype(np.float64)
    resected, divided = owned.resected[row, column], owned.divided[row, column]
    beside = np.full(len(row), np.inf)  # distance to the rest, where that can matter
    if owned.rest is not None:
        ask = np.flatnonzero(divided | ~resected)
        beside[ask] = owned.rest.distance_mm(blocks.geometry.to_lps(index[ask]))
    reach = reach_mm(blocks.geometry.affine[:3, :3])
    met = (divided & (beside > -reach)) | (np.abs(beside) <= reach)
    taken = (resected | (beside < 0)).astype(np.float64)
    offsets, _ = parts_of(blocks)
    places = (index[met][:, None] + offsets).reshape(-1, 3)
    parts = (
        np.repeat(divided[met], len(offsets)),
        np.repeat(np.abs(beside[met]) <= reach, len(offsets)),
    )
    distance, slope = _nearer(blocks, owned, blocks.geometry.to_lps(places), parts)
    taken[met], patches = shares_of(blocks, places, distance, slope, tissue[met])
    place = row * blocks.tissue.shape[1] + column
    return Piece.of(place, tissue, taken, _settled(owned, patches))


def _nearer(
    blocks: Blocks, owned: Owned, points: Points, met: tuple[Mask, Mask]
) -> tuple[Values, Points]:
    """Distance and slope of the territories or of the rest, whichever takes a part of a voxel.

    `met` says which parts the boundary of a territory, and which the rest may pass.
    """
    _, steps = parts_of(blocks)
    distance, slope = np.full(len(points), np.inf), np.zeros((len(points), 3))
    by_plane, by_rest = (np.flatnonzero(m) for m in met)
    distance[by_plane], normals = owned.planes_mm(points[by_plane])
    slope[by_plane] = normals @ steps
    if owned.rest is not None:
        beside = owned.rest.distance_mm(points[by_rest])
        first = np.flatnonzero(beside < distance[by_rest])
        distance[by_rest[first]] = beside[first]
        slope[by_rest[first]] = slopes_of(owned.rest, points[by_rest[first]], beside[first], steps)
    return distance, slope


def _settled(owned: Owned, patches: Patches) -> Patches:
    """Patches moved onto the cut; without those inside what another part takes."""
    points = patches.points_mm.copy()
    off, normals = owned.planes_mm(points)
    beside = _beside(owned, points)
    by_rest = np.abs(beside) < np.abs(off)
    moved = np.flatnonzero(~by_rest & (np.abs(off) > _SETTLED_MM))
    points[moved] -= normals[moved] * off[moved, None]
    points[by_rest] -= patches.normals[by_rest] * beside[by_rest, None]
    moved = np.union1d(moved, np.flatnonzero(by_rest))
    off[moved], beside[moved] = owned.planes_mm(points[moved])[0], _beside(owned, points[moved])
    on_cut = np.abs(np.where(by_rest, beside, off)) <= OFF_CUT_MM
    outside = np.where(by_rest, off, beside) >= -OFF_CUT_MM
    return replace(patches, points_mm=points).where(on_cut & outside)


def _beside(owned: Owned, points: Points) -> Values:
    """Distances to the rest; inf without any."""
    return np.full(len(points), np.inf) if owned.rest is None else owned.rest.distance_mm(points)
