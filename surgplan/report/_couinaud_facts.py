"""Couinaud's segments in a report: how large, which tumour lies in which, what each plan takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.planning import Plan
from surgplan.planning._tumours import tumour_shapes
from surgplan.report._colours import hex_colour
from surgplan.report._input import ReportInput
from surgplan.volume import LabelMap

_SAMPLES = 200_000
"""Points of the liver at most by which shares are counted: a share is then good to 1 %."""


def couinaud_facts(report: ReportInput) -> dict[str, Any] | None:
    """Plain values, None where the liver was not parted."""
    if report.couinaud is None:
        return None
    found = report.provenance.get("couinaud") or {}
    confidence = {row["name"]: row["confidence"] for row in found.get("segments", [])}
    counts = report.couinaud.counts()
    voxel_ml = report.couinaud.geometry.voxel_volume_mm3 / 1000
    total = max(1, int(counts[1:].sum()))
    taken = {plan.name: _taken(plan, report.couinaud) for plan in report.plans}
    return {
        "method": found.get("method"),
        "why": found.get("why"),
        "segments": [
            {
                "label": s.label,
                "name": s.name,
                "colour": hex_colour(s.colour),
                "volume_ml": float(counts[s.label]) * voxel_ml,
                "share_percent": 100 * float(counts[s.label]) / total,
                "confidence": confidence.get(s.name),
                "resected_percent": {name: values.get(s.label) for name, values in taken.items()},
            }
            for s in report.couinaud.segments
        ],
        "tumours": _tumours(report, report.couinaud),
    }


def _taken(plan: Plan, couinaud: LabelMap) -> dict[int, float]:
    """Percent of each segment that a plan resects."""
    where = np.argwhere(couinaud.array > 0)
    where = where[:: max(1, len(where) // _SAMPLES)]
    numbers = couinaud.array[tuple(where.T)]
    gone = plan.resection.distance_mm(couinaud.geometry.to_lps(where)) < 0
    return {int(n): 100 * float(gone[numbers == n].mean()) for n in np.unique(numbers)}


def _tumours(report: ReportInput, couinaud: LabelMap) -> list[dict[str, Any]]:
    rows = []
    for shape in tumour_shapes(report.label_map):
        index = np.rint(couinaud.geometry.to_index(shape.voxels_mm)).astype(int)
        shares = _shares(couinaud.array[tuple(index.T)])
        names = {s.label: s.name for s in couinaud.segments}
        rows.append(
            {
                "name": f"tumour {shape.tumour.id}",
                "volume_ml": shape.tumour.volume_ml,
                "segments": [
                    {"name": names[n], "percent": p} for n, p in shares.items() if n in names
                ],
            }
        )
    return rows


def _shares(numbers: npt.NDArray[np.uint8]) -> dict[int, float]:
    """Percent of each number, largest first."""
    counts = np.bincount(numbers, minlength=9)
    order = np.argsort(-counts, kind="stable")
    return {int(n): 100 * float(counts[n]) / len(numbers) for n in order if counts[n]}
