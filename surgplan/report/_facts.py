"""All that a report says, as plain values: the content of ``report.json`` and of the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.planning import standings_of
from surgplan.report._colours import hex_colour
from surgplan.report._couinaud_facts import couinaud_facts
from surgplan.report._input import ReportInput
from surgplan.report._pictures import SHOWN
from surgplan.report._plan_facts import plan_facts
from surgplan.report._slices import tilt_deg
from surgplan.report._warnings import mean_confidence, warnings_of
from surgplan.volume import LIVER, Segment

SCHEMA = "surgplan.report/1"

NOT_REGISTERED = (
    "Shapes and positions are those of the preoperative scan. They are not registered to the "
    "patient on the table, where the liver moves and deforms."
)


def facts_of(report: ReportInput, created: datetime) -> dict[str, Any]:
    """Values for JSON: numbers unrounded, LPS millimetres, millilitres."""
    geometry = report.volume.geometry
    confidence = mean_confidence(report)
    return {
        "schema": SCHEMA,
        "not_a_medical_device": NOT_A_MEDICAL_DEVICE,
        "not_registered": NOT_REGISTERED,
        "created": created.isoformat(timespec="seconds"),
        "software": {"name": "surgplan", "version": __version__},
        "case_name": report.case_name,
        "scan": {
            "identity": report.volume.identity,
            "fingerprint": report.volume.fingerprint(),
            "modality": report.volume.modality,
            "shape": list(geometry.shape),
            "spacing_mm": list(geometry.spacing_mm),
            "axes": geometry.axis_codes,
            "tilt_deg": tilt_deg(geometry),
            "frame": "LPS millimetres; arrays are (slice, row, column)",
        },
        "labels": {"fingerprint": report.label_map.fingerprint()},
        "whole_liver_ml": float(report.whole_liver.sum()) * geometry.voxel_volume_mm3 / 1000,
        "structures": _structures(report, confidence),
        "couinaud": couinaud_facts(report),
        "plans": [plan_facts(s) for s in standings_of(report.plans, report.label_map)],
        "warnings": warnings_of(report, confidence),
        "provenance": dict(report.provenance),
    }


def _structures(report: ReportInput, confidence: Mapping[str, float]) -> list[dict[str, Any]]:
    counts = report.label_map.counts()
    voxel_ml = report.label_map.geometry.voxel_volume_mm3 / 1000
    return [
        {
            "label": segment.label,
            "name": segment.name,
            "code": {"scheme": segment.code.scheme, "value": segment.code.value},
            "colour": hex_colour(segment.colour),
            "volume_ml": float(counts[segment.label]) * voxel_ml,
            "mean_confidence": confidence.get(segment.name),
            "in_pictures": _in_pictures(segment),
        }
        for segment in report.label_map.segments
        if counts[segment.label]
    ]


def _in_pictures(segment: Segment) -> bool:
    return segment.code in {s.code for s in (LIVER, *SHOWN)}
