"""How a resection divides the liver: volumes by partial voxels, and the cut in small patches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import OUTSIDE, TISSUES, Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._clusters import SLACK_MM, Look
from surgplan.planning._owned import owned_by
from surgplan.planning._resection import Resection
from surgplan.planning._smooth_blocks import SmoothBlocks
from surgplan.planning._territory_resection import TerritoryResection

_FINE_MM = 1.25
_STEP = 0.15
_TETRAHEDRON = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
_CREASED_MM = 4.0
"""Near a crease a smaller distance may be larger than the way to the cut; see `Resection`."""

_LEAST_SLOPE = 1e-4
_OFF_CUT_MM = 0.05  # at the crease between two wedges a tangent plane may miss the cut
_SETTLED_MM = 1e-6

_PATCH_ARRAYS = ("points_mm", "normals", "area_mm2", "tissue")

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """Small flat pieces of a cut, one for each (part of a) voxel that it passes through.

    Attributes
    ----------
    points_mm, normals
        ``(n, 3)`` LPS, normals of length 1 towards the remnant.
    area_mm2
        ``(n,)``.
    tissue
        ``(n,)`` tissue number of the voxel.
    size_mm
        Half the diagonal of the part of a voxel that a patch stands for.
    """

    points_mm: Points
    normals: Points
    area_mm2: Values
    tissue: npt.NDArray[np.uint8]
    size_mm: float

    def where(self, chosen: npt.NDArray[np.bool_]) -> Patches:
        """Some of the patches."""
        return Patches(
            points_mm=self.points_mm[chosen],
            normals=self.normals[chosen],
            area_mm2=self.area_mm2[chosen],
            tissue=self.tissue[chosen],
            size_mm=self.size_mm,
        )

    def joined(self, other: Patches) -> Patches:
        """These and others of the same size."""
        both = [(getattr(self, n), getattr(other, n)) for n in _PATCH_ARRAYS]
        points, normals, area, tissue = (np.concatenate(pair) for pair in both)
        return Patches(
            points_mm=points, normals=normals, area_mm2=area, tissue=tissue, size_mm=self.size_mm
        )

    def in_liver(self) -> Patches:
        """The patches inside the liver: the cut itself."""
        return self.where(self.tissue < OUTSIDE)


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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """What became of the voxels of some blocks.

    `row` (block), `column` (place in it) and `tissue` of each, the resected share, and the patches.
    """

    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    tissue: npt.NDArray[np.uint8]
    taken: Values
    patches: Patches


def cut_liver(blocks: Blocks, resection: Resection, *, look: Look | None = None) -> Cut:
    """Divide the liver by a resection.

    Blocks and voxels away from the cut go to one side whole; a voxel that the cut may pass
    through is divided by the tangent plane, in parts of at most 1.25 mm, so that no part of it
    belongs to nobody. Within a block the distance is interpolated where it is smooth, see
    `SmoothBlocks`. `look` is one at the blocks' clusters, where there is one already.
    """
    if isinstance(resection, TerritoryResection):
        resected, divided = owned_by(resection, blocks)
        whole = ~divided.any(axis=1) & (resected == resected[:, :1]).all(axis=1)
        piece = _owned_piece(blocks, np.flatnonzero(~whole), resected, divided, resection)
        return _cut_of(blocks, whole, resected[:, 0], (piece,))
    reach = blocks.radius_mm + SLACK_MM
    distance = (look or Look(blocks.clusters, resection)).within(reach)
    away = np.abs(distance) > reach
    near = np.flatnonzero(~away)
    smooth = SmoothBlocks.of(blocks, near, resection)
    trusted = smooth.trusted
    pieces = (
        _smooth_piece(blocks, near[trusted], smooth.where(trusted)),
        _exact_piece(blocks, near[~trusted], smooth.where(~trusted), resection),
    )
    return _cut_of(blocks, away, distance < 0, pieces)


def _cut_of(
    blocks: Blocks,
    whole: npt.NDArray[np.bool_],
    resected: npt.NDArray[np.bool_],
    pieces: tuple[_Piece, ...],
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


def _owned_piece(
    blocks: Blocks,
    rows: npt.NDArray[np.int64],
    resected: npt.NDArray[np.bool_],
    divided: npt.NDArray[np.bool_],
    resection: TerritoryResection,
) -> _Piece:
    """Voxels of blocks that the boundary of a territory passes, divided by its own planes."""
    block, column = np.nonzero(blocks.tissue[rows])
    row = rows[block]
    tissue = blocks.tissue[row, column]
    met = divided[row, column]
    offsets, steps = _parts(blocks)
    index = (blocks.first[row[met]] + blocks.offsets[column[met]])[:, None] + offsets
    places = index.reshape(-1, 3)
    distance, normals = resection.planes_mm(blocks.geometry.to_lps(places))
    taken = resected[row, column].astype(np.float64)
    taken[met], patches = _shares(blocks, places, distance, normals @ steps, tissue[met])
    off, normals = resection.planes_mm(patches.points_mm)
    moved = np.flatnonzero(np.abs(off) > _SETTLED_MM)
    points = patches.points_mm.copy()
    points[moved] -= normals[moved] * off[moved, None]
    off[moved] = resection.planes_mm(points[moved])[0]
    patches = replace(patches, points_mm=points).where(np.abs(off) <= _OFF_CUT_MM)
    return _Piece(row=row, column=column, tissue=tissue, taken=taken, patches=patches)


def _smooth_piece(blocks: Blocks, rows: npt.NDArray[np.int64], smooth: SmoothBlocks) -> _Piece:
    """Voxels of blocks in which the distance is interpolated."""
    kind = blocks.tissue[rows]
    at_voxel = smooth.at(blocks.offsets.astype(np.float64))
    met = (np.abs(at_voxel) <= _reach_mm(blocks)) & (kind > 0)
    whole = np.flatnonzero((kind > 0) & ~met)
    block, column = np.nonzero(met)
    offsets, _ = _parts(blocks)
    distance = np.stack([smooth.at(blocks.offsets + o)[block, column] for o in offsets], axis=1)
    parts = np.ceil(np.asarray(blocks.geometry.spacing_mm) / _FINE_MM)
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
    share, patches = _shares(
        blocks, index.reshape(-1, 3), distance.ravel(), slope.reshape(-1, 3), kind[block, column]
    )
    width = kind.shape[1]
    return _Piece(
        row=rows[np.concatenate([whole // width, block])],
        column=np.concatenate([whole % width, column]),
        tissue=np.concatenate([kind.ravel()[whole], kind[block, column]]),
        taken=np.concatenate([(at_voxel.ravel()[whole] < 0).astype(np.float64), share]),
        patches=patches,
    )


def _exact_piece(
    blocks: Blocks, rows: npt.NDArray[np.int64], nodes: SmoothBlocks, resection: Resection
) -> _Piece:
    """Voxels of blocks with a crease: the resection is asked about each near enough to the cut."""
    block, column = np.nonzero(blocks.tissue[rows])
    row = rows[block]
    tissue = blocks.tissue[row, column]
    index = (blocks.first[row] + blocks.offsets[column]).astype(np.float64)
    node, away = nodes.nearest(blocks)
    at_voxel = nodes.values[block, node[column]]
    ask = np.flatnonzero(
        np.abs(at_voxel) <= np.maximum(away[column] + SLACK_MM + _reach_mm(blocks), _CREASED_MM)
    )
    at_voxel[ask] = resection.distance_mm(blocks.geometry.to_lps(index[ask]))
    divided = np.abs(at_voxel) <= _reach_mm(blocks)
    taken = (~divided & (at_voxel < 0)).astype(np.float64)
    offsets, steps = _parts(blocks)
    places = (index[divided][:, None] + offsets).reshape(-1, 3)
    points = blocks.geometry.to_lps(places)
    distance = resection.distance_mm(points)
    slope = _slopes(resection, points, steps)
    taken[divided], patches = _shares(blocks, places, distance, slope, tissue[divided])
    off = resection.distance_mm(patches.points_mm)
    foot = replace(patches, points_mm=patches.points_mm - patches.normals * off[:, None])
    off = resection.distance_mm(foot.points_mm)
    return _Piece(
        row=row,
        column=column,
        tissue=tissue,
        taken=taken,
        patches=foot.where(np.abs(off) <= _OFF_CUT_MM),
    )


def _reach_mm(blocks: Blocks) -> float:
    """So near to the cut a voxel is divided."""
    return 1.1 * half_diagonal_mm(blocks.geometry.affine[:3, :3]) + 0.05


def half_diagonal_mm(steps: npt.NDArray[np.float64]) -> float:
    """From the middle of a voxel with the given edge vectors (columns) to its farthest corner."""
    corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1)
    return float(np.linalg.norm(steps @ corners, axis=0).max())


def _parts(blocks: Blocks) -> tuple[Points, Points]:
    """Middles ``(parts, 3)`` of a voxel's parts in voxels from its own; edges (columns), mm."""
    parts = np.ceil(np.asarray(blocks.geometry.spacing_mm) / _FINE_MM).astype(int)
    centre = np.stack(np.meshgrid(*map(np.arange, parts), indexing="ij"), -1).reshape(-1, 3)
    return (centre + 0.5) / parts - 0.5, blocks.geometry.affine[:3, :3] / parts


