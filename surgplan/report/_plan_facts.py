"""A plan as plain values: the numbers of its assessment and the sentences that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from surgplan.planning import Assessment, Plan, Stage, StructureDistance, TumourMargin

Standing = Literal["feasible", "feasible with flags", "not feasible"]


def plan_facts(plan: Plan, stages: Sequence[Stage] = ()) -> dict[str, Any]:
    """Everything that a report says about a plan; numbers as the assessment has them.

    `stages` are those of an operation in two; what is left is then judged before the last one.
    """
    assessment = plan.assessment
    return {
        "name": plan.name,
        "title": plan.name.replace("-", " ").capitalize(),
        "why": plan.why,
        "version": plan.version,
        "resection": plan.resection.to_dict(),
        "standing": standing_of(assessment, stages),
        "verdict": verdict_of(assessment, stages),
        "smallest_margin_mm": assessment.smallest_margin_mm,
        "smallest_margin_of": _smallest_margin_of(assessment),
        "margin_wanted_mm": assessment.margin_mm,
        "condition": assessment.condition,
        "patient": None if assessment.patient is None else asdict(assessment.patient),
        "flr_percent": assessment.flr_percent,
        "flr_of": "measured functional liver (whole liver without tumour)",
        "total_ml": assessment.total_ml,
        "functional_ml": assessment.functional_ml,
        "resected_ml": assessment.resected_ml,
        "remnant_ml": assessment.remnant_ml,
        "remnant_functional_ml": assessment.remnant_functional_ml,
        "quantities": [asdict(q) for q in assessment.quantities()],
        "remnant_checks": [{**asdict(v), "passed": v.passed} for v in assessment.verdicts],
        "tumours": [_tumour(t, assessment.margin_mm) for t in assessment.tumours],
        "structures": [_structure(s) for s in assessment.structures],
        "vessels_cut": [{**asdict(v), "name": v.name} for v in assessment.vessels_cut],
        "function": None if assessment.function is None else asdict(assessment.function),
        "not_assessed": list(assessment.not_assessed),
        "cut_area_mm2": assessment.cut_area_mm2,
        "flags": list(assessment.flags),
        "stages": [{**asdict(s), "keeps_enough_liver": s.keeps_enough_liver} for s in stages],
    }


def standing_of(assessment: Assessment, stages: Sequence[Stage] = ()) -> Standing:
    """Whether the numbers hold: tumours cleared, thresholds reached, and nothing to read first."""
    if not (assessment.clears_tumours and _keeps_enough(assessment, stages)):
        return "not feasible"
    return "feasible with flags" if assessment.flags else "feasible"


def verdict_of(assessment: Assessment, stages: Sequence[Stage] = ()) -> str:
    """The one line read first."""
    reasons = []
    if not assessment.clears_tumours:
        reasons.append(f"a tumour is not cleared by {assessment.margin_mm:g} mm")
    if not _keeps_enough(assessment, stages):
        reasons.append("too little liver remains")
    if reasons:
        return "Not feasible by the numbers: " + " and ".join(reasons)
    cleared = "clears every tumour and " if assessment.tumours else ""
    flags = ", but read the flags" if assessment.flags else ""
    grown = ", if it grows as assumed between the stages" if stages else ""
    return f"Feasible by the numbers: {cleared}keeps enough liver{grown}{flags}"


def _keeps_enough(assessment: Assessment, stages: Sequence[Stage]) -> bool:
    return stages[-1].keeps_enough_liver if stages else assessment.keeps_enough_liver


def _smallest_margin_of(assessment: Assessment) -> str:
    if not assessment.tumours:
        return ""
    tumour = min(assessment.tumours, key=lambda t: t.margin_mm)
    return tumour.name if tumour.resected else f"{tumour.name}, {tumour.side}"


def _tumour(tumour: TumourMargin, wanted_mm: float) -> dict[str, Any]:
    cleared = tumour.resected and tumour.margin_mm >= wanted_mm
    return {**asdict(tumour), "cleared": cleared}


def _structure(structure: StructureDistance) -> dict[str, Any]:
    values = asdict(structure)
    values["code"] = {"scheme": structure.code.scheme, "value": structure.code.value}
    return values
