"""Centrelines as voxels that follow each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """A forest of voxels on cubes.

    Attributes
    ----------
    index
        ``(n, 3)`` voxels.
    radius_mm
        ``(n,)`` distance of each to the wall.
    edges
        ``(m, 2)`` pairs of places; no loop.
    """

    index: Places
    radius_mm: Values
    edges: Places

    def with_more(self, index: Places, radius_mm: Values, edges: Places) -> Lines:
        """Voxels added behind these, and edges to or between them."""
        return Lines(
            index=np.concatenate([self.index, index]),
            radius_mm=np.concatenate([self.radius_mm, radius_mm]),
            edges=np.concatenate([self.edges, edges]),
        )
