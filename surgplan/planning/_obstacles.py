"""What must not be hit on a straight way through the body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from surgplan.errors import UsageError
from surgplan.planning._boundary import Points, boundary_of
from surgplan.volume import Geometry, LabelMap, Segment

_CELL_MM = 3.0
_STEP_MM = 0.5
_CHUNK = 400_000

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Obstacles:
    """Structures that a straight instrument must keep away from.

    A coarse distance map says where nothing can be near; only the rest is measured, against the
    sub-voxel surfaces of the structures.

    Attributes
    ----------
    segments
        The structures that the labels have.
    surfaces
        A search tree over the surface points of each.
    slack_mm
        Half the widest spacing: structures count as so much larger, so that what lies between
        their surface points, or hides in a thick slice, is not missed.
    """

    segments: tuple[Segment, ...]
    surfaces: tuple[cKDTree, ...]
    slack_mm: float
    coarse_mm: npt.NDArray[np.float32]
    grid: Geometry

    @classmethod
    def of(cls, label_map: LabelMap, structures: Sequence[Segment]) -> Obstacles:
        """Outline the structures; those that the labels do not have stand in no way.

        Raises `UsageError` for a grid that is sheared.
        """
        geometry = label_map.geometry
        if not geometry.is_orthogonal:
            msg = "access needs a grid with perpendicular axes; resample first"
            raise UsageError(msg)
        found = [(s, label_map.mask(s)) for s in structures if label_map.find(s.code) is not None]
        found = [(segment, mask) for segment, mask in found if mask.any()]
        every = np.zeros(geometry.shape, dtype=bool)
        for _, mask in found:
            every |= mask
        coarse, grid = _coarse(every, geometry)
        return cls(
            segments=tuple(segment for segment, _ in found),
            surfaces=tuple(cKDTree(boundary_of(m, geometry).points_mm) for _, m in found),
            slack_mm=max(geometry.spacing_mm) / 2,
            coarse_mm=coarse,
            grid=grid,
        )

    def clearance_mm(
        self, start_mm: Points, end_mm: Points, *, up_to_mm: float
    ) -> tuple[Values, npt.NDArray[np.int64]]:
        """Smallest distance of straight ways from all structures, and to which.

        Parameters
        ----------
        start_mm, end_mm
            ``(n, 3)`` LPS.
        up_to_mm
            Farther than this does not matter, and counts as this.

        Returns
        -------
        clearance_mm, structure
            ``(n,)`` from the axis of each way to the nearest structure, less the slack, and its
            place in `segments`, -1 where none is near. Exact to about 0.02 mm against the surface
            points.
        """
        nearest = np.full(len(start_mm), up_to_mm)
        which = np.full(len(start_mm), -1, dtype=np.int64)
        if not self.segments:
            return nearest, which
        length = np.linalg.norm(end_mm - start_mm, axis=1)
        stops = np.maximum(2, np.ceil(length / _STEP_MM).astype(np.int64) + 1)
        ends = np.cumsum(stops)
        for first in range(0, int(ends[-1]), _CHUNK):
            number = np.arange(first, min(first + _CHUNK, int(ends[-1])))
            way = np.searchsorted(ends, number, side="right")
            share = (number - (ends[way] - stops[way])) / (stops[way] - 1)
            points = start_mm[way] + share[:, None] * (end_mm[way] - start_mm[way])
            near = self._may_be_near(points, up_to_mm + self.slack_mm)
            self._measure(points[near], way[near], nearest, which)
        return nearest, which

    def _may_be_near(self, points: Points, reach_mm: float) -> npt.NDArray[np.bool_]:
        index = np.rint(self.grid.to_index(points)).astype(np.int64)
        limit = np.asarray(self.grid.shape) - 1
        inside = ((index >= 0) & (index <= limit)).all(axis=1)
        i, j, k = np.clip(index, 0, limit).T
        cell = float(np.linalg.norm(self.grid.spacing_mm))
        near: npt.NDArray[np.bool_] = ~inside | (self.coarse_mm[i, j, k] <= reach_mm + cell)
        return near

    def _measure(
        self,
        points: Points,
        way: npt.NDArray[np.int64],
        nearest: Values,
        which: npt.NDArray[np.int64],
    ) -> None:
        """Lower the nearest distances of ways in place by those of some of their points."""
        for place, surface in enumerate(self.surfaces):
            limit = float(nearest.max()) + self.slack_mm
            away = surface.query(points, distance_upper_bound=limit)[0] - self.slack_mm
            closest = np.full(len(nearest), np.inf)
            np.minimum.at(closest, way, away)
            better = closest < nearest
            nearest[better], which[better] = closest[better], place


def _coarse(
    mask: npt.NDArray[np.bool_], geometry: Geometry
) -> tuple[npt.NDArray[np.float32], Geometry]:
    """Distances from cells of about 3 mm to the nearest one that holds any of the mask."""
    size = np.maximum(1, np.round(_CELL_MM / np.asarray(geometry.spacing_mm))).astype(int)
    padded = np.pad(mask, [(0, int(-n % s)) for n, s in zip(mask.shape, size, strict=True)])
    cells = np.array(padded.shape) // size
    split = padded.reshape(cells[0], size[0], cells[1], size[1], cells[2], size[2])
    held = split.any(axis=(1, 3, 5))
    affine = geometry.affine.copy()
    affine[:3, :3] *= size
    affine[:3, 3] = geometry.to_lps((size - 1) / 2)
    grid = Geometry(shape=held.shape, affine=affine)
    if not held.any():
        return np.full(held.shape, np.inf, dtype=np.float32), grid
    away = ndimage.distance_transform_edt(~held, sampling=grid.spacing_mm)
    return away.astype(np.float32), grid
