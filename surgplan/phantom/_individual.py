"""What differs between two bodies: seeded sizes and a smooth warp of all anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.phantom._shapes import Array


def random_stream(seed: int, *purpose: int) -> np.random.Generator:
    """An independent random stream per seed and purpose; the same on every machine."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, *purpose))))


@dataclass(frozen=True, kw_only=True, eq=False)
class Individual:
    """One person's proportions.

    All organs are laid out in one template; `bend` takes LPS points into it and `place` takes
    template points back to LPS.

    Attributes
    ----------
    seed
        Where every other field comes from.
    scale
        ``(3,)`` LPS size of the body against the template along x, y, z.
    fat_mm
        Thickness of the fat under the skin.
    liver
        ``(4,)`` factors on the sizes of right lobe, its lower tip, medial and left lateral part.
    waves, phases, sways_mm
        ``(m, 3)`` wave vectors in 1/mm, ``(m,)`` phases and ``(m, 3)`` amplitudes of the warp.
    """

    seed: int
    scale: Array
    fat_mm: float
    liver: Array
    waves: Array
    phases: Array
    sways_mm: Array

    @classmethod
    def draw(cls, seed: int) -> Individual:
        """The individual of a seed."""
        random = random_stream(seed, 1)
        count = 4
        directions = random.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths_mm = random.uniform(90, 170, size=(count, 1))
        return cls(
            seed=seed,
            scale=random.uniform(0.93, 1.02) * random.uniform(0.98, 1.02, size=3),
            fat_mm=float(random.uniform(12, 20)),
            liver=random.uniform((0.91, 0.8, 0.9, 0.85), (1.01, 1.1, 1.1, 1.15)),
            waves=2 * np.pi * directions / lengths_mm,
            phases=random.uniform(0, 2 * np.pi, size=count),
            sways_mm=random.normal(0, 1.1, size=(count, 3)),
        )

    def bend(self, p: Array) -> Array:
        """LPS ``(3, n)`` to template ``(3, n)``."""
        q = p / self.scale[:, None]
        for wave, phase, sway in zip(self.waves, self.phases, self.sways_mm, strict=True):
            swing = np.sin(wave[0] * p[0] + wave[1] * p[1] + wave[2] * p[2] + phase)
            q += sway[:, None] * swing
        return q

    def place(self, points: npt.ArrayLike) -> Array:
        """Template points ``(n, 3)`` to LPS ``(n, 3)``; the inverse of `bend`."""
        wanted = np.asarray(points, dtype=np.float64)
        placed = wanted * self.scale
        for _ in range(30):  # contracts by about a third each time
            placed = placed + (wanted - self.bend(placed.T).T) * self.scale
        return placed
