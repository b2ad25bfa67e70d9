"""Implicit shapes: signed distances in millimetres, negative inside, at any points.

Coordinates are ``(3, n)`` float64 arrays (x, y, z in LPS mm), which numpy walks faster than
``(n, 3)``. Distances are exact for spheres and tubes and first-order for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from surgplan.volume import Geometry

Array = npt.NDArray[np.float64]
Distance = Callable[[Array], Array]
FAR_MM = 1e3


@dataclass(frozen=True, kw_only=True, eq=False)
class Blob:
    """A shape by its distance function and the LPS box ``(2, 3)`` that holds it."""

    distance: Distance
    box_mm: Array

    def on(self, window: Geometry) -> npt.NDArray[np.float32]:
        """Distances at every voxel of a grid."""
        return evaluate(self.distance, window)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tubes:
    """A union of polylines with radii: ``starts``, ``ends`` (m, 3), ``radii`` (m, 2) in mm.

    ``reach_mm`` is how far outside a tube its distance is still known; farther is `FAR_MM`.
    """

    starts: Array
    ends: Array
    radii: Array
    reach_mm: float = 4.0

    @property
    def box_mm(self) -> Array:
        """LPS box that holds every tube."""
        grow = float(self.radii.max()) + self.reach_mm
        ends = np.vstack([self.starts, self.ends])
        box: Array = np.array([ends.min(axis=0) - grow, ends.max(axis=0) + grow])
        return box

    def distance(self, p: Array) -> Array:
        """Distance to the union at ``(3, n)`` points."""
        result = np.full(p.shape[1], np.inf)
        for a, b, r in zip(self.starts, self.ends, self.radii, strict=True):
            np.minimum(result, tube(p, a, b, r), out=result)
        return result

    def on(self, window: Geometry) -> npt.NDArray[np.float32]:
        """Distances at every voxel of a grid; each piece is evaluated in its own box."""
        field = np.full(window.shape, FAR_MM, dtype=np.float32)
        for a, b, r in zip(self.starts, self.ends, self.radii, strict=True):
            grow = float(r.max()) + self.reach_mm
            box = index_box(window, np.array([np.minimum(a, b) - grow, np.maximum(a, b) + grow]))
            if box is None:
                continue
            part = evaluate(partial(tube, a=a, b=b, radii=r), subgrid(window, box))
            np.minimum(field[box], part, out=field[box])
        return field


Shape = Blob | Tubes


def tubes(*polylines: tuple[Array, Array | float], reach_mm: float = 4.0) -> Tubes:
    """Tubes from polylines ``(k, 3)``, each with one radius or one per point."""
    starts, ends, radii = [], [], []
    for points, radius in polylines:
        r = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(points))
        starts.append(points[:-1])
        ends.append(points[1:])
        radii.append(np.column_stack([r[:-1], r[1:]]))
    return Tubes(
        starts=np.vstack(starts),
        ends=np.vstack(ends),
        radii=np.vstack(radii),
        reach_mm=reach_mm,
    )


def coordinates(geometry: Geometry) -> Array:
    """LPS millimetres of every voxel centre, ``(3, slices * rows * columns)``."""
    k, r, c = (np.arange(n, dtype=np.float64) for n in geometry.shape)
    affine = geometry.affine
    p = np.empty((3, *geometry.shape))
    for axis in range(3):
        steps = affine[axis]
        p[axis] = (steps[3] + steps[0] * k)[:, None, None] + (
            (steps[1] * r)[:, None] + steps[2] * c
        )
    return p.reshape(3, -1)


def evaluate(distance: Distance, window: Geometry) -> npt.NDArray[np.float32]:
    """A distance function at every voxel, in slabs that fit the processor's cache."""
    field = np.empty(window.shape, dtype=np.float32)
    slab = max(1, 40_000 // (window.shape[1] * window.shape[2]))
    for first in range(0, window.shape[0], slab):
        last = min(first + slab, window.shape[0])
        part = window.window((first, 0, 0), (last, window.shape[1], window.shape[2]))
        field[first:last] = distance(coordinates(part)).reshape(part.shape)
    return field


def index_box(geometry: Geometry, box_mm: Array) -> tuple[slice, slice, slice] | None:
    """Array slices that hold an LPS box, or None where it lies off the grid."""
    corners = np.array(np.meshgrid(*box_mm.T)).reshape(3, -1).T
    indices = geometry.to_index(corners)
    start = np.maximum(np.floor(indices.min(axis=0)), 0).astype(int)
    stop = np.minimum(np.ceil(indices.max(axis=0)) + 1, geometry.shape).astype(int)
    if (start >= stop).any():
        return None
    first, second, third = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return first, second, third


def subgrid(geometry: Geometry, box: tuple[slice, slice, slice]) -> Geometry:
    """The part of a grid inside array slices."""
    return geometry.window(
        (box[0].start, box[1].start, box[2].start), (box[0].stop, box[1].stop, box[2].stop)
    )


def tube(p: Array, a: Array, b: Array, radii: Array) -> Array:
    """Distance to a piece of tube from ``a`` to ``b`` whose radius runs from one to the other."""
    axis = b - a
    x, y, z = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    t = (x * axis[0] + y * axis[1] + z * axis[2]) / max(float(axis @ axis), 1e-12)
    np.clip(t, 0.0, 1.0, out=t)
    x -= t * axis[0]
    y -= t * axis[1]
    z -= t * axis[2]
    distance: Array = np.sqrt(x * x + y * y + z * z) - (radii[0] + t * (radii[1] - radii[0]))
    return distance


def ellipsoid(p: Array, centre: npt.ArrayLike, semi: npt.ArrayLike, turn_deg: float = 0.0) -> Array:
    """Distance to an ellipsoid, first order; ``turn_deg`` turns it about the z axis."""
    c, s = np.asarray(centre, dtype=np.float64), np.asarray(semi, dtype=np.float64)
    x, y, z = p[0] - c[0], p[1] - c[1], p[2] - c[2]
    if turn_deg:
        cos, sin = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
        x, y = cos * x + sin * y, cos * y - sin * x
    x, y, z = x / s[0], y / s[1], z / s[2]
    k = np.sqrt(x * x + y * y + z * z) + 1e-9
    x, y, z = x / s[0], y / s[1], z / s[2]
    distance: Array = k * (k - 1) / (np.sqrt(x * x + y * y + z * z) + 1e-9 / float(s.min()))
    return distance


def column(p: Array, centre: tuple[float, float], semi: tuple[float, float]) -> Array:
    """Distance to an endless upright elliptic column, first order."""
    x, y = (p[0] - centre[0]) / semi[0], (p[1] - centre[1]) / semi[1]
    k = np.sqrt(x * x + y * y) + 1e-9
    x, y = x / semi[0], y / semi[1]
    distance: Array = k * (k - 1) / (np.sqrt(x * x + y * y) + 1e-9 / min(semi))
    return distance


def union(a: Array, b: Array, blend_mm: float) -> Array:
    """Smooth union: the seam is rounded over ``blend_mm``."""
    h = np.maximum(blend_mm - np.abs(a - b), 0.0)
    return np.minimum(a, b) - h * h * (0.25 / blend_mm)


def common(a: Array, b: Array, blend_mm: float) -> Array:
    """Smooth intersection."""
    return -union(-a, -b, blend_mm)


def without(a: Array, b: Array, blend_mm: float) -> Array:
    """Smooth difference, ``a`` less ``b``."""
    return -union(-a, b, blend_mm)


def spline(points: npt.ArrayLike, step_mm: float = 4.0) -> Array:
    """A smooth polyline through points ``(k, 3)`` (Catmull-Rom), pieces of about ``step_mm``."""
    p = np.asarray(points, dtype=np.float64)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        count = max(2, round(float(np.linalg.norm(c - b)) / step_mm) + 1)
        t = np.linspace(0, 1, count)[:-1, None]
        pieces.append(
            b
            + 0.5 * t * (c - a)
            + t**2 * (a - 2.5 * b + 2 * c - 0.5 * d)
            + t**3 * (1.5 * (b - c) + 0.5 * (d - a))
        )
    return np.vstack([*pieces, p[-2][None]])
