"""A plan as plain values: the numbers of its assessment and the sentences that go with them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from surgplan.planning import (
    Assessment,
    Stage,
    Standing,
    StructureDistance,
    TumourMargin,
    Verdict,
)


def plan_facts(standing: Standing) -> dict[str, Any]:
    """Everything that a report says about a plan; numbers as the assessment has them."""
    plan, stages = standing.plan, standing.stages
    assessment = plan.assessment
    return {
        "name": plan.name,
        "title": plan.name.replace("-", " ").capitalize(),
        "why": plan.why,
        "version": plan.version,
        "resection": plan.resection.to_dict(),
        "standing": standing.feasibility,
        "verdict": standing.verdict,
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
        "remnant_checks": [_check(v) for v in assessment.verdicts],
        "tumours": [_tumour(t, assessment.margin_mm) for t in assessment.tumours],
        "structures": [_structure(s) for s in assessment.structures],
        "vessels_cut": assessment.vessel_facts(),
        "function": None if assessment.function is None else asdict(assessment.function),
        "not_assessed": list(assessment.not_assessed),
        "cut_area_mm2": assessment.cut_area_mm2,
        "flags": list(standing.flags),
        "stages": [_stage(s) for s in stages],
    }


def _smallest_margin_of(assessment: Assessment) -> str:
    if not assessment.tumours:
        return ""
    tumour = min(assessment.tumours, key=lambda t: t.margin_mm)
    return tumour.name if tumour.resected else f"{tumour.name}, {tumour.side}"


def _tumour(tumour: TumourMargin, wanted_mm: float) -> dict[str, Any]:
    cleared = tumour.resected and tumour.margin_mm >= wanted_mm
    return {**asdict(tumour), "cleared": cleared}


def _stage(stage: Stage) -> dict[str, Any]:
    checks = [_check(verdict) for verdict in stage.verdicts]
    return {**asdict(stage), "verdicts": checks, "keeps_enough_liver": stage.keeps_enough_liver}


def _check(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "passed": verdict.passed}


def _structure(structure: StructureDistance) -> dict[str, Any]:
    values = asdict(structure)
    values["code"] = {"scheme": structure.code.scheme, "value": structure.code.value}
    return values
