"""Signed distance to a tumour swept along a straight line, less a margin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._corridor import Corridor
from surgplan.planning._far_tree import far_tree
from surgplan.planning._resection import Vector
from surgplan.planning._runs import Runs
from surgplan.planning._tumours import TumourShape

_STEPS_MM = (0.75, 1.25)  # between nodes, of narrow margins and of others
_NARROW_MM = 5.0
"""Between nodes h apart, a rounding with a radius of m is cut short by about h² / 4m; below this
margin what that lacks is looked up and added."""

_AROUND = np.array([w for w in product((-1.0, 0.0, 1.0), repeat=3) if any(w)])
_AROUND /= np.linalg.norm(_AROUND, axis=1)[:, None]

PAD_MM = 8.0
"""The grid reaches this far beyond the cut, so that a block that the cut passes lies within it."""

_BAND_STEPS = 2.5
_ROUNDING_MM = 1e-9

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SweptTumour:
    """The signed distance field of one corridor, on a grid of its own.

    The first axis of the grid runs along the corridor. There, the distance to the swept tumour is
    the running minimum of the distance to the tumour itself, and above the tumour it no longer
    changes: the corridor goes on with the same walls until its end.

    Attributes
    ----------
    centre_mm
        Origin of the local frame, the tumour's centre, LPS.
    axes
        ``(3, 3)`` unit vectors as rows: along the corridor, and two across.
    low_mm, step_mm
        First node in the local frame ``(3,)``, and the distance between nodes.
    field
        ``(along, across, across)`` float32, mm: distance to the swept tumour less the margin.
    end_mm
        Where the corridor ends, along the first axis.
    """

    centre_mm: Vector
    axes: npt.NDArray[np.float64]
    low_mm: Values
    step_mm: float
    field: npt.NDArray[np.float32]
    end_mm: float

    @classmethod
    @lru_cache(maxsize=32)
    def of(cls, shape: TumourShape, corridor: Corridor, margin_mm: float) -> SweptTumour:
        """Sweep a tumour along its corridor and lay a margin around it."""
        step = _STEPS_MM[margin_mm >= _NARROW_MM]
        lattice = _lattice(shape, corridor.direction, step)
        low, distance = lattice.distance(margin_mm)
        field = np.minimum.accumulate(distance, axis=0) - margin_mm
        if margin_mm < _NARROW_MM:
            field -= lattice.lacking_mm(field, low, margin_mm)
        return cls(
            centre_mm=shape.tumour.centre_mm,
            axes=lattice.axes,
            low_mm=step * low.astype(np.float64),
            step_mm=step,
            field=field.astype(np.float32),
            end_mm=corridor.end_mm,
        )

    @cached_property
    def high_mm(self) -> Values:
        """Last node in the local frame, ``(3,)``."""
        high: Values = self.low_mm + self.step_mm * (np.array(self.field.shape) - 1)
        return high

    @cached_property
    def sheet(self) -> cKDTree:
        """Search tree over points of the cut within the grid, in the local frame."""
        found = []
        for axis in range(3):
            first = self.field.take(range(self.field.shape[axis] - 1), axis=axis)
            second = self.field.take(range(1, self.field.shape[axis]), axis=axis)
            crossed = (first < 0) != (second < 0)
            nodes = np.argwhere(crossed).astype(np.float64)
            a, b = first[crossed].astype(np.float64), second[crossed].astype(np.float64)
            nodes[:, axis] += a / (a - b)
            found.append(self.low_mm + self.step_mm * nodes)
        return far_tree(np.concatenate(found))

    def lower_within(self, runs: Runs, distance: Values) -> None:
        """Lower distances ``(n,)`` in place to those of the points within or above the grid."""
        near = np.ones(len(runs.radius_mm), dtype=bool)
        for axis, middle in enumerate(self._local(runs.centre_mm)):
            near &= middle >= self.low_mm[axis] - runs.radius_mm - _ROUNDING_MM
            if axis:
                near &= middle <= self.high_mm[axis] + runs.radius_mm + _ROUNDING_MM
        within = runs.places(near)
        if not len(within):
            return
        local = self._local(runs.points_mm[within])
        low, high = self.low_mm - _ROUNDING_MM, self.high_mm + _ROUNDING_MM
        on = local[0] >= low[0]  # beyond its end, the corridor goes on
        for axis in (1, 2):
            on &= (local[axis] >= low[axis]) & (local[axis] <= high[axis])
        within, local = within[on], local[:, on]
        index = (local - self.low_mm[:, None]) / self.step_mm
        found = ndimage.map_coordinates(
            self.field, index, order=1, mode="nearest", output=np.float64
        )
        ended = np.maximum(found, local[0] - self.end_mm)
        distance[within] = np.minimum(distance[within], ended)

    def at_least_mm(self, points_mm: Points) -> Values:
        """Lower bounds ``(n,)`` of the distances of points outside the grid; inf within."""
        local = self._local(points_mm)
        local[0] = np.minimum(local[0], self.high_mm[0])
        low, high = self.low_mm[:, None], self.high_mm[:, None]
        away = np.maximum(np.maximum(low - local, local - high), 0.0)
        bound: Values = np.linalg.norm(away, axis=0)
        bound[bound == 0] = np.inf
        return bound

    def search_mm(self, points_mm: Points) -> Values:
        """Distances ``(n,)`` of points outside the grid, by search over the cut."""
        local = self._local(points_mm)
        along = local[0].copy()
        local[0] = np.minimum(along, self.high_mm[0])
        distance: Values = np.maximum(self.sheet.query(local.T)[0], along - self.end_mm)
        return distance

    def _local(self, points_mm: Points) -> Points:
        """Points in the local frame, ``(3, n)``."""
        local: Points = self.axes @ (points_mm - np.asarray(self.centre_mm)).T
        return local


def _axes(direction: Vector) -> npt.NDArray[np.float64]:
    along = np.asarray(direction) / np.linalg.norm(direction)
    helper = np.eye(3)[int(np.argmin(np.abs(along)))]
    across = np.cross(along, helper)
    across /= np.linalg.norm(across)
    axes: npt.NDArray[np.float64] = np.stack([along, across, np.cross(along, across)])
    return axes


class _Lattice:
    """Distances to a tumour at the nodes of a lattice around its centre.

    Exact ones are kept, since the next margin asks for many of them again; what is answered does
    not depend on what was asked before.
    """

    def __init__(self, shape: TumourShape, direction: Vector, step_mm: float) -> None:
        self.axes = _axes(direction)
        self._shape = shape
        self._step = step_mm
        self._surface = (shape.boundary.points_mm - shape.tumour.centre_mm) @ self.axes.T
        self._tree = far_tree(self._surface)
        self._low = np.zeros(3, dtype=np.int64)
        self._exact: Values = np.zeros((0, 0, 0))

    def distance(self, margin_mm: float) -> tuple[npt.NDArray[np.int64], Values]:
        """First node in steps from the centre, and distances around the tumour, mm.

        By search where a cut with this margin will lie, else by transform.
        """
        around = np.full(3, margin_mm + PAD_MM)
        ahead = np.where(np.arange(3) == 0, self._step, around)  # beyond, the corridor goes on
        low = np.floor((self._surface.min(axis=0) - around) / self._step).astype(np.int64)
        high = np.ceil((self._surface.max(axis=0) + ahead) / self._step).astype(np.int64)
        count = high - low + 1
        nodes = self._step * (low + np.stack(np.unravel_index(np.arange(count.prod()), count), 1))
        inside = self._shape.boundary.inside(nodes @ self.axes + self._shape.tumour.centre_mm) > 0
        inside = inside.reshape(count)
        body = inside.copy()
        at = np.round(self._surface / self._step).astype(int) - low  # also what is thin
        body[at[:, 0], at[:, 1], at[:, 2]] = True
        image = sitk.GetImageFromArray(body.astype(np.uint8))
        steps = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=False)
        distance: Values = sitk.GetArrayFromImage(steps).astype(np.float64) * self._step
        ask = np.abs(distance - margin_mm) <= _BAND_STEPS * self._step
        distance[ask] = self._searched(nodes, low, ask)
        distance[ask & inside] *= -1
        return low, distance

    def lacking_mm(self, field: Values, low: npt.NDArray[np.int64], margin_mm: float) -> float:
        """How far points at the margin around the tumour's surface lie outside of a field."""
        index = (self._surface / self._step - low)[:, None] + _AROUND * (margin_mm / self._step)
        found = ndimage.map_coordinates(field, index.reshape(-1, 3).T, order=1, mode="nearest")
        return max(float(found.max()), 0.0)

    def _searched(
        self, nodes: Points, low: npt.NDArray[np.int64], ask: npt.NDArray[np.bool_]
    ) -> Values:
        """Distances at asked nodes of a box of the lattice, from what is known or by search."""
        known = np.full(ask.shape, np.nan)
        first = np.maximum(low, self._low)
        last = np.minimum(low + ask.shape, self._low + self._exact.shape)
        if (first < last).all():
            here, there = (
                tuple(slice(a, b) for a, b in zip(first - start, last - start, strict=True))
                for start in (low, self._low)
            )
            known[here] = self._exact[there]
        wanted = ask & np.isnan(known)
        known[wanted] = self._tree.query(nodes[wanted.ravel()])[0]
        if known.size >= self._exact.size:
            self._low, self._exact = low, known
        return known[ask]


@lru_cache(maxsize=64)
def _lattice(shape: TumourShape, direction: Vector, step_mm: float) -> _Lattice:
    return _Lattice(shape, direction, step_mm)