def _shares(
    blocks: Blocks,
    index: Points,
    distance: Values,
    slope: Values,
    tissue: npt.NDArray[np.uint8],
) -> tuple[Values, Patches]:
    """Resected share of each voxel ``(n,)``, and the patches of the cut in all of them.

    `index`, `distance` and `slope` are those of all their parts, one voxel after the other.
    """
    offsets, steps = _parts(blocks)
    gradient = slope @ np.linalg.inv(steps)
    length = np.maximum(np.sqrt(np.einsum("ij,ij->i", gradient, gradient)), 1e-9)
    share, density = share_below(distance, slope)
    area = abs(float(np.linalg.det(steps))) * length * density
    met = np.flatnonzero(area > 0)
    normals = gradient[met] / length[met, None]
    patches = Patches(
        points_mm=blocks.geometry.to_lps(index[met]) - normals * distance[met, None],
        normals=normals,
        area_mm2=area[met],
        tissue=np.repeat(tissue, len(offsets))[met],
        size_mm=half_diagonal_mm(steps),
    )
    return share.reshape(-1, len(offsets)).mean(axis=1), patches


def _slopes(resection: Resection, points: Points, steps: npt.NDArray[np.float64]) -> Values:
    """Change of the distance over one part of a voxel along each of its edges, ``(n, 3)``."""
    around = points[:, None] + _STEP * _TETRAHEDRON @ steps.T
    distance = resection.distance_mm(around.reshape(-1, 3)).reshape(-1, len(_TETRAHEDRON))
    slopes: Values = distance @ _TETRAHEDRON / (len(_TETRAHEDRON) * _STEP)
    return slopes


