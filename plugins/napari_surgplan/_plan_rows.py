"""An assessment as rows that a surgeon reads: what, how much, whether that is enough, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from surgplan.planning import (
    Assessment,
    Stage,
    Standing,
    TumourMargin,
    Verdict,
    VesselCut,
    percent_in_words,
)

State = Literal["good", "bad", "plain"]
Vector = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes
    ----------
    group
        What it belongs to: ``'Remnant'``, ``'Margins'``, ``'Vessels divided'``, ``'Volumes'``.
    name, text
        What it is, and its value as people read it.
    value
        The number itself, as the engine gave it; None for words.
    state
        Whether it meets what is asked.
    tip
        Formula, denominator, source.
    point_mm
        Where it is, LPS; None for what is everywhere.
    """

    group: str
    name: str
    text: str
    value: float | None = None
    state: State = "plain"
    tip: str = ""
    point_mm: Vector | None = None


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The plan in a sentence, whether it is feasible, and whether flags must be read first."""

    text: str
    feasible: bool
    flagged: bool = False


def headline(standing: Standing) -> Headline:
    """Whether the plan clears the tumours and keeps enough liver, and what is in the way."""
    assessment, last = standing.plan.assessment, standing.stages[-1] if standing.stages else None
    verdicts = assessment.verdicts if last is None else last.verdicts
    grown = "" if last is None else " once grown"
    against = []
    missed = [t for t in assessment.tumours if not (t.resected and _clears(t, assessment))]
    against += [_missed(t, assessment) for t in missed]
    against += [
        f"{percent_in_words(v.value_percent)} {v.name} stay{grown}, "
        f"at least {v.minimum_percent:g} % wanted"
        for v in verdicts
        if not v.passed
    ]
    if against:
        return Headline(text="Not feasible: " + "; ".join(against), feasible=False)
    margin = assessment.smallest_margin_mm
    cleared = "" if margin is None else f"tumours cleared by {margin:.1f} mm or more, "
    flr_ml, flr_percent = assessment.remnant_functional_ml, assessment.flr_percent
    if last is not None:
        flr_ml, flr_percent = last.flr_ml, last.flr_percent
    flr = f"{flr_ml:.0f} ml ({flr_percent:.0f} %) of liver stay{grown}"
    flagged = standing.feasibility == "feasible with flags"
    word = "Feasible, but read the flags" if flagged else "Feasible"
    if not standing.keeps_enough_function:
        word = "Feasible by volume, not by function"
    return Headline(text=f"{word}: {cleared}{flr}", feasible=True, flagged=flagged)


def rows_of(standing: Standing) -> tuple[Row, ...]:
    """All rows, most important first."""
    assessment = standing.plan.assessment
    return (
        *_flags(standing),
        *(row for stage in standing.stages for row in _stage(stage)),
        *_remnant(assessment),
        *(_tumour(t, assessment) for t in assessment.tumours),
        *_function(assessment),
        *map(_vessel, assessment.vessels_cut),
        *_distances(assessment),
        *_volumes(assessment),
    )


def _flags(standing: Standing) -> Iterator[Row]:
    for flag in standing.flags:
        yield Row(group="Read first", name=flag, text="", state="bad")


def _stage(stage: Stage) -> Iterator[Row]:
    group = ("", "First operation", "Second operation")[stage.number]
    grown = f", grown {stage.growth:.2f} x ({stage.source})" if stage.source else ""
    values = (
        ("Resected", stage.resected_ml, "What it takes, tumour included"),
        ("Ligated", stage.ligated_ml, "Stays in place without portal supply"),
        ("Left in place", stage.left_ml, "Functional liver after it, without tumour"),
        ("Remnant to be", stage.flr_ml, f"What stays after both, before this operation{grown}"),
    )
    for name, value, tip in values:
        if value:
            yield Row(group=group, name=name, text=f"{value:.1f} ml", value=value, tip=tip)
    for verdict in stage.verdicts:
        yield replace(_verdict(verdict), group=group)


def _clears(tumour: TumourMargin, assessment: Assessment) -> bool:
    return tumour.margin_mm >= assessment.margin_mm


def _missed(tumour: TumourMargin, assessment: Assessment) -> str:
    if not tumour.resected:
        return f"{tumour.name} {tumour.side}"
    return f"{tumour.name} {tumour.margin_mm:.1f} mm, {assessment.margin_mm:g} mm wanted"


def _remnant(assessment: Assessment) -> Iterator[Row]:
    yield Row(
        group="Remnant",
        name="Future liver remnant",
        text=f"{assessment.remnant_functional_ml:.0f} ml",
        value=assessment.remnant_functional_ml,
        tip="FLR: remnant without tumour",
    )
    told = {f"FLR {v.name}" for v in assessment.verdicts}
    yield from (_verdict(v) for v in assessment.verdicts)
    for quantity in assessment.quantities():
        if quantity.unit == "%" and quantity.name not in told:
            inputs = "; ".join(f"{n} {v:.0f}" for n, v in quantity.inputs)
            yield Row(
                group="Remnant",
                name=_short(quantity.name[:1].upper() + quantity.name[1:]).removesuffix(_OF_IT),
                text=percent_in_words(quantity.value),
                value=quantity.value,
                tip=f"{quantity.formula} ({inputs})",
            )


_OF_IT = " of the liver"


def _short(name: str) -> str:
    """What fits into the table; the whole formula is in the tip."""
    return name.replace(" of the measured functional liver", _OF_IT)


def _verdict(verdict: Verdict) -> Row:
    return Row(
        group="Remnant",
        name=_short(f"FLR {verdict.name}"),
        text=f"{percent_in_words(verdict.value_percent)} (≥ {verdict.minimum_percent:g} %)",
        value=verdict.value_percent,
        state="good" if verdict.passed else "bad",
        tip=f"{verdict.name.capitalize()}. Threshold: {verdict.source}",
    )


def _tumour(tumour: TumourMargin, assessment: Assessment) -> Row:
    good = tumour.resected and _clears(tumour, assessment)
    words = f"{tumour.margin_mm:.1f} mm" if tumour.resected else tumour.side
    one, five, ten = (area / 100 for area in tumour.cut_within_mm2)
    return Row(
        group="Margins",
        name=f"{tumour.name.capitalize()} ({tumour.volume_ml:.1f} ml)",
        text=words,
        value=tumour.margin_mm,
        state="good" if good else "bad",
        tip=(
            f"Smallest distance to the cut; wanted {assessment.margin_mm:g} mm. Cut nearer than "
            f"1 / 5 / 10 mm: {one:.1f} / {five:.1f} / {ten:.1f} cm²"
        ),
        point_mm=tumour.at_mm,
    )


def _function(assessment: Assessment) -> Iterator[Row]:
    function, name = assessment.function, "Working remnant"
    what = "Remnant that keeps its portal supply and its hepatic drainage, of the functional liver"
    tip = "; ".join((what, *assessment.not_assessed))
    if function is None:
        yield Row(group="Function", name=name, text="not assessed", tip=tip)
        return
    most = "" if function.complete else "≤ "
    words = f"{most}{function.functional_ml:.0f} ml, {most}{percent_in_words(function.flr_percent)}"
    yield Row(group="Function", name=name, text=words, value=function.functional_ml, tip=tip)
    losses = (
        ("Without supply", function.devascularised_ml),
        ("Congested", function.congested_ml),
        ("Without both", function.both_ml),
    )
    for name, loss in losses:
        if loss is not None and loss >= 0.5:
            yield Row(group="Function", name=name, text=f"{loss:.0f} ml", value=loss)


def _vessel(vessel: VesselCut) -> Row:
    place, behind_ml = "" if vessel.at == "cut" else " at the surface", vessel.downstream_ml
    known = behind_ml is not None
    return Row(
        group="Vessels divided",
        name=f"{vessel.name}{place}",
        text=f"⌀ {vessel.diameter_mm:.1f} mm" + (f", {behind_ml:.0f} ml" if known else ""),
        value=vessel.diameter_mm,
        tip=f"Order {vessel.order}; the cut meets it at {vessel.angle_deg:.0f}° to its normal; "
        + (f"{behind_ml:.0f} ml hang on it" if known else "what hangs on it is not assessed"),
        point_mm=vessel.point_mm,
    )


def _distances(assessment: Assessment) -> Iterator[Row]:
    for structure in assessment.structures:
        if structure.distance_mm is None:
            continue
        crossed = f"crossed, {structure.crossed_area_mm2:.0f} mm²"
        yield Row(
            group="Distances",
            name=structure.name.capitalize(),
            text=crossed if structure.crossed else f"{structure.distance_mm:.1f} mm",
            value=structure.distance_mm,
            tip="Smallest distance to the cut in the liver",
        )


def _volumes(assessment: Assessment) -> Iterator[Row]:
    for quantity in assessment.quantities():
        if quantity.unit == "ml" and quantity.name != "future liver remnant":
            yield Row(
                group="Volumes",
                name=quantity.name.capitalize(),
                text=f"{quantity.value:.1f} ml",
                value=quantity.value,
                tip=quantity.formula,
            )
    area = assessment.cut_area_mm2
    yield Row(group="Volumes", name="Area of the cut", text=f"{area / 100:.1f} cm²", value=area)
