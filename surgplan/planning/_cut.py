"""How a resection divides the liver: volumes by partial voxels, and the cut in small patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import OUTSIDE, TISSUES, Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._resection import Resection

_SLACK_MM = 1.0
_FINE_MM = 1.25
_STEP = 0.25
_LEAST_SLOPE = 1e-4
_FOOT_STEPS = 2
_OFF_CUT_MM = 0.05  # at the crease between two wedges a tangent plane may miss the cut

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


def cut_liver(blocks: Blocks, resection: Resection) -> Cut:
    """Divide the liver by a resection.

    Blocks and voxels away from the cut go to one side whole; a voxel that the cut may pass
    through is divided by the tangent plane, in parts of at most 1.25 mm, so that no part of it
    belongs to nobody.
    """
    distance = resection.distance_mm(blocks.centre_mm)
    near = np.abs(distance) <= blocks.radius_mm + _SLACK_MM
    resected = blocks.counts[~near & (distance < 0)].sum(axis=0).astype(np.float64)
    total = blocks.counts.sum(axis=0).astype(np.float64)
    row, column = np.nonzero(blocks.tissue[near])
    tissue = blocks.tissue[near][row, column]
    index = (blocks.first[near][row] + blocks.offsets[column]).astype(np.float64)
    at_voxel = resection.distance_mm(blocks.geometry.to_lps(index))
    divided = np.abs(at_voxel) <= 1.1 * half_diagonal_mm(blocks.geometry.affine[:3, :3]) + 0.05
    whole = ~divided & (at_voxel < 0)
    resected += np.bincount(tissue[whole], minlength=TISSUES)
    taken = whole.astype(np.float64)
    taken[divided], patches = _divide(blocks, resection, index[divided], tissue[divided])
    resected += np.bincount(tissue[divided], weights=taken[divided], minlength=TISSUES)
    volume = blocks.geometry.voxel_volume_mm3
    left = np.flatnonzero(taken < 1)
    return Cut(
        resected_mm3=resected * volume,
        remnant_mm3=(total - resected) * volume,
        patches=patches,
        stays=Stays(
            blocks=np.flatnonzero(~near & (distance >= 0)),
            row=np.flatnonzero(near)[row[left]],
            column=column[left],
            share=1 - taken[left],
        ),
    )


def half_diagonal_mm(steps: npt.NDArray[np.float64]) -> float:
    """From the middle of a voxel with the given edge vectors (columns) to its farthest corner."""
    corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1)
    return float(np.linalg.norm(steps @ corners, axis=0).max())


def _divide(
    blocks: Blocks, resection: Resection, index: Points, tissue: npt.NDArray[np.uint8]
) -> tuple[Values, Patches]:
    """Resected share of each voxel ``(n,)``, and the patches of the cut in all of them."""
    affine = blocks.geometry.affine[:3, :3]
    parts = np.ceil(np.asarray(blocks.geometry.spacing_mm) / _FINE_MM).astype(int)
    steps = affine / parts  # columns: edges of one part of a voxel
    centre = np.stack(np.meshgrid(*map(np.arange, parts), indexing="ij"), -1).reshape(-1, 3)
    offset = (centre + 0.5) / parts - 0.5
    points = blocks.geometry.to_lps((index[:, None, :] + offset).reshape(-1, 3))
    distance = resection.distance_mm(points)
    slope = np.stack([_slope(resection, points, steps[:, axis]) for axis in range(3)], axis=1)
    gradient = slope @ np.linalg.inv(steps)
    length = np.maximum(np.linalg.norm(gradient, axis=1), 1e-9)
    share, density = share_below(distance, slope)
    area = abs(float(np.linalg.det(steps))) * length * density
    met = np.flatnonzero(area > 0)
    normals = gradient[met] / length[met, None]
    foot, off = points[met], distance[met]
    for _ in range(_FOOT_STEPS):
        foot = foot - normals * off[:, None]
        off = resection.distance_mm(foot)
    patches = Patches(
        points_mm=foot,
        normals=normals,
        area_mm2=area[met],
        tissue=np.repeat(tissue, len(centre))[met],
        size_mm=half_diagonal_mm(steps),
    ).where(np.abs(off) <= _OFF_CUT_MM)
    return share.reshape(-1, len(centre)).mean(axis=1), patches


def _slope(resection: Resection, points: Points, step: npt.NDArray[np.float64]) -> Values:
    """Change of the distance over one part of a voxel along an edge."""
    ahead = resection.distance_mm(points + _STEP * step)
    behind = resection.distance_mm(points - _STEP * step)
    return (ahead - behind) / (2 * _STEP)


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
    total = np.maximum(size.sum(axis=1), 1e-12)
    size = np.maximum(size / total[:, None], _LEAST_SLOPE)
    level = 0.5 * size.sum(axis=1) - distance / total
    volume = np.zeros_like(level)
    area = np.zeros_like(level)
    for corner in np.ndindex(2, 2, 2):
        rest = np.maximum(level - size @ np.array(corner, dtype=np.float64), 0.0)
        sign = (-1.0) ** sum(corner)
        volume += sign * rest**3
        area += sign * rest**2
    product = size.prod(axis=1)
    crossed = (level > 0) & (level < size.sum(axis=1))
    share = np.where(crossed, np.clip(volume / (6 * product), 0.0, 1.0), level > 0)
    density = np.where(crossed, np.maximum(area / (2 * product), 0.0), 0.0) / total
    return share, density
