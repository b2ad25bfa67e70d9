"""How a resection divides the liver: volumes by partial voxels, and the cut in small patches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import TISSUES, Blocks
from surgplan.planning._clusters import SLACK_MM, Look
from surgplan.planning._owned import Owned
from surgplan.planning._owned_piece import owned_piece
from surgplan.planning._pieces import (
    FINE_MM,
    OFF_CUT_MM,
    Patches,
    Piece,
    Values,
    parts_of,
    reach_mm,
    shares_of,
    slopes_of,
)
from surgplan.planning._resection import Resection
from surgplan.planning._smooth_blocks import SmoothBlocks

_CREASED_MM = 4.0
"""Near a crease a smaller distance may be larger than the way to the cut; see `Resection`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stays:
    """What of the liver a resection leaves, voxel by voxel.

    Attributes
    ----------
    blocks
        ``(n,)`` places of the blocks that stay whole.
    row, column
        ``(m,)`` voxels of other blocks that stay in part or whole: block and place in it.
    share
        ``(m,)`` how much of each, 0..1.
    """

    blocks: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    share: Values


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """Volumes of each tissue on either side, ``(TISSUES,)`` mm3, and the patches between."""

    resected_mm3: Values
    remnant_mm3: Values
    patches: Patches
    stays: Stays


def cut_liver(blocks: Blocks, resection: Resection, *, look: Look | None = None) -> Cut:
    """Divide the liver by a resection.

    Blocks and voxels away from the cut go to one side whole; a voxel that the cut may pass
    through is divided by the tangent plane, in parts of at most 1.25 mm, so that no part of it
    belongs to nobody. Within a block the distance is interpolated where it is smooth, see
    `SmoothBlocks`. `look` is one at the blocks' clusters, where there is one already.
    """
    owned = Owned.of(resection, blocks)
    if owned is not None:
        return _with_territories(blocks, owned)
    away, resected, near = _whole_blocks(blocks, look or Look(blocks.clusters, resection))
    return _cut_of(blocks, away, resected, _pieces(blocks, near, resection))


