"""A plan as plain values: the numbers of its assessment and the sentences that go with them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from surgplan.planning import Assessment, Plan, StructureDistance, TumourMargin


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Everything that a report says about a plan; numbers as the assessment has them."""
    assessment = plan.assessment
    return {
        "name": plan.name,
        "why": plan.why,
        "version": plan.version,
        "resection": plan.resection.to_dict(),
        "feasible": is_feasible(assessment),
        "verdict": verdict_of(assessment),
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
        "remnant_functional_ml": assessment.remnant_functional_ml,
        "quantities": [asdict(q) for q in assessment.quantities()],
        "remnant_checks": [{**asdict(v), "passed": v.passed} for v in assessment.verdicts],
        "tumours": [_tumour(t, assessment.margin_mm) for t in assessment.tumours],
        "structures": [_structure(s) for s in assessment.structures],
        "cut_area_mm2": assessment.cut_area_mm2,
        "flags": list(assessment.flags),
    }


def is_feasible(assessment: Assessment) -> bool:
    """Whether every tumour is cleared and every threshold of the remnant reached."""
    return assessment.clears_tumours and assessment.keeps_enough_liver


def verdict_of(assessment: Assessment) -> str:
    """The one line read first."""
    if is_feasible(assessment):
        cleared = "clears every tumour and " if assessment.tumours else ""
        return f"Feasible by the numbers: {cleared}keeps enough liver"
    reasons = []
    if not assessment.clears_tumours:
        reasons.append(f"a tumour is not cleared by {assessment.margin_mm:g} mm")
    if not assessment.keeps_enough_liver:
        reasons.append("too little liver remains")
    return "Not feasible by the numbers: " + " and ".join(reasons)


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
