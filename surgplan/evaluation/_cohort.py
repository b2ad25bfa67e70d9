"""Many cases: means with intervals, and the group that fares worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from surgplan.errors import NothingToDoError
from surgplan.evaluation._evaluate import Evaluation, StructureScore

METRICS = ("dice", "nsd", "hd95_mm", "assd_mm", "cl_dice", "volume_error_percent")
RESAMPLES = 2000
COVERAGE = 0.95


@dataclass(frozen=True, kw_only=True)
class StructureFigure:
    """One metric of one structure over the cases that have it.

    Attributes
    ----------
    structure, metric
        See `StructureScore`; of `volume_error_percent` the size alone counts.
    cases
        How many have a value.
    mean, median
        Over cases.
    low, high
        95 % interval of the mean, by percentiles of a bootstrap over cases; None for one case.
    """

    structure: str
    metric: str
    cases: int
    mean: float
    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class GroupFigure:
    """Dice of one structure in the groups of one column.

    Attributes
    ----------
    column, structure
        What is compared.
    means, cases
        Mean Dice and number of cases by group.
    worst
        The group with the lowest mean.
    gap
        Mean over all cases of these groups minus the mean of the worst.
    """

    column: str
    structure: str
    means: Mapping[str, float]
    cases: Mapping[str, int]
    worst: str
    gap: float


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """All cases, their figures, and their groups."""

    evaluations: Mapping[str, Evaluation]
    figures: tuple[StructureFigure, ...]
    groups: tuple[GroupFigure, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "cases": {name: one.to_dict() for name, one in self.evaluations.items()},
            "figures": [asdict(f) for f in self.figures],
            "groups": [asdict(g) for g in self.groups],
        }


def evaluate_cohort(
    evaluations: Mapping[str, Evaluation],
    subgroups: Mapping[str, Mapping[str, str]] | None = None,
    *,
    seed: int = 0,
) -> Cohort:
    """Put the evaluations of many cases together.

    Parameters
    ----------
    evaluations
        By name of case.
    subgroups
        Column to case to group, as `read_subgroups` makes it.
    seed
        Of the bootstrap.

    Raises
    ------
    NothingToDoError
        If there is no case.
    """
    if not evaluations:
        msg = "no case to evaluate: give a prediction and a reference"
        raise NothingToDoError(msg)
    names = list(dict.fromkeys(s.name for e in evaluations.values() for s in e.scores))
    figures = [
        _figure(name, metric, values, np.random.default_rng(seed))
        for name in names
        for metric in METRICS
        if (values := list(_values(evaluations, name, metric).values()))
    ]
    groups = [
        figure
        for column, group_of in (subgroups or {}).items()
        for name in names
        if (figure := _group_figure(column, group_of, name, _values(evaluations, name, "dice")))
    ]
    return Cohort(evaluations=evaluations, figures=tuple(figures), groups=tuple(groups))


def _values(evaluations: Mapping[str, Evaluation], name: str, metric: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for case, evaluation in evaluations.items():
        score: StructureScore | None = next((s for s in evaluation.scores if s.name == name), None)
        value = getattr(score, metric) if score else None
        if value is not None:
            found[case] = abs(float(value))
    return found


def _figure(
    name: str, metric: str, values: list[float], rng: np.random.Generator
) -> StructureFigure:
    low: float | None = None
    high: float | None = None
    if len(values) > 1:
        picks = rng.integers(len(values), size=(RESAMPLES, len(values)))
        means = np.asarray(values)[picks].mean(axis=1)
        tail = 50 * (1 - COVERAGE)
        low, high = (float(q) for q in np.percentile(means, (tail, 100 - tail)))
    return StructureFigure(
        structure=name,
        metric=metric,
        cases=len(values),
        mean=float(np.mean(values)),
        median=float(np.median(values)),
        low=low,
        high=high,
    )


def _group_figure(
    column: str, group_of: Mapping[str, str], name: str, dice: Mapping[str, float]
) -> GroupFigure | None:
    """None where the cases with this structure are not in two groups at least."""
    by_group: dict[str, list[float]] = {}
    for case, value in dice.items():
        if case in group_of:
            by_group.setdefault(group_of[case], []).append(value)
    if len(by_group) < 2:
        return None
    means = {group: float(np.mean(values)) for group, values in sorted(by_group.items())}
    worst = min(means, key=lambda group: means[group])
    overall = float(np.mean([v for values in by_group.values() for v in values]))
    return GroupFigure(
        column=column,
        structure=name,
        means=means,
        cases={group: len(values) for group, values in sorted(by_group.items())},
        worst=worst,
        gap=overall - means[worst],
    )
