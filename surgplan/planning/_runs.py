"""Points in the order in which they are asked for, in runs that lie together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points

_RUN = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Points ``(n, 3)`` LPS in runs of 512, as voxels of one block after another mostly are.

    `centre_mm` ``(k, 3)`` and `radius_mm` ``(k,)`` are a ball around each run.
    """

    points_mm: Points
    centre_mm: Points
    radius_mm: npt.NDArray[np.float64]

    @classmethod
    def of(cls, points_mm: Points) -> Runs:
        """Gather points."""
        starts = np.arange(0, len(points_mm), _RUN)
        if not len(starts):
            return cls(points_mm=points_mm, centre_mm=points_mm, radius_mm=np.zeros(0))
        low = np.stack([np.minimum.reduceat(points_mm[:, a], starts) for a in range(3)], axis=1)
        high = np.stack([np.maximum.reduceat(points_mm[:, a], starts) for a in range(3)], axis=1)
        return cls(
            points_mm=points_mm,
            centre_mm=(low + high) / 2,
            radius_mm=np.linalg.norm(high - low, axis=1) / 2,
        )

    def places(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The places of the points of some runs, rising."""
        places = np.flatnonzero(chosen)[:, None] * _RUN + np.arange(_RUN)
        found: npt.NDArray[np.int64] = places.ravel()
        return found[found < len(self.points_mm)]
