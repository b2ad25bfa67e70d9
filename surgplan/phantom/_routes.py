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
NEAR_MM = 45.0  # more than the radius of any ball
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
        distance = evaluate(
            lambda p: _liver.liver(individual.bend(p), individual), geometry
        )
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
        dense = densify(points, 1.5)
        self.centres = np.vstack([self.centres, dense])
        self.radii = np.append(self.radii, np.full(len(dense), radius_mm + gap_mm))

    def clearance_mm(self, points: Array, radius_mm: float, start: Array | None = None) -> float:
        """Smallest gap left, infinite where none is near; balls at the ``start`` of a branch, whence it springs, are let be."""
        reach = radius_mm + NEAR_MM
        low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
        near = ((self.centres > low) & (self.centres < high)).all(axis=1)
        centres, radii = self.centres[near], self.radii[near]
        if start is not None:
            away = np.linalg.norm(centres - start, axis=1) > 1.8 * (radii + radius_mm)
            centres, radii = centres[away], radii[away]
        if not len(centres):
            return np.inf
        offsets = points[:, None] - centres
        gaps = np.sqrt(np.einsum("ijk,ijk->ij", offsets, offsets)) - radii
        return float(gaps.min()) - radius_mm


def densify(points: Array, step_mm: float) -> Array:
    """A polyline with more points, at most ``step_mm`` apart."""
    pieces = [points[:1]]
    for a, b in zip(points[:-1], points[1:], strict=True):
        count = max(1, int(np.ceil(np.linalg.norm(b - a) / step_mm)))
        pieces.append(a + (np.arange(1, count + 1) / count)[:, None] * (b - a))
    return np.vstack(pieces)


@dataclass(kw_only=True, eq=False)
class Router:
    """Finds curved ways; ``own`` holds the tree's branches, ``others`` all else."""

    space: LiverSpace
    random: np.random.Generator
    own: Obstacles
    others: Obstacles

    def free(self, points: Array, radius_mm: float) -> bool:
        """Whether a branch along these points stays in the liver and hits nothing."""
        dense = densify(points, 1.5)
        away = np.linalg.norm(dense - points[0], axis=1) > radius_mm + ENTRY_MM
        deep = self.space.depth_mm(dense[away]) - radius_mm - CAPSULE_MM
        return bool(
            (deep > 0).all()
            and self.others.clearance_mm(dense, radius_mm) > 0
            and self.own.clearance_mm(dense, radius_mm, points[0]) > 0
        )

    def way(self, start: Array, tangent: Array, end: Array, radius_mm: float) -> Array | None:
        """A smooth curve from start to end that leaves along the tangent, or None if none is free.

        The straightest is tried first, then ones that swing further and further aside.
        """
        length = float(np.linalg.norm(end - start))
        aside = _perpendicular(end - start)
        for swing, angle in _DETOURS:
            bulge = swing * length * (np.cos(angle) * aside[0] + np.sin(angle) * aside[1])
            points = _curve(start, tangent, end, bulge)
            if self.free(points, radius_mm):
                return points
        return None


_DETOURS = [(0.0, 0.0)] + [
    (swing, angle)
    for swing in (0.12, 0.25, 0.4)
    for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False)
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
