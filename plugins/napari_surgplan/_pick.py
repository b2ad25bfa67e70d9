"""What lies under the pointer: a ray against surfaces, a point against vessels and handles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.mesh import Surface

Points = npt.NDArray[np.float64]

_PARALLEL = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Hit:
    """Where a ray meets a surface first: which, where (LPS), and how far along."""

    surface: Surface
    point_mm: Points
    along_mm: float


def first_hit(surfaces: Iterable[Surface], origin_mm: Points, direction: Points) -> Hit | None:
    """The first surface that a straight line meets, seen from far behind its origin.

    Moeller and Trumbore 1997, doi:10.1080/10867651.1997.10487468.

    Parameters
    ----------
    surfaces
        To choose from.
    origin_mm, direction
        ``(3,)`` LPS: any point of the line, and where it goes.
    """
    unit = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    best: Hit | None = None
    for surface in surfaces:
        along = _first(surface, np.asarray(origin_mm, dtype=np.float64), unit)
        if along is not None and (best is None or along < best.along_mm):
            best = Hit(surface=surface, point_mm=origin_mm + along * unit, along_mm=along)
    return best


def _first(surface: Surface, origin: Points, unit: Points) -> float | None:
    a, b, c = (surface.points[surface.triangles[:, k]] for k in range(3))
    one, two = b - a, c - a
    across = np.cross(unit, two)
    size = (one * across).sum(axis=1)
    slanted = np.abs(size) > _PARALLEL
    size = np.where(slanted, size, 1.0)
    off = origin - a
    u = (off * across).sum(axis=1) / size
    turned = np.cross(off, one)
    v = (turned @ unit) / size
    hit = slanted & (u >= 0) & (v >= 0) & (u + v <= 1)
    if not hit.any():
        return None
    return float(((two * turned).sum(axis=1) / size)[hit].min())


def nearest_to_ray(points_mm: Points, origin_mm: Points, direction: Points) -> tuple[int, float]:
    """Which of ``(n, 3)`` points lies nearest to a straight line, and how far from it."""
    unit = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    off = points_mm - origin_mm
    away = np.linalg.norm(off - (off @ unit)[:, None] * unit, axis=1)
    best = int(np.argmin(away))
    return best, float(away[best])
