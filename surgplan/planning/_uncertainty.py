"""What the error of a segmentation means for the decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._assessment import Assessment
from surgplan.planning._boundary import Points
from surgplan.planning._boundary_error import BoundaryError
from surgplan.planning._cut import cut_liver
from surgplan.planning._margins import Sheet
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection
from surgplan.planning._surface_nodes import SurfaceNodes, surface_nodes
from surgplan.planning._tumours import TumourShape

LEVEL = 0.9
"""Intervals hold the truth this often, if the boundary error is as stated."""

R1_MM = 1.0

_LIVER_PIECE_MM = 9.0
_TUMOUR_PIECE_MM = 3.0
_MOST_PIECES = 1200
_DRAWS = 2000
_LIVER, _FIRST_TUMOUR = 0, 1

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a number lies with a probability of 90 %."""

    low: float
    high: float

    @classmethod
    def of(cls, draws: Values) -> Interval:
        """From the 5 % to the 95 % quantile."""
        low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(low=float(low), high=float(high))

    @property
    def width(self) -> float:
        """From low to high."""
        return self.high - self.low


@dataclass(frozen=True, kw_only=True)
class MarginRisk:
    """The margin of a tumour with its error: interval, and chances that it is too small."""

    name: str
    margin_mm: Interval
    below_1_mm: float
    below_wanted: float


@dataclass(frozen=True, kw_only=True)
class RemnantRisk:
    """A threshold with the chance that the remnant misses it."""

    name: str
    minimum_percent: float
    value_percent: Interval
    below: float


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A structure with its share of the variance of the FLR, 0..1."""

    structure: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """An assessment with the error of the segmentation in it.

    Attributes
    ----------
    error
        Of the boundaries, as stated.
    flr_percent, functional_flr_percent
        Of the measured functional liver; by volume, and what keeps its vessels (None where these
        are not known).
    remnant_ml
        Future liver remnant, without tumour.
    margins
        Of each tumour that is resected, at least in part.
    verdicts
        Each threshold.
    drivers
        What the width of `flr_percent` comes from, largest first; shares sum to 1.
    """

    error: BoundaryError
    flr_percent: Interval
    functional_flr_percent: Interval | None
    remnant_ml: Interval
    margins: tuple[MarginRisk, ...]
    verdicts: tuple[RemnantRisk, ...]
    drivers: tuple[Driver, ...]


def uncertainty(
    prepared: PreparedLiver,
    resection: Resection,
    assessment: Assessment,
    error: BoundaryError,
    *,
    seed: int = 0,
) -> Uncertainty:
    """Carry the error of the boundaries into FLR, margins and thresholds.

    Boundaries of liver and tumours move in and out together over `BoundaryError.correlation_mm`,
    each structure on its own, 2000 times; the cut stays where it is. Volumes change by area times
    displacement, which holds for displacements that are small beside the structure. Vessel trees
    and the error of where they run play no part.

    Parameters
    ----------
    prepared, resection, assessment
        A resection and what was found for it.
    error
        Stated, or by `BoundaryError.from_confidence`.
    seed
        The same seed gives the same numbers.
    """
    liver = _liver_nodes(prepared)
    moved = error.draws(liver.points_mm, error.liver_mm, _DRAWS, (seed, _LIVER)) * (
        liver.area_mm2 / 1000
    )
    stays, works = _weights(prepared, resection, liver)
    tumours = [_TumourDraws.of(shape, resection, error, seed) for shape in prepared.tumours]
    of_liver = _Change(total=moved.sum(axis=1), remnant=moved @ stays, working=moved @ works)
    changes = [of_liver, *(t.change for t in tumours)]
    draws = [_ratios(assessment, [c]) for c in changes]
    flr, working, remnant = _ratios(assessment, changes)
    known = assessment.function is not None
    return Uncertainty(
        error=error,
        flr_percent=Interval.of(flr),
        functional_flr_percent=Interval.of(working) if known else None,
        remnant_ml=Interval.of(remnant),
        margins=_margins(prepared, resection, assessment, tumours),
        verdicts=_verdicts(assessment, flr, remnant),
        drivers=_drivers(prepared, [float(np.var(d[0])) for d in draws]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Change:
    """Millilitres of functional liver gained, ``(draws,)``: all, in the remnant, still working."""

    total: Values
    remnant: Values
    working: Values


@dataclass(frozen=True, kw_only=True, eq=False)
class _TumourDraws:
    """A tumour's boundary: pieces, displacements ``(draws, n)``, and what they do to volumes."""

    nodes: SurfaceNodes
    outwards_mm: Values
    change: _Change

    @classmethod
    def of(
        cls, shape: TumourShape, resection: Resection, error: BoundaryError, seed: int
    ) -> _TumourDraws:
        nodes = _pieces(shape)
        key = (seed, _FIRST_TUMOUR + shape.tumour.id)
        outwards = error.draws(nodes.points_mm, error.tumour_mm, _DRAWS, key)
        grown = outwards * nodes.area_mm2 / 1000
        stays = (resection.distance_mm(nodes.points_mm) > 0).astype(np.float64)
        change = _Change(
            total=-grown.sum(axis=1), remnant=-(grown @ stays), working=-(grown @ stays)
        )
        return cls(nodes=nodes, outwards_mm=outwards, change=change)


