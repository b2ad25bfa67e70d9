"""How a liver opens along a cut, and what moves with the specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._front import CutFront, Values

_ROUND_MM = 6.0
_THIN_MM = 6.0
_BLEND_MM = 4.0
_WIDER = 0.2  # mm of blending more for each mm from the cut, so that nothing tears far away
_CHUNK = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class Opening:
    """The specimen swings away from the remnant as from the spine of a book.

    What is divided opens by an angle: the gap is 0 at the front and grows with the distance along
    the cut behind it. The specimen is carried along one direction for each part of the cut, so
    that a flat cut opens without a change of volume; the remnant lies still.
    """

    front: CutFront
    directions: Points
    angle_deg: float

    @classmethod
    def of(cls, front: CutFront, angle_deg: float) -> Opening:
        """Each part opens along its mean normal, away from the remnant."""
        mean = front.facing()
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        return cls(front=front, directions=-mean / np.maximum(length, 1e-9), angle_deg=angle_deg)

    def gap_mm(self, depth_mm: Values, part: npt.NDArray[np.int64], progress: float) -> Values:
        """Width ``(n,)`` of the opening at depths in parts of the cut."""
        behind = np.maximum(self.front.reached_mm(progress)[part] - depth_mm, 0.0)
        slope = 2 * np.tan(np.radians(self.angle_deg) / 2)
        gap: Values = slope * behind**2 / (behind + _ROUND_MM)  # rounded at the front
        return gap

    def along(self, points_mm: Points) -> tuple[Values, Values]:
        """How much each part carries points ``(n, 3)``, and their depth there, ``(n, parts)``.

        Means over the cut around the nearest place on it, over a wider area for points far away.
        """
        places, depth, part, area = _thinned(self.front)
        share = np.zeros((len(points_mm), self.front.parts))
        deep = np.zeros_like(share)
        member = np.eye(self.front.parts)[part]
        for first in range(0, len(points_mm), _CHUNK):
            points = points_mm[first : first + _CHUNK]
            square = (points**2).sum(axis=1)[:, None] - 2 * points @ places.T
            square = np.maximum(square + (places**2).sum(axis=1), 0.0)
            least = square.min(axis=1, keepdims=True)
            blend = _BLEND_MM + _WIDER * np.sqrt(least)
            weight = area * np.exp(-(square - least) / (2 * blend**2))
            own = weight @ member
            deep[first : first + _CHUNK] = (weight * depth) @ member / np.maximum(own, 1e-30)
            share[first : first + _CHUNK] = own / own.sum(axis=1, keepdims=True)
        return share, deep


def _thinned(front: CutFront) -> tuple[Points, Values, npt.NDArray[np.int64], Values]:
    """Places, depths, parts and areas of the front in cubes of 6 mm."""
    cell = np.floor(front.points_mm / _THIN_MM).astype(np.int64)
    _, first, group = np.unique(
        np.column_stack([cell, front.part]), axis=0, return_index=True, return_inverse=True
    )
    group = group.ravel()
    rows = np.column_stack([front.points_mm, front.depth_mm]).T * front.area_mm2
    area: Values = np.bincount(group, weights=front.area_mm2).astype(np.float64)
    means = np.stack([np.bincount(group, weights=row) for row in rows], axis=1) / area[:, None]
    return means[:, :3], means[:, 3], front.part[first], area


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """Points that move with the specimen; see `Rehearsal.carry`.

    Attributes
    ----------
    points_mm
        ``(n, 3)`` LPS before anything is cut.
    moves
        ``(n,)`` which of them lie on the specimen's side.
    """

    points_mm: Points
    moves: npt.NDArray[np.bool_]
    opening: Opening
    share: Values
    depth_mm: Values

    @classmethod
    def of(cls, opening: Opening, points_mm: Points, moves: npt.NDArray[np.bool_]) -> Carried:
        """Find where along the cut each point that moves lies."""
        points, moves = np.array(points_mm, dtype=np.float64), np.array(moves)
        points.flags.writeable = moves.flags.writeable = False
        share, depth = opening.along(points[moves])
        return cls(points_mm=points, moves=moves, opening=opening, share=share, depth_mm=depth)

    def at(self, progress: float) -> Points:
        """Where the points are at a progress of 0..1, ``(n, 3)`` LPS; a few milliseconds."""
        part = np.arange(self.share.shape[1])
        gap = self.share * self.opening.gap_mm(self.depth_mm, part, progress)
        moved = self.points_mm.copy()
        moved[self.moves] += gap @ self.opening.directions
        return moved
