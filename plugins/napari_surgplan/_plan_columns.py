"""Plans side by side: a column of texts for each."""

from __future__ import annotations

from collections.abc import Sequence

from napari_surgplan._plan_rows import headline
from surgplan.planning import Assessment, FunctionalRemnant, Plan, Standing

WAITING = "…"
"""What stands where something is still being worked out."""


def compared(
    plans: Sequence[Plan], standings: Sequence[Standing | None]
) -> tuple[list[str], list[list[str]]]:
    """Names of rows, and a column of texts for each of several plans.

    Parameters
    ----------
    plans
        To compare.
    standings
        Of each; None where it is not known yet.
    """
    assessments = [plan.assessment for plan in plans]
    lines: list[tuple[str, list[str]]] = [
        ("Feasible", [_feasible(s) for s in standings]),
        ("Once grown, %", [_once_grown(s) for s in standings]),
        ("Remnant, ml", [f"{a.remnant_functional_ml:.0f}" for a in assessments]),
        ("Remnant, %", [f"{a.flr_percent:.1f}" for a in assessments]),
        ("working, %", [_working(a.function) for a in assessments]),
        ("Resected, ml", [f"{a.resected_ml:.0f}" for a in assessments]),
        ("Margin, mm", [_smallest(a) for a in assessments]),
        ("Cut, cm²", [f"{a.cut_area_mm2 / 100:.0f}" for a in assessments]),
        ("Vessels cut", [f"{len(a.vessels_cut)}" for a in assessments]),
        ("thickest, mm", [_thickest(a) for a in assessments]),
    ]
    if not any(s is not None and s.stages for s in standings):
        del lines[1]
    return [name for name, _ in lines], [list(c) for c in zip(*(t for _, t in lines), strict=True)]


def _feasible(standing: Standing | None) -> str:
    if standing is None:
        return WAITING
    return "yes" if headline(standing).feasible else "no"


def _once_grown(standing: Standing | None) -> str:
    if standing is None:
        return WAITING
    return f"{standing.stages[-1].flr_percent:.1f}" if standing.stages else "–"


def _working(function: FunctionalRemnant | None) -> str:
    if function is None:
        return "–"
    return f"{function.flr_percent:.1f}" if function.complete else f"≤ {function.flr_percent:.1f}"


def _smallest(assessment: Assessment) -> str:
    margin = assessment.smallest_margin_mm
    return "–" if margin is None else f"{margin:.1f}"


def _thickest(assessment: Assessment) -> str:
    return f"{max((v.diameter_mm for v in assessment.vessels_cut), default=0.0):.1f}"