def _whole_blocks(
    blocks: Blocks, look: Look
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which blocks no cut can pass, which are resected, and the places of the others."""
    reach = blocks.radius_mm + SLACK_MM
    distance = look.within(reach)
    away = np.abs(distance) > reach
    return away, distance < 0, np.flatnonzero(~away)


def _pieces(
    blocks: Blocks, rows: npt.NDArray[np.int64], resection: Resection
) -> tuple[Piece, Piece]:
    """Blocks that a cut may pass: those in which it is smooth, and those with a crease."""
    smooth = SmoothBlocks.of(blocks, rows, resection)
    trusted = smooth.trusted
    return (
        _smooth_piece(blocks, rows[trusted], smooth.where(trusted)),
        _exact_piece(blocks, rows[~trusted], smooth.where(~trusted), resection),
    )


def _with_territories(blocks: Blocks, owned: Owned) -> Cut:
    """Territories by the vessel next to each voxel, the rest by its distance, and where they meet.

    Blocks that lie in a territory whole are resected, whatever the rest does there; those outside
    all territories are the rest's alone.
    """
    whole, resected = owned.whole, owned.resected[:, 0]
    if owned.rest is None:
        return _cut_of(
            blocks, whole, resected, (owned_piece(blocks, np.flatnonzero(~whole), owned),)
        )
    away, taken, _ = _whole_blocks(blocks, Look(blocks.clusters, owned.rest))
    done = (whole & (resected | away)) | (away & taken)
    alone = np.flatnonzero(~done & whole)
    pieces = (
        *_pieces(blocks, alone, owned.rest),
        owned_piece(blocks, np.flatnonzero(~done & ~whole), owned),
    )
    return _cut_of(blocks, done, (whole & resected) | (away & taken), pieces)


def _cut_of(
    blocks: Blocks,
    whole: npt.NDArray[np.bool_],
    resected: npt.NDArray[np.bool_],
    pieces: tuple[Piece, ...],
) -> Cut:
    """Whole blocks, of which some are resected, and the pieces of the others."""
    row, column, tissue, taken = (
        np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("row", "column", "tissue", "taken")
    )
    away = blocks.counts[whole & resected].sum(axis=0).astype(np.float64)
    total = blocks.counts.sum(axis=0).astype(np.float64)
    away += np.bincount(tissue, weights=taken, minlength=TISSUES)
    volume = blocks.geometry.voxel_volume_mm3
    left = np.flatnonzero(taken < 1)
    patches = pieces[0].patches
    for piece in pieces[1:]:
        patches = patches.joined(piece.patches)
    return Cut(
        resected_mm3=away * volume,
        remnant_mm3=(total - away) * volume,
        patches=patches,
        stays=Stays(
            blocks=np.flatnonzero(whole & ~resected),
            row=row[left],
            column=column[left],
            share=1 - taken[left],
        ),
    )


def _smooth_piece(blocks: Blocks, rows: npt.NDArray[np.int64], smooth: SmoothBlocks) -> Piece:
    """Voxels of blocks in which the distance is interpolated."""
    kind = blocks.tissue[rows]
    at_voxel = smooth.at(blocks.offsets.astype(np.float64))
    met = (np.abs(at_voxel) <= reach_mm(blocks)) & (kind > 0)
    whole = np.flatnonzero((kind > 0) & ~met)
    block, column = np.nonzero(met)
    offsets, _ = parts_of(blocks)
    if len(offsets) == 1:  # a voxel is its own only part
        distance = at_voxel[block, column]
    else:
        at_parts = [smooth.at(blocks.offsets + o)[block, column] for o in offsets]
        distance = np.stack(at_parts, axis=1)
    parts = np.ceil(np.asarray(blocks.geometry.spacing_mm) / FINE_MM)
    slope = np.stack(
        [
            np.stack(
                [smooth.slope(blocks.offsets + o, axis)[block, column] / parts[axis]
                 for axis in range(3)], axis=1,
            )
            for o in offsets
        ],
        axis=1,
    )  # fmt: skip
    index = (blocks.first[rows[block]] + blocks.offsets[column])[:, None] + offsets
    share, patches = shares_of(
        blocks, index.reshape(-1, 3), distance.ravel(), slope.reshape(-1, 3), kind[block, column]
    )
    width = kind.shape[1]
    return Piece(
        row=rows[np.concatenate([whole // width, block])],
        column=np.concatenate([whole % width, column]),
        tissue=np.concatenate([kind.ravel()[whole], kind[block, column]]),
        taken=np.concatenate([(at_voxel.ravel()[whole] < 0).astype(np.float64), share]),
        patches=patches,
    )


def _exact_piece(
    blocks: Blocks, rows: npt.NDArray[np.int64], nodes: SmoothBlocks, resection: Resection
) -> Piece:
    """Voxels of blocks with a crease: the resection is asked about each near enough to the cut."""
    block, column = np.nonzero(blocks.tissue[rows])
    row = rows[block]
    tissue = blocks.tissue[row, column]
    index = (blocks.first[row] + blocks.offsets[column]).astype(np.float64)
    node, away = nodes.nearest(blocks)
    at_voxel = nodes.values[block, node[column]]
    ask = np.flatnonzero(
        np.abs(at_voxel) <= np.maximum(away[column] + SLACK_MM + reach_mm(blocks), _CREASED_MM)
    )
    at_voxel[ask] = resection.distance_mm(blocks.geometry.to_lps(index[ask]))
    divided = np.abs(at_voxel) <= reach_mm(blocks)
    taken = (~divided & (at_voxel < 0)).astype(np.float64)
    offsets, steps = parts_of(blocks)
    places = (index[divided][:, None] + offsets).reshape(-1, 3)
    points = blocks.geometry.to_lps(places)
    distance = resection.distance_mm(points)
    slope = slopes_of(resection, points, steps)
    taken[divided], patches = shares_of(blocks, places, distance, slope, tissue[divided])
    off = resection.distance_mm(patches.points_mm)
    foot = replace(patches, points_mm=patches.points_mm - patches.normals * off[:, None])
    off = resection.distance_mm(foot.points_mm)
    return Piece(
        row=row,
        column=column,
        tissue=tissue,
        taken=taken,
        patches=foot.where(np.abs(off) <= OFF_CUT_MM),
    )
