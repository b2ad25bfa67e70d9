"""What makes one cut better than another, exactly and for many cuts at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._assessment import Assessment
from surgplan.planning._bezier import BezierResection
from surgplan.planning._clusters import Look
from surgplan.planning._cut import Cut, cut_liver
from surgplan.planning._perfusion import Perfusion
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import PlaneResection, Resection, takes
from surgplan.planning._samples import Samples
from surgplan.planning._tree_nodes import Mask

ENOUGH_MM = 20.0
"""A wider margin counts as this one."""

_ROUGH_STEPS = 1.25  # half-width of the band in which the area of a cut is counted, in samples

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Five numbers by which cuts are weighed against each other, and one that limits them.

    Attributes
    ----------
    margin_mm
        Smallest margin of all tumours, at most 20 mm; more is better.
    flr_percent
        Functional remnant of the measured functional liver: what keeps supply and drainage, as far
        as vessels are known; more is better.
    downstream_ml
        Liver behind the portal branches that are divided, and behind the hepatic veins, summed;
        less is better.
    cut_area_mm2
        Less is better.
    bend
        1 - length of the mean normal of the cut: 0 flat, 0.5 half a sphere, 1 all around; less is
        better.
    left_percent
        Remnant of the measured functional liver by volume, whatever its vessels; not weighed.
    """

    margin_mm: float
    flr_percent: float
    downstream_ml: float
    cut_area_mm2: float
    bend: float
    left_percent: float

    @property
    def costs(self) -> tuple[float, float, float, float, float]:
        """All five, so that less is better."""
        return (
            -self.margin_mm,
            -self.flr_percent,
            self.downstream_ml,
            self.cut_area_mm2,
            self.bend,
        )


def objectives_of(
    prepared: PreparedLiver, resection: Resection, assessment: Assessment, *, cut: Cut | None = None
) -> Objectives:
    """Exactly, from an assessment of the resection, its cut, and what its vessels serve."""
    patches = (cut or cut_liver(prepared.blocks, resection)).patches.in_liver()
    area = float(patches.area_mm2.sum())
    mean = np.linalg.norm(patches.area_mm2 @ patches.normals) / max(area, 1e-9)
    function = assessment.function
    margin = assessment.smallest_margin_mm
    return Objectives(
        margin_mm=ENOUGH_MM if margin is None else min(margin, ENOUGH_MM),
        flr_percent=assessment.flr_percent if function is None else function.flr_percent,
        downstream_ml=sum(_behind_ml(p, p.lost(resection)) for p in prepared.perfusions.known()),
        cut_area_mm2=assessment.cut_area_mm2,
        bend=0.0 if isinstance(resection, PlaneResection) else max(1 - float(mean), 0.0),
        left_percent=assessment.flr_percent,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scorer:
    """The same roughly, in about a millisecond for a plane: for searching only.

    Attributes
    ----------
    samples
        The case, thinned out.
    perfusions, nearest
        Each vessel system that is known, and the node that serves each coarse sample.
    tumour
        ``(n,)`` which coarse samples lie in a tumour.
    """

    samples: Samples
    perfusions: tuple[Perfusion, ...]
    nearest: tuple[npt.NDArray[np.int32], ...]
    tumour: Mask

    @classmethod
    def of(cls, prepared: PreparedLiver, samples: Samples) -> Scorer:
        """Look up what serves the samples of a case."""
        perfusions = prepared.perfusions.known()
        tumour = np.zeros(len(samples.coarse), dtype=bool)
        for shape in prepared.tumours:
            tumour |= shape.boundary.inside(samples.coarse) > 0
        return cls(
            samples=samples,
            perfusions=perfusions,
            nearest=tuple(p.node_of.ravel()[samples.coarse_at] for p in perfusions),
            tumour=tumour,
        )

    def score(self, resection: Resection, margin_mm: float) -> Objectives:
        """Objectives from the coarse samples, for a cut that is laid with a margin."""
        samples = self.samples
        distance = self._near_mm(resection)
        resected = distance < 0
        stays = ~resected & ~self.tumour
        works = stays.copy()
        downstream_ml = 0.0
        for perfusion, nearest in zip(self.perfusions, self.nearest, strict=True):
            lost = perfusion.lost(resection)
            downstream_ml += _behind_ml(perfusion, lost)
            works &= ~lost[nearest]
        area = self._area_mm2(distance)
        healthy = max(int((~self.tumour).sum()), 1)
        flat = isinstance(resection, PlaneResection)
        bend = 0.0 if flat else 1 - np.linalg.norm(samples.facing_mm2(resected)) / max(area, 1e-9)
        return Objectives(
            margin_mm=min(margin_mm, ENOUGH_MM),
            flr_percent=100 * float(works.sum()) / healthy,
            downstream_ml=downstream_ml,
            cut_area_mm2=area,
            bend=float(np.clip(bend, 0.0, 1.0)),
            left_percent=100 * float(stays.sum()) / healthy,
        )

    def taken(self, resection: Resection) -> Mask:
        """Which coarse samples are resected."""
        return takes(resection, self.samples.coarse)

    def _near_mm(self, resection: Resection) -> Values:
        """Distances of the coarse samples near the cut; elsewhere only the side is right."""
        if isinstance(resection, BezierResection):
            near = Look(self.samples.clusters, resection).within(self._band_mm)
            return np.minimum(near, self._band_mm)
        distance = np.full(len(self.samples.coarse), self._band_mm)
        resection.lower(self.samples.coarse, distance)
        return distance

    @property
    def _band_mm(self) -> float:
        """Half-width of the band in which the area of a cut is counted."""
        return float(_ROUGH_STEPS * self.samples.coarse_mm3 ** (1 / 3))

    def _area_mm2(self, distance: Values) -> float:
        """Volume of a band around the cut by its width, nearer samples counting more."""
        weight = np.maximum(1 - np.abs(distance) / self._band_mm, 0.0) / self._band_mm
        return float(weight.sum() * self.samples.coarse_mm3)


def _behind_ml(perfusion: Perfusion, lost: Mask) -> float:
    """Liver that the lost nodes serve, each millilitre once."""
    nodes = perfusion.nodes
    above = np.where(nodes.above < 0, 0, nodes.above)
    first = lost & ((nodes.above < 0) | ~lost[above])
    return float(perfusion.downstream_ml[first].sum())
