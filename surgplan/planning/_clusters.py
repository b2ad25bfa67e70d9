"""Points in clusters, so that a resection is asked only about those that it may come near to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._resection import Resection

SLACK_MM = 1.0
"""So much may a resection's distance change more than the way between two points."""

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Points gathered by cubes.

    Attributes
    ----------
    points_mm
        ``(n, 3)`` LPS.
    cluster
        ``(n,)`` which cluster each point is in.
    centre_mm, radius_mm
        ``(k, 3)`` and ``(k,)``: a ball around each cluster.
    """

    points_mm: Points
    cluster: Places
    centre_mm: Points
    radius_mm: Values

    @classmethod
    def of(cls, points_mm: Points, edge_mm: float) -> Clusters:
        """Gather points ``(n, 3)`` by cubes of an edge length."""
        cell = np.floor((points_mm - points_mm.min(axis=0, initial=np.inf)) / edge_mm)
        key = cell.astype(np.int64) @ np.array([1 << 42, 1 << 21, 1])
        _, cluster, count = np.unique(key, return_inverse=True, return_counts=True)
        sums = [np.bincount(cluster, points_mm[:, axis]) for axis in range(3)]
        centre = np.stack(sums, axis=1) / np.maximum(count, 1)[:, None]
        radius = np.zeros(len(count))
        np.maximum.at(radius, cluster, np.linalg.norm(points_mm - centre[cluster], axis=1))
        return cls(points_mm=points_mm, cluster=cluster, centre_mm=centre, radius_mm=radius)


class Look:
    """A resection's distances at clustered points, worked out where they are asked for."""

    def __init__(self, clusters: Clusters, resection: Resection) -> None:
        self.points_mm = clusters.points_mm
        self._clusters = clusters
        self._resection = resection
        self._middle = resection.distance_mm(clusters.centre_mm)
        self._spread = clusters.radius_mm + SLACK_MM
        self._signed = np.where(self._middle < 0, -np.inf, np.inf)[clusters.cluster]
        self._known = np.zeros(len(self._middle), dtype=bool)

    @property
    def least_mm(self) -> float:
        """Some point is no farther from the cut than this."""
        return float((np.abs(self._middle) + self._spread).min(initial=np.inf))

    def within(self, reach_mm: float) -> Values:
        """Signed distances ``(n,)``, exact within a reach of the cut; elsewhere -inf or inf."""
        self._ask(np.abs(self._middle) <= self._spread + reach_mm)
        return self._signed

    def highest(self) -> tuple[float, int]:
        """The largest signed distance, and which point has it."""
        may = self._middle + self._spread >= (self._middle - self._spread).max()
        self._ask(may)
        some = np.flatnonzero(may[self._clusters.cluster])
        at = int(some[np.argmax(self._signed[some])])
        return float(self._signed[at]), at

    def _ask(self, wanted: npt.NDArray[np.bool_]) -> None:
        new = wanted & ~self._known
        places = np.flatnonzero(new[self._clusters.cluster])
        if len(places):
            self._signed[places] = self._resection.distance_mm(self.points_mm[places])
        self._known |= new


def sides(clusters: Clusters, resection: Resection) -> npt.NDArray[np.bool_]:
    """Which of the points are resected, ``(n,)``."""
    resected: npt.NDArray[np.bool_] = Look(clusters, resection).within(0.0) < 0
    return resected
