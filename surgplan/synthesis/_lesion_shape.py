"""Outlines of lesions: star-shaped bodies of an exact volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.synthesis._lesion_kinds import LesionKind

_WAVES = 7
_DIRECTIONS = 4000


@dataclass(frozen=True, kw_only=True, eq=False)
class LesionShape:
    """A body around a centre, its surface given by a radius for each direction.

    Attributes
    ----------
    radius_mm
        Of the ball of the same volume.
    stretch
        ``(3, 3)``: columns are the axes of an ellipsoid of unit volume, in LPS.
    waves, phases, heights
        ``(m, 3)``, ``(m,)`` and ``(m,)``: bumps on the logarithm of the radius.
    size
        Factor that makes the volume exact.
    """

    radius_mm: float
    stretch: npt.NDArray[np.float64]
    waves: npt.NDArray[np.float64]
    phases: npt.NDArray[np.float64]
    heights: npt.NDArray[np.float64]
    size: float = 1.0

    @classmethod
    def draw(cls, kind: LesionKind, radius_mm: float, rng: np.random.Generator) -> LesionShape:
        """A seeded outline of the kind."""
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        lengths = np.exp(rng.uniform(-1, 1, 3) * np.log(kind.stretch))
        lengths /= np.prod(lengths) ** (1 / 3)
        directions = rng.normal(size=(_WAVES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        raw = cls(
            radius_mm=radius_mm,
            stretch=axes * lengths,
            waves=directions * rng.uniform(1.5, 5.0, (_WAVES, 1)),
            phases=rng.uniform(0, 2 * np.pi, _WAVES),
            heights=rng.normal(0, kind.bumps * np.sqrt(2 / _WAVES), _WAVES),
        )
        cubes = raw.radius_towards_mm(evenly_spread(_DIRECTIONS)) ** 3
        size = radius_mm / float(cubes.mean()) ** (1 / 3)
        return cls(
            radius_mm=radius_mm,
            stretch=raw.stretch,
            waves=raw.waves,
            phases=raw.phases,
            heights=raw.heights,
            size=size,
        )

    @property
    def volume_ml(self) -> float:
        """Exact to the error of averaging over 4,000 directions (below 0.1 percent)."""
        return 4 / 3 * np.pi * self.radius_mm**3 / 1000

    @property
    def largest_diameter_mm(self) -> float:
        """Longest line through the centre."""
        directions = evenly_spread(_DIRECTIONS)
        both = self.radius_towards_mm(directions) + self.radius_towards_mm(-directions)
        return float(both.max())

    @property
    def reach_mm(self) -> float:
        """Largest radius."""
        return float(self.radius_towards_mm(evenly_spread(_DIRECTIONS)).max())

    def radius_towards_mm(self, directions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Distance from the centre to the surface along unit vectors ``(n, 3)``."""
        local = directions @ np.linalg.inv(self.stretch).T
        ellipsoid = 1 / np.maximum(np.linalg.norm(local, axis=1), 1e-9)
        bumps = np.cos(directions @ self.waves.T + self.phases) @ self.heights
        radius: npt.NDArray[np.float64] = self.radius_mm * self.size * ellipsoid * np.exp(bumps)
        return radius


def evenly_spread(count: int) -> npt.NDArray[np.float64]:
    """Unit vectors ``(n, 3)`` spread evenly over the sphere along a spiral."""
    at = np.arange(count) + 0.5
    z = 1 - 2 * at / count
    turn = np.pi * (1 + 5**0.5) * at
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1)