def share_below(distance: Values, slope: Values) -> tuple[Values, Values]:
    """Share of a box in which a linear function is negative, and how fast that share changes.

    Parameters
    ----------
    distance
        ``(n,)`` value in the middle of the box.
    slope
        ``(n, 3)`` change of the value from one face of the box to the opposite one.

    Returns
    -------
    share, density
        ``(n,)`` share of the volume below zero, 0..1, and its derivative by the value: the area
        of the cut divided by the volume of the box and the length of the gradient.

    Notes
    -----
    Inclusion and exclusion over the eight corners of the half-space's simplex; slopes below
    1e-4 of their sum are raised to it, which moves the share by less than 1e-4.

    Examples
    --------
    >>> share, density = share_below(np.array([0.0, -0.5]), np.array([[0, 0, 1.0], [1, 1, 0]]))
    >>> share.round(3).tolist()
    [0.5, 0.875]
    """
    size = np.abs(slope)
    total = np.maximum(size[:, 0] + size[:, 1] + size[:, 2], 1e-12)
    size = np.maximum(size / total[:, None], _LEAST_SLOPE)
    most = size[:, 0] + size[:, 1] + size[:, 2]
    level = 0.5 * most - distance / total
    share = (level > 0).astype(np.float64)
    density = np.zeros_like(level)
    met = np.flatnonzero((level > 0) & (level < most))
    share[met], density[met] = _in_box(level[met], size[met])
    return share, density / total


def _in_box(level: Values, size: Values) -> tuple[Values, Values]:
    """Volume of a unit box below a level, and its derivative; slopes ``(n, 3)`` from a corner."""
    volume, area = np.zeros_like(level), np.zeros_like(level)
    for corner in np.ndindex(2, 2, 2):
        rest = np.maximum(level - size @ np.array(corner, dtype=np.float64), 0.0)
        square = (-1.0) ** sum(corner) * rest * rest
        volume += square * rest
        area += square
    product = size[:, 0] * size[:, 1] * size[:, 2]
    return np.clip(volume / (6 * product), 0.0, 1.0), np.maximum(area / (2 * product), 0.0)
