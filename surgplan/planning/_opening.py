"""How a liver opens along a cut, and what moves with the specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._front import CutFront, Values

_ROUND_MM = 6.0
_NEAREST = 12
_BLEND_MM = 5.0


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

    def gap_mm(self, progress: float) -> Values:
        """Width ``(n,)`` of the opening at each piece of the front."""
        behind = self.front.reached_mm(progress)[self.front.part] - self.front.depth_mm
        behind = np.maximum(behind, 0.0)
        slope = 2 * np.tan(np.radians(self.angle_deg) / 2)
        gap: Values = slope * behind**2 / (behind + _ROUND_MM)  # rounded at the front
        return gap

    def near(self, points_mm: Points) -> sparse.csr_matrix:
        """Weights ``(points, pieces)`` of the pieces of the front near each point."""
        count = min(_NEAREST, len(self.front.points_mm))
        away, piece = cKDTree(self.front.points_mm).query(points_mm, k=count)
        away, piece = away.reshape(-1, count), piece.reshape(-1, count)
        weight = np.exp(-(((away - away[:, :1]) / _BLEND_MM) ** 2))
        weight /= weight.sum(axis=1, keepdims=True)
        rows = np.repeat(np.arange(len(points_mm)), count)
        shape = (len(points_mm), len(self.front.points_mm))
        return sparse.csr_matrix((weight.ravel(), (rows, piece.ravel())), shape=shape)


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
    weights: sparse.csr_matrix

    @classmethod
    def of(cls, opening: Opening, points_mm: Points, moves: npt.NDArray[np.bool_]) -> Carried:
        """Find the pieces of the cut near each point that moves."""
        points, moves = np.array(points_mm, dtype=np.float64), np.array(moves)
        points.flags.writeable = moves.flags.writeable = False
        return cls(
            points_mm=points, moves=moves, opening=opening, weights=opening.near(points[moves])
        )

    def at(self, progress: float) -> Points:
        """Where the points are at a progress of 0..1, ``(n, 3)`` LPS; a few milliseconds."""
        gap = self.opening.gap_mm(progress)[:, None]
        moved = self.points_mm.copy()
        moved[self.moves] += self.weights @ (gap * self.opening.directions[self.opening.front.part])
        return moved
