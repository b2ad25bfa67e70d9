"""Ways for a new branch through the liver: inside it, clear of other vessels and of lesions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.phantom import _liver
from surgplan.phantom._individual import Individual
from surgplan.phantom._shapes import Array, evaluate
from surgplan.volume import Geometry

GRID_MM = 3.0
STEP_MM = 1.5
"""Between the points at which a way is checked."""

ENTRY_MM = 5.0
"""How near the start of a branch the surface may be: trunks run in the fissures."""

CAPSULE_MM = 1.5
"""Tissue left between a grown vessel's wall and the surface of the liver."""


@dataclass(kw_only=True, eq=False)
class LiverSpace:
    """Distances to the liver's surface on a grid, for thousands of quick questions."""

    individual: Individual
    geometry: Geometry
    distance_mm: npt.NDArray[np.float32]

    @classmethod
    def of(cls, individual: Individual) -> LiverSpace:
        """Sample the liver of an individual."""
        geometry = Geometry.from_spacing(
            shape=(72, 80, 96), spacing_mm=(GRID_MM,) * 3, origin_mm=(-165, -125, -110)
        )
        distance = evaluate(lambda p: _liver.liver(individual.bend(p), individual), geometry)
        return cls(individual=individual, geometry=geometry, distance_mm=distance)

    def depth_mm(self, points: Array) -> Array:
        """How deep LPS points ``(n, 3)`` lie under the surface; negative outside."""
        indices = ((points - self.geometry.affine[:3, 3]) / GRID_MM).T[::-1]
        depth: Array = -ndimage.map_coordinates(
            self.distance_mm, indices, output=np.float64, order=1, mode="nearest"
        )
        return depth

    def inner_points(self, depth_mm: float) -> Array:
        """Grid points ``(n, 3)`` at least so deep."""
        return self.geometry.to_lps(np.argwhere(self.distance_mm < -depth_mm))

    def segments(self, points: Array) -> npt.NDArray[np.uint8]:
        """Couinaud numbers of LPS points ``(n, 3)``."""
        return _liver.segments(self.individual.bend(np.ascontiguousarray(points.T)))


@dataclass(kw_only=True, eq=False)
class Obstacles:
    """Balls that vessels keep away from: ``centres`` (n, 3) and ``radii`` (n,), gap included."""

    centres: Array = field(default_factory=lambda: np.empty((0, 3)))
    radii: Array = field(default_factory=lambda: np.empty(0))

    def add(self, points: Array, radius_mm: float, gap_mm: float) -> None:
        """Keep away from a polyline with a radius."""
        dense = densify(points, STEP_MM)
        self.extend(Obstacles(centres=dense, radii=np.full(len(dense), radius_mm + gap_mm)))

    def extend(self, others: Obstacles) -> None:
        """Keep away from others too."""
        self.centres = np.vstack([self.centres, others.centres])
        self.radii = np.append(self.radii, others.radii)

    def near(self, start: Array, end: Array, reach_mm: float) -> Obstacles:
        """Those that come within reach of the box from start to end."""
        gap = np.maximum(np.minimum(start, end) - self.centres, 0)
        gap += np.maximum(self.centres - np.maximum(start, end), 0)
        close = gap.max(axis=1) < reach_mm + self.radii
        return Obstacles(centres=self.centres[close], radii=self.radii[close])

    def apart_from(self, start: Array, radius_mm: float) -> Obstacles:
        """Without those around the start of a branch, whence it springs."""
        away = np.linalg.norm(self.centres - start, axis=1) > 1.8 * (self.radii + radius_mm)
        return Obstacles(centres=self.centres[away], radii=self.radii[away])

    def clear_of(self, points: Array, radius_mm: float) -> bool:
        """Whether a polyline with a radius touches none."""
        if not len(self.centres):
            return True
        offsets = points[:, None] - self.centres
        squares = np.einsum("ijk,ijk->ij", offsets, offsets)
        return bool((squares > (self.radii + radius_mm) ** 2).all())


def densify(points: Array, step_mm: float) -> Array:
    """A polyline with points at about equal steps of at most ``step_mm``, its ends kept."""
    lengths = np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1))
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(1, int(np.ceil(along[-1] / step_mm)))
    at = np.linspace(0, along[-1], count + 1)
    dense: Array = np.column_stack([np.interp(at, along, axis) for axis in points.T])
    return dense


@dataclass(kw_only=True, eq=False)
class Router:
    """Finds curved ways; ``own`` holds the tree's branches, ``others`` all else."""

    space: LiverSpace
    random: np.random.Generator
    own: Obstacles
    others: Obstacles

    def way(self, start: Array, tangent: Array, end: Array, radius_mm: float) -> Array | None:
        """A smooth curve from start to end that leaves along the tangent, or None if none is free.

        The straightest is tried first, then ones that swing further and further aside.
        """
        length = float(np.linalg.norm(end - start))
        reach = radius_mm + 0.6 * length
        around = self.others.near(start, end, reach)
        own = self.own.near(start, end, reach).apart_from(start, radius_mm)
        around.extend(own)
        aside = _perpendicular(end - start)
        for swing, angle in _DETOURS:
            bulge = swing * length * (np.cos(angle) * aside[0] + np.sin(angle) * aside[1])
            points = _curve(start, tangent, end, bulge)
            dense = densify(points, STEP_MM)
            away = np.linalg.norm(dense - start, axis=1) > radius_mm + ENTRY_MM
            deep = self.space.depth_mm(dense[away]) > radius_mm + CAPSULE_MM
            if deep.all() and around.clear_of(dense, radius_mm):
                return points
        return None


_DETOURS = [(0.0, 0.0)] + [
    (swing, angle)
    for swing in (0.15, 0.35)
    for angle in np.linspace(0, 2 * np.pi, 6, endpoint=False)
]


def _perpendicular(axis: Array) -> tuple[Array, Array]:
    axis = axis / max(float(np.linalg.norm(axis)), 1e-9)
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first)
    return first, np.cross(axis, first)


def _curve(start: Array, tangent: Array, end: Array, bulge: Array) -> Array:
    """Cubic Bezier from start to end, leaving along the tangent, swung aside by ``bulge``."""
    chord = end - start
    length = float(np.linalg.norm(chord))
    leave = start + tangent * length * 0.3 + bulge
    arrive = end - chord * 0.3 + bulge
    t = np.linspace(0, 1, max(4, int(length / 4) + 2))[:, None]
    curve: Array = (
        (1 - t) ** 3 * start
        + 3 * (1 - t) ** 2 * t * leave
        + 3 * (1 - t) * t**2 * arrive
        + t**3 * end
    )
    return curve