def _pieces(shape: TumourShape) -> SurfaceNodes:
    """A tumour's boundary in at most so many pieces."""
    boundary = shape.boundary
    size = _TUMOUR_PIECE_MM
    while True:
        nodes = surface_nodes(boundary.field > 0, boundary.geometry, size)
        if len(nodes.area_mm2) <= _MOST_PIECES:
            return nodes
        size *= 1.5


def _liver_nodes(prepared: PreparedLiver) -> SurfaceNodes:
    size = _LIVER_PIECE_MM
    while True:
        nodes = surface_nodes(prepared.liver, prepared.blocks.geometry, size)
        if len(nodes.area_mm2) <= _MOST_PIECES:
            return nodes
        size *= 1.3


def _weights(
    prepared: PreparedLiver, resection: Resection, nodes: SurfaceNodes
) -> tuple[Values, Values]:
    """How much of each piece of the liver's surface stays, and stays with all its vessels."""
    width = np.sqrt(nodes.area_mm2)
    distance = resection.distance_mm(nodes.points_mm)
    stays = np.clip(distance / np.maximum(width, 1e-6) + 0.5, 0.0, 1.0)
    works = stays.copy()
    for perfusion in prepared.perfusions.known():
        works[perfusion.lost(resection)[perfusion.nearest(nodes.points_mm)]] = 0.0
    return stays, works


def _ratios(assessment: Assessment, changes: list[_Change]) -> tuple[Values, Values, Values]:
    """FLR %, functional FLR % and remnant ml in each draw."""
    whole = assessment.functional_ml + sum(c.total for c in changes)
    remnant = assessment.remnant_functional_ml + sum(c.remnant for c in changes)
    function = assessment.function
    base = 0.0 if function is None else function.functional_ml
    working = base + sum(c.working for c in changes)
    whole = np.maximum(whole, 1e-9)
    return 100 * remnant / whole, 100 * working / whole, np.asarray(remnant)


def _margins(
    prepared: PreparedLiver,
    resection: Resection,
    assessment: Assessment,
    tumours: list[_TumourDraws],
) -> tuple[MarginRisk, ...]:
    sheet = Sheet.of(cut_liver(prepared.blocks, resection).patches)
    risks = []
    for found, draws in zip(assessment.tumours, tumours, strict=True):
        if found.side == "left behind":
            continue
        margin = _depths(draws.nodes.points_mm, resection, sheet)
        margin += found.margin_mm - margin.min()  # pieces are coarser than the boundary itself
        smallest = (margin - draws.outwards_mm).min(axis=1)
        risks.append(
            MarginRisk(
                name=found.name,
                margin_mm=Interval.of(smallest),
                below_1_mm=float((smallest < R1_MM).mean()),
                below_wanted=float((smallest < assessment.margin_mm).mean()),
            )
        )
    return tuple(risks)


def _depths(points: Points, resection: Resection, sheet: Sheet | None) -> Values:
    """How deep points lie on the resected side; what stays is negative."""
    signed = resection.distance_mm(points)
    if sheet is None:
        return -signed
    return np.where(signed < 0, sheet.distance_mm(points), -signed)


def _verdicts(assessment: Assessment, flr: Values, remnant: Values) -> tuple[RemnantRisk, ...]:
    risks = []
    for verdict in assessment.verdicts:
        scale = verdict.value_percent / max(assessment.remnant_functional_ml, 1e-9)
        values = flr if verdict.denominator == "measured" else remnant * scale
        risks.append(
            RemnantRisk(
                name=verdict.name,
                minimum_percent=verdict.minimum_percent,
                value_percent=Interval.of(values),
                below=float((values < verdict.minimum_percent).mean()),
            )
        )
    return tuple(risks)


def _drivers(prepared: PreparedLiver, variances: list[float]) -> tuple[Driver, ...]:
    names = ["liver", *(f"tumour {shape.tumour.id}" for shape in prepared.tumours)]
    total = max(sum(variances), 1e-30)
    drivers = [Driver(structure=n, share=v / total) for n, v in zip(names, variances, strict=True)]
    return tuple(sorted(drivers, key=lambda d: -d.share))
