"""An open path in a plane that goes on straight at both ends, and the distance to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_SAME_MM = 1e-6
_END_MM = 10.0
_CELL_MM = 8.0
_FEW = 50_000
_STRAIGHT_BACK = -0.9999
_PARALLEL = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Polyline:
    """Straight pieces one after the other; the first and the last have no end.

    Attributes
    ----------
    starts, units
        ``(s, 2)`` a point on each piece, and its direction along the path.
    low, high
        ``(s,)`` where each piece begins and ends, in mm from its start.
    vertices
        ``(s - 1,)`` index of the path's point between each piece and the next.
    """

    starts: Values
    units: Values
    low: Values
    high: Values
    vertices: npt.NDArray[np.int64]

    @classmethod
    def of(cls, path: Values) -> Polyline:
        """Through points ``(k, 2)`` in mm, of which not all are the same."""
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        kept = np.concatenate([[0], 1 + np.flatnonzero(steps > _SAME_MM)])
        points = path[kept]
        edges = np.diff(points, axis=0)
        lengths = np.linalg.norm(edges, axis=1)
        units = edges / lengths[:, None]
        first, last = -_end(points[::-1], -units[0]), _end(points, units[-1])
        return cls(
            starts=np.concatenate([points[:1], points]),
            units=np.concatenate([first[None], units, last[None]]),
            low=np.concatenate([[-np.inf], np.zeros(len(lengths) + 1)]),
            high=np.concatenate([[0.0], lengths, [np.inf]]),
            vertices=kept,
        )

    def left_mm(self, points: Values) -> Values:
        """Signed distances ``(n,)`` of points ``(n, 2)``; positive to the left of the path."""
        if len(points) * len(self.starts) <= _FEW:
            return self._signed(points, np.arange(len(self.starts)))
        result = np.zeros(len(points))
        cells = np.floor(points / _CELL_MM).astype(np.int64)
        cells -= cells.min(axis=0)
        _, which = np.unique(
            cells[:, 0] * (cells[:, 1].max() + 1) + cells[:, 1], return_inverse=True
        )
        order = np.argsort(which, kind="stable")
        for members in np.split(order, np.cumsum(np.bincount(which))[:-1]):
            inside = points[members]
            middle = (inside.min(axis=0) + inside.max(axis=0)) / 2
            radius = float(np.linalg.norm(inside - middle, axis=1).max())
            away = self._offsets(middle[None], slice(None))[1][0]
            near = np.flatnonzero(away <= away.min() + 2 * radius + _SAME_MM)
            result[members] = self._signed(inside, near)
        return result

    def crossing(self) -> int | None:
        """Index of a point of the path where it turns straight back or crosses itself, or None."""
        back = np.flatnonzero((self.units[:-1] * self.units[1:]).sum(axis=1) < _STRAIGHT_BACK)
        if len(back):
            return int(self.vertices[back[0]])
        first, second = np.triu_indices(len(self.starts), k=2)
        u, v = self.units[first], self.units[second]
        apart = self.starts[second] - self.starts[first]
        turn = _cross(u, v)
        slanted = np.abs(turn) > _PARALLEL
        turn = np.where(slanted, turn, 1.0)
        at_first, at_second = _cross(apart, v) / turn, _cross(apart, u) / turn
        met = slanted
        for at, piece in ((at_first, first), (at_second, second)):
            met = met & (at >= self.low[piece] - _SAME_MM) & (at <= self.high[piece] + _SAME_MM)
        hit = np.flatnonzero(met)
        return int(self.vertices[max(first[hit[0]] - 1, 0)]) if len(hit) else None

    @cached_property
    def _corner_normals(self) -> Values:
        """Means ``(s - 1, 2)`` of the left normals of each piece and the next."""
        left = np.stack([-self.units[:, 1], self.units[:, 0]], axis=1)
        means: Values = left[:-1] + left[1:]
        return means

    def _offsets(
        self, points: Values, pieces: npt.NDArray[np.int64] | slice
    ) -> tuple[Values, Values]:
        """Place along each piece of the nearest point, and distance from it, ``(n, pieces)``."""
        off = points[:, None, :] - self.starts[pieces]
        units = self.units[pieces]
        along = (off * units).sum(axis=-1)
        at = np.clip(along, self.low[pieces], self.high[pieces])
        across = off[..., 1] * units[:, 0] - off[..., 0] * units[:, 1]
        return at, np.hypot(across, along - at)

    def _signed(self, points: Values, pieces: npt.NDArray[np.int64]) -> Values:
        """Signed distances of points whose nearest piece is among some, in order."""
        at, away = self._offsets(points, pieces)
        best = np.argmin(away, axis=1)
        row = np.arange(len(points))
        at, away, piece = at[row, best], away[row, best], pieces[best]
        off = points - self.starts[piece]
        side = _cross(self.units[piece], off)
        for corner, ends in ((piece, at >= self.high[piece]), (piece - 1, at <= self.low[piece])):
            turn = np.flatnonzero(ends)
            foot = off[turn] - at[turn, None] * self.units[piece[turn]]
            side[turn] = (self._corner_normals[corner[turn]] * foot).sum(axis=1)
        signed: Values = np.copysign(away, side)
        return signed


def _end(points: Values, last: Values) -> Values:
    """Unit vector from 10 mm before the end of a path to its end."""
    back = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points[::-1], axis=0), axis=1))])
    at = min(_END_MM, back[-1])
    before = np.array([np.interp(at, back, points[::-1, axis]) for axis in (0, 1)])
    way: Values = points[-1] - before
    length = float(np.linalg.norm(way))
    return way / length if length > _SAME_MM else last


def _cross(a: Values, b: Values) -> Values:
    product: Values = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product
