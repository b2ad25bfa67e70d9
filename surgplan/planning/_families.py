"""Many cuts of every kind that clear all tumours, to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.planning._bezier import BezierResection
from surgplan.planning._bezier_start import height_grid
from surgplan.planning._bezier_surface import PatchSurface
from surgplan.planning._bowl import bernstein_square
from surgplan.planning._clusters import lowest
from surgplan.planning._kinds import UnionResection
from surgplan.planning._objectives import Scorer
from surgplan.planning._pareto import non_dominated, spread
from surgplan.planning._plane_family import Scored, TightPlane, tight_planes, wider
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection, takes
from surgplan.planning._search import PlaneSearch, splits
from surgplan.planning._territory_family import serving, territories_with
from surgplan.planning._verify import must_go
from surgplan.planning._wedge import WedgeResection

_CURVED_PLANES = 4
_RADII_MM = (90.0, 180.0)
_HALF_MM = 120.0
_GRID = 4
_SHIFTS = 8
_LAID_MM = 0.05
_SPLITS = 6
_CREASE_MM = 0.1  # where a wedge meets a territory, a margin is computed up to so much too small

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Families:
    """What all kinds of cuts through one liver share."""

    prepared: PreparedLiver
    scorer: Scorer
    margin_mm: float
    seed: int

    @property
    def search(self) -> PlaneSearch:
        """For planes that clear all tumours."""
        every = tuple(range(len(self.prepared.tumours)))
        return PlaneSearch(samples=self.scorer.samples, tumours=every, margin_mm=self.margin_mm)

    def scored(self, name: str, resection: Resection, margin_mm: float | None = None) -> Scored:
        """A cut with its rough objectives; laid with the margin asked for, or another."""
        laid_mm = self.margin_mm if margin_mm is None else margin_mm
        objectives = self.scorer.score(resection, laid_mm)
        return Scored(name=name, resection=resection, objectives=objectives)

    def every(self) -> Iterator[Scored]:
        """Cuts of all kinds, planes and wedges at several margins."""
        search = self.search
        planes = tight_planes(self.scorer, search, self.seed)
        yield from (plane.scored(search) for plane in planes)
        yield from self._curved(planes)
        yield from self._anatomical()
        ids = [shape.tumour.id for shape in self.prepared.tumours]
        for number, laid_mm in enumerate(wider(self.margin_mm)):
            wedge = WedgeResection.on(self.prepared, ids, laid_mm)
            yield self.scored("wedges" if len(ids) > 1 else "wedge", wedge, laid_mm)
            if number % 2 == 0:  # the costliest kind at every other margin
                yield from self._with_wedges(replace(search, margin_mm=laid_mm), wedge)
            try:
                bowl = BezierResection.on(self.prepared, ids, laid_mm)
            except UsageError:  # a patch does not bend as sharply as this margin would need
                continue
            yield self.scored("bowl", bowl, laid_mm)

    def _with_wedges(self, search: PlaneSearch, wedge: WedgeResection) -> Iterator[Scored]:
        """Planes for some of several tumours, wedges for the others."""
        if len(search.tumours) < 2:
            return
        samples = self.scorer.samples
        each = [takes(wedge.only([c.tumour]), samples.coarse) for c in wedge.corridors]
        for split in splits(search, np.stack(each, axis=1), self.seed)[:_SPLITS]:
            others = [c.tumour for n, c in enumerate(wedge.corridors) if n not in split.tumours]
            plane = replace(search, tumours=split.tumours).plane(split.direction)
            yield self.scored("plane-and-wedges", UnionResection(parts=(plane, wedge.only(others))))

    def _anatomical(self) -> Iterator[Scored]:
        """Territories of portal branches that hold every margin, or the tumours' middles only.

        The latter with wedges for what of the margins lies outside.
        """
        portal = self.prepared.perfusions.portal
        if portal is None or not portal.is_known:
            return
        nodes = serving(self.prepared, portal, must_go(self.prepared, self.margin_mm))
        for cut in territories_with(portal, nodes):
            yield self.scored("territory", cut)
        shapes = self.prepared.tumours
        ids = [shape.tumour.id for shape in shapes]
        wedge = WedgeResection.on(self.prepared, ids, self.margin_mm + _CREASE_MM)
        middles = portal.nearest(np.array([s.tumour.centre_mm for s in shapes]))
        for cut in territories_with(portal, middles):
            yield self.scored("territory-and-wedges", UnionResection(parts=(cut, wedge)))

    def _curved(self, planes: Sequence[TightPlane]) -> Iterator[Scored]:
        """Planes that differ much, bent around the tumours along one axis or the other."""
        tight = [p for p in planes if p.margin_mm == self.margin_mm] or list(planes)
        costs = np.array([p.objectives.costs for p in tight])
        best = non_dominated(costs)
        for place in best[spread(costs[best], _CURVED_PLANES, [])]:
            for radius_mm in _RADII_MM:
                for bent in ((1.0, 0.0), (0.0, 1.0)):
                    patch = self._bent(tight[place], np.array(bent) / radius_mm)
                    if patch is not None:
                        yield self.scored("curved", patch)

    def _bent(self, plane: TightPlane, bends_per_mm: Values) -> BezierResection | None:
        """A plane bent around the tumours and moved until it keeps the margin; None if it folds."""
        clusters = self.scorer.samples.hull_clusters
        hull = clusters.points_mm
        across = np.linalg.svd(plane.direction[None])[2][1]
        axes = np.stack([across, np.cross(plane.direction, across), plane.direction])
        centre = hull.mean(axis=0)
        foot = centre + plane.direction * ((hull - centre) @ plane.direction).min()
        square = _HALF_MM**2 / 2 * bernstein_square(_GRID)
        heights = bends_per_mm[0] * square[:, None] + bends_per_mm[1] * square
        points = height_grid(foot, axes, (_HALF_MM, _HALF_MM), heights)
        for _ in range(_SHIFTS):
            lacking = self.margin_mm - lowest(clusters, PatchSurface.of(points).height_mm)
            if lacking <= 0:
                break
            points = points - (lacking + _LAID_MM) * plane.direction
        try:
            return BezierResection(control_points_mm=points)
        except UsageError:
            return None
