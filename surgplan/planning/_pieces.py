"""Voxels that a cut divides: the shares on either side, and the patches between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import OUTSIDE, Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._resection import Resection

FINE_MM = 1.25
OFF_CUT_MM = 0.05
"""At the crease between two wedges a tangent plane may miss the cut."""

_STEP = 0.15
_TETRAHEDRON = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
_LEAST_SLOPE = 1e-4
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
class Piece:
    """What of the voxels of some blocks stays, and the patches of the cut in them.

    Of each voxel that stays in part or whole: `place` in the ravelled tissue of all blocks,
    `tissue`, and the `share` that stays, 0..1.
    """

    place: npt.NDArray[np.int64]
    tissue: npt.NDArray[np.uint8]
    share: Values
    patches: Patches

    @classmethod
    def of(
        cls,
        place: npt.NDArray[np.int64],
        tissue: npt.NDArray[np.uint8],
        taken: Values,
        cut: Patches,
    ) -> Piece:
        """From the resected share of each voxel ``(n,)``."""
        left = np.flatnonzero(taken < 1)
        return cls(place=place[left], tissue=tissue[left], share=1 - taken[left], patches=cut)


def reach_mm(steps: npt.NDArray[np.float64]) -> float:
    """So near to the cut a voxel, or a part of one, with the given edges (columns) is divided."""
    return 1.1 * half_diagonal_mm(steps) + 0.05


def half_diagonal_mm(steps: npt.NDArray[np.float64]) -> float:
    """From the middle of a voxel with the given edge vectors (columns) to its farthest corner."""
    corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1)
    return float(np.linalg.norm(steps @ corners, axis=0).max())


def parts_of(blocks: Blocks) -> tuple[Points, Points]:
    """Middles ``(parts, 3)`` of a voxel's parts in voxels from its own; edges (columns), mm."""
    parts = np.ceil(np.asarray(blocks.geometry.spacing_mm) / FINE_MM).astype(int)
    centre = np.stack(np.meshgrid(*map(np.arange, parts), indexing="ij"), -1).reshape(-1, 3)
    return (centre + 0.5) / parts - 0.5, blocks.geometry.affine[:3, :3] / parts


def shares_of(
    blocks: Blocks,
    index: Points,
    distance: Values,
    slope: Values,
    tissue: npt.NDArray[np.uint8],
) -> tuple[Values, Patches]:
    """Resected share of each voxel ``(n,)``, and the patches of the cut in all of them.

    `index`, `distance` and `slope` are those of all their parts, one voxel after the other.
    """
    offsets, steps = parts_of(blocks)
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


def slopes_of(
    resection: Resection, points: Points, distance: Values, steps: npt.NDArray[np.float64]
) -> Values:
    """Change of the distance over one part of a voxel along each of its edges, ``(n, 3)``.

    0 where the distance ``(n,)`` in its middle is too large for the cut to pass it.
    """
    slopes = np.zeros((len(points), 3))
    met = np.flatnonzero(np.abs(distance) <= reach_mm(steps))
    around = points[met, None] + _STEP * _TETRAHEDRON @ steps.T
    corners = resection.distance_mm(around.reshape(-1, 3)).reshape(-1, len(_TETRAHEDRON))
    slopes[met] = corners @ _TETRAHEDRON / (len(_TETRAHEDRON) * _STEP)
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
