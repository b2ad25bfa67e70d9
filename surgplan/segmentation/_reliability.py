"""How far a model's volumes and boundaries were off on cases that it had never seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surgplan.errors import UsageError

COVERAGE = 0.9


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Bounds for one structure that hold for 9 of 10 cases like those they were measured on.

    Attributes
    ----------
    volume_factor
        The true volume lies between the found one divided by this and times this.
    boundary_mm
        95 % of both boundaries lie closer together than this.
    cases
        How many cases it was measured on.
    """

    volume_factor: float
    boundary_mm: float
    cases: int

    def volume_ml(self, found_ml: float) -> tuple[float, float]:
        """Least and most, around a found volume."""
        return found_ml / self.volume_factor, found_ml * self.volume_factor


def conformal_bound(scores: Sequence[float], coverage: float = COVERAGE) -> float:
    """The bound that the next score stays below with at least this probability.

    Split conformal prediction: of n scores, the one of rank ceil((n + 1) coverage). It holds for
    a next case drawn like the n before, whatever their distribution (Angelopoulos and Bates 2023,
    https://doi.org/10.1561/2200000101).

    Raises
    ------
    UsageError
        If there are too few scores for the coverage.
    """
    rank = math.ceil(round((len(scores) + 1) * coverage, 9))
    if rank > len(scores):
        least = math.ceil(round(coverage / (1 - coverage), 9))
        msg = f"a coverage of {coverage:.0%} needs {least} cases at least, got {len(scores)}"
        raise UsageError(msg)
    return sorted(scores)[rank - 1]
