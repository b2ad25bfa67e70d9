"""How a resection divides the liver: volumes by partial voxels, and the cut in small patches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import TISSUES, Blocks
from surgplan.planning._clusters import SLACK_MM, Look, Mask
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
    place
        ``(m,)`` voxels of other blocks that stay in part or whole, in the ravelled tissue.
    tissue
        ``(m,)`` their tissue numbers.
    share
        ``(m,)`` how much of each, 0..1.
    """

    blocks: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    tissue: npt.NDArray[np.uint8]
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
    whole, resected = _whole_blocks(look or Look(blocks.clusters, resection), blocks.radius_mm)
    pieces = _pieces(blocks, (whole, resected), np.flatnonzero(~whole), resection)
    return _cut_of(blocks, whole, resected, pieces)


def _whole_blocks(look: Look, radius_mm: float) -> tuple[Mask, Mask]:
    """Which blocks no cut can pass, by their clusters, and which of these are resected."""
    near: Mask = look.reached(radius_mm)[look.cluster]
    return ~near, look.known < 0


def _pieces(
    blocks: Blocks,
    known: tuple[Mask, Mask],
    rows: npt.NDArray[np.int64],
    resection: Resection,
) -> tuple[Piece, Piece]:
    """Blocks that a cut passes: those in which it is smooth, and those with a crease.

    Rows that it does not pass are added to what is `known`: which blocks stay whole, and which are
    resected.
    """
    smooth, middle = SmoothBlocks.of(blocks, rows, resection)
    whole, resected = known
    away = np.abs(middle) > blocks.reach_mm
    whole[rows[away]], resected[rows[away]] = True, middle[away] < 0
    trusted = smooth.trusted
    return (
        _smooth_piece(blocks, smooth.where(trusted)),
        _exact_piece(blocks, smooth.where(~trusted), resection),
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
    away, taken = _whole_blocks(Look(blocks.clusters, owned.rest), blocks.radius_mm)
    done, gone = (whole & (resected | away)) | (away & taken), (whole & resected) | (away & taken)
    alone, both = np.flatnonzero(~done & whole), np.flatnonzero(~done & ~whole)
    pieces = (
        *_pieces(blocks, (done, gone), alone, owned.rest),
        owned_piece(blocks, both, owned),
    )
    return _cut_of(blocks, done, gone, pieces)


def _cut_of(
    blocks: Blocks,
    whole: npt.NDArray[np.bool_],
    resected: npt.NDArray[np.bool_],
    pieces: tuple[Piece, ...],
) -> Cut:
    """Whole blocks, of which some are resected, and the pieces of the others."""
    place, tissue, share = (
        np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("place", "tissue", "share")
    )
    kept = np.flatnonzero(whole & ~resected)
    stays = blocks.counts[kept].sum(axis=0).astype(np.float64)
    stays += np.bincount(tissue, weights=share, minlength=TISSUES)
    volume = blocks.geometry.voxel_volume_mm3
    patches = pieces[0].patches
    for piece in pieces[1:]:
        patches = patches.joined(piece.patches)
    return Cut(
        resected_mm3=(blocks.total - stays) * volume,
        remnant_mm3=stays * volume,
        patches=patches,
        stays=Stays(blocks=kept, place=place, tissue=tissue, share=share),
    )


def _smooth_piece(blocks: Blocks, smooth: SmoothBlocks) -> Piece:
    """Voxels of blocks in which the distance is interpolated."""
    rows = smooth.rows
    kind = blocks.tissue[rows]
    at_voxel = smooth.at(blocks.offsets.astype(np.float64))
    at_voxel[kind == 0] = -np.inf
    reach, width = reach_mm(blocks.geometry.affine[:3, :3]), kind.shape[1]
    left = np.flatnonzero(at_voxel >= -reach)
    met = at_voxel.ravel()[left] <= reach
    whole = left[~met]
    block, column = np.divmod(left[met], width)
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
    some = np.flatnonzero(share < 1)
    return Piece(
        place=np.concatenate(
            [
                whole + ((rows - np.arange(len(rows))) * width)[whole // width],
                rows[block[some]] * width + column[some],
            ]
        ),
        tissue=np.concatenate([kind.ravel()[whole], kind[block[some], column[some]]]),
        share=np.concatenate([np.ones(len(whole)), 1 - share[some]]),
        patches=patches,
    )


def _exact_piece(blocks: Blocks, nodes: SmoothBlocks, resection: Resection) -> Piece:
    """Voxels of blocks with a crease: the resection is asked about each near enough to the cut."""
    block, column = np.nonzero(blocks.tissue[nodes.rows])
    row = nodes.rows[block]
    tissue = blocks.tissue[row, column]
    index = (blocks.first[row] + blocks.offsets[column]).astype(np.float64)
    node, away = nodes.nearest(blocks)
    at_voxel = nodes.values[block, node[column]]
    ask = np.flatnonzero(
        np.abs(at_voxel)
        <= np.maximum(
            away[column] + SLACK_MM + reach_mm(blocks.geometry.affine[:3, :3]), _CREASED_MM
        )
    )
    at_voxel[ask] = resection.distance_mm(blocks.geometry.to_lps(index[ask]))
    divided = np.abs(at_voxel) <= reach_mm(blocks.geometry.affine[:3, :3])
    taken = (~divided & (at_voxel < 0)).astype(np.float64)
    offsets, steps = parts_of(blocks)
    places = (index[divided][:, None] + offsets).reshape(-1, 3)
    points = blocks.geometry.to_lps(places)
    distance = resection.distance_mm(points)
    slope = slopes_of(resection, points, distance, steps)
    taken[divided], patches = shares_of(blocks, places, distance, slope, tissue[divided])
    off = resection.distance_mm(patches.points_mm)
    foot = replace(patches, points_mm=patches.points_mm - patches.normals * off[:, None])
    off = resection.distance_mm(foot.points_mm)
    place = row * blocks.tissue.shape[1] + column
    return Piece.of(place, tissue, taken, foot.where(np.abs(off) <= OFF_CUT_MM))
