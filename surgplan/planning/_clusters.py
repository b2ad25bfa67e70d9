"""Points in clusters, so that a resection is asked only about those that it may come near to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._resection import PlaneResection, Resection

SLACK_MM = 1.0
"""So much may a resection's distance change more than the way between two points."""

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


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
        return cls.gathered(points_mm, np.unique(key, return_inverse=True)[1])

    @classmethod
    def gathered(cls, points_mm: Points, cluster: Places) -> Clusters:
        """Points ``(n, 3)`` of which the cluster is known ``(n,)``."""
        count = np.bincount(cluster)
        sums = [np.bincount(cluster, points_mm[:, axis]) for axis in range(3)]
        centre = np.stack(sums, axis=1) / np.maximum(count, 1)[:, None]
        radius = np.zeros(len(count))
        np.maximum.at(radius, cluster, np.linalg.norm(points_mm - centre[cluster], axis=1))
        return cls(points_mm=points_mm, cluster=cluster, centre_mm=centre, radius_mm=radius)


class Look:
    """A resection's distances at clustered points, worked out where they are asked for.

    Parameters
    ----------
    clusters
        Of the points.
    resection
        What is asked.
    middle_mm
        ``(k,)`` signed distances of the clusters' middles, where they are known already; of those
        that are not `exact`, no more than the distance.
    exact
        ``(k,)`` which of these are exact.
    """

    def __init__(
        self,
        clusters: Clusters,
        resection: Resection,
        *,
        middle_mm: Values | None = None,
        exact: Mask | None = None,
    ) -> None:
        self.points_mm = clusters.points_mm
        self.resection = resection
        self._clusters = clusters
        if middle_mm is None:
            middle_mm = resection.distance_mm(clusters.centre_mm)
        self._middle = middle_mm
        self._exact = np.ones(len(middle_mm), dtype=bool) if exact is None else exact
        self._spread = clusters.radius_mm + SLACK_MM
        self._signed = np.where(self._middle < 0, -np.inf, np.inf)[clusters.cluster]
        self._known = np.zeros(len(self._middle), dtype=bool)

    @property
    def known(self) -> Values:
        """Signed distances ``(n,)``, exact where asked for; elsewhere -inf or inf."""
        return self._signed

    @property
    def cluster(self) -> Places:
        """``(n,)`` which cluster each point is in."""
        return self._clusters.cluster

    @property
    def least_mm(self) -> float:
        """Some point is no farther from the cut than this."""
        return float((np.abs(self._middle) + self._spread).min(initial=np.inf))

    def nearest_cluster(self) -> Mask:
        """``(k,)`` true for the cluster whose middle is nearest to the cut."""
        chosen = np.zeros(len(self._middle), dtype=bool)
        chosen[np.argmin(np.abs(self._middle))] = True
        return chosen

    def reached(self, reach_mm: float) -> Mask:
        """``(k,)`` clusters that may have points within a reach of the cut."""
        return np.abs(self._middle) <= self._spread + reach_mm

    def within(self, reach_mm: float) -> Values:
        """Signed distances ``(n,)``, exact within a reach of the cut; elsewhere -inf or inf."""
        ask((self, self.reached(reach_mm)))
        return self._signed

    def highest(self) -> tuple[float, int]:
        """The largest signed distance, and which point has it."""
        unknown = np.flatnonzero(~self._exact & (self._middle >= 0))
        self._middle[unknown] = self.resection.distance_mm(self._clusters.centre_mm[unknown])
        self._exact[unknown] = True
        may = self._middle + self._spread >= (self._middle - self._spread).max()
        ask((self, may))
        some = np.flatnonzero(may[self._clusters.cluster])
        at = int(some[np.argmax(self._signed[some])])
        return float(self._signed[at]), at

    def unknown(self, wanted: Mask) -> Places:
        """The points of wanted clusters that have not been asked for; they count as known now."""
        new = wanted & ~self._known
        self._known |= new
        return np.flatnonzero(new[self._clusters.cluster])


def looks_at(
    resection: Resection, many: Sequence[Clusters], regions: Clusters, reach_mm: Sequence[float]
) -> tuple[Look, ...]:
    """A look at each of several sets of points, their middles asked for together.

    `regions` are clusters of all the middles: those of a region that is farther away than a set's
    reach are not asked for. Of a reach without end, so are those that have a nearer one beside
    them.
    """
    at = resection.distance_mm(regions.centre_mm)[regions.cluster]
    apart = np.linalg.norm(regions.points_mm - regions.centre_mm[regions.cluster], axis=1)
    least, most = np.abs(at) - apart - SLACK_MM, np.abs(at) + apart + SLACK_MM
    stops = np.cumsum([len(c.centre_mm) for c in many])[:-1]
    exact = []
    for clusters, reach, low, high in zip(
        many, reach_mm, np.split(least, stops), np.split(most, stops), strict=True
    ):
        nearest = float((high + clusters.radius_mm).min(initial=np.inf)) + 2 * SLACK_MM
        exact.append(low <= clusters.radius_mm + SLACK_MM + min(reach, nearest))
    asked = np.concatenate(exact)
    middle = np.copysign(np.maximum(least, 0.0), at)
    middle[asked] = resection.distance_mm(regions.points_mm[asked])
    return tuple(
        Look(clusters, resection, middle_mm=own, exact=known)
        for clusters, own, known in zip(many, np.split(middle, stops), exact, strict=True)
    )


def ask(*wanted: tuple[Look, Mask]) -> None:
    """Work out the distances of wanted clusters of several looks at one resection together."""
    places = [(look, look.unknown(clusters)) for look, clusters in wanted]
    if any(len(p) for _, p in places):
        points = np.concatenate([look.points_mm[p] for look, p in places])
        distance = wanted[0][0].resection.distance_mm(points)
        parts = np.split(distance, np.cumsum([len(p) for _, p in places])[:-1])
        for (look, place), part in zip(places, parts, strict=True):
            look.known[place] = part


def sides(clusters: Clusters, resection: Resection) -> Mask:
    """Which of the points are resected, ``(n,)``."""
    if isinstance(resection, PlaneResection):  # quicker than to leave some out
        return resection.distance_mm(clusters.points_mm) < 0
    spread = float(clusters.radius_mm.max(initial=0.0)) + SLACK_MM
    middle = np.full(len(clusters.centre_mm), 2 * spread)  # farther away nothing counts
    resection.lower(clusters.centre_mm, middle)
    resected: Mask = Look(clusters, resection, middle_mm=middle).within(0.0) < 0
    return resected


def lowest(clusters: Clusters, distance_mm: Callable[[Points], Values]) -> float:
    """The smallest signed distance among the points."""
    middle, spread = distance_mm(clusters.centre_mm), clusters.radius_mm + SLACK_MM
    may = middle - spread <= (middle + spread).min()
    return float(distance_mm(clusters.points_mm[may[clusters.cluster]]).min())
