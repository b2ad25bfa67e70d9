"""What a reader must know before trusting the numbers, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from surgplan.planning import sides_cut_off
from surgplan.planning._couinaud_choice import cut_off_warning
from surgplan.report._input import ReportInput
from surgplan.report._slices import tilt_deg
from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_TUMOUR, PORTAL_VEIN, LabelMap

LOW_CONFIDENCE = 0.7
"""Mean confidence of a structure below which the reader is asked to check its outline."""

THICK_SLICES_MM = 3.0
"""Lateral segments lose about 5 % of their volume at 5 mm (PMC3226887)."""

OFF_MM = 0.5
"""On phantoms the diameters of a tenth of the vessels are off by 0.3 mm at 4 mm slices, 0.4 at 5.

By 0.4 and 0.6 mm where a voxel says what more than half of its slice holds, not what its middle is.
"""

TILT_DEG = 5.0

_SEEN_HERE = ("no liver", "liver cut off", "liver unsure")

_MISSING = {
    LIVER: "No liver is labelled: volumes and plans cannot be trusted.",
    LIVER_TUMOUR: "No liver tumour is labelled. That does not mean that there is none.",
    PORTAL_VEIN: "No portal vein is labelled: its distance to a cut is not known.",
    HEPATIC_VEINS: "No hepatic veins are labelled: their distance to a cut is not known.",
}


def warnings_of(report: ReportInput, confidence: Mapping[str, float]) -> list[str]:
    """All warnings, gravest first; confidence as of `mean_confidence`."""
    given = report.provenance.get("warnings", [])
    labels = report.provenance.get("labels", {})
    made = ["This scan is synthetic: it shows no patient."] if report.volume.is_synthetic else []
    told = [
        *made,
        *_missing(report.label_map),
        *_cut_off(report.label_map),
        *_doubts(labels.get("doubts", [])),
        *_unsure(confidence),
        *_coarse(report),
        *(str(w) for w in given),
    ]
    return list(dict.fromkeys(told))  # steps before may have seen the same


def mean_confidence(report: ReportInput) -> dict[str, float]:
    """Mean confidence over the voxels of each structure that has some, by name."""
    if report.confidence is None:
        return {}
    sums = np.zeros(256)
    for labels, values in zip(report.label_map.array, report.confidence, strict=True):
        sums += np.bincount(labels.ravel(), values.ravel(), minlength=256)
    counts = report.label_map.counts()
    return {
        s.name: float(sums[s.label] / counts[s.label])
        for s in report.label_map.segments
        if counts[s.label]
    }


def _doubts(doubts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Of the segmentation; without those that are seen here from the labels alone."""
    for doubt in doubts:
        if doubt["kind"] not in _SEEN_HERE:
            yield str(doubt["sentence"])


def _missing(label_map: LabelMap) -> Iterator[str]:
    counts = label_map.counts()
    for wanted, sentence in _MISSING.items():
        segment = label_map.find(wanted.code)
        if segment is None or counts[segment.label] == 0:
            yield sentence


def _cut_off(label_map: LabelMap) -> Iterator[str]:
    """The liver in the outermost voxels: the scan may end before it does."""
    for side in sides_cut_off(label_map):
        yield cut_off_warning(side)


def _unsure(confidence: Mapping[str, float]) -> Iterator[str]:
    for name, value in confidence.items():
        if value < LOW_CONFIDENCE:
            yield (
                f"The segmentation is unsure about the {name} (mean confidence {value:.2f}): "
                "check its outline in the slices."
            )


def _coarse(report: ReportInput) -> Iterator[str]:
    geometry = report.volume.geometry
    thickest = max(geometry.spacing_mm)
    if thickest > THICK_SLICES_MM:
        yield (
            f"Slices lie {thickest:.1f} mm apart: volumes of thin parts and margins are less "
            "certain than the decimals suggest, and diameters of one vessel in ten are off by "
            f"about {OFF_MM:g} mm or more, above all of thin ones that run level."
        )
    if not geometry.is_orthogonal:
        yield "The axes of the scan are not perpendicular: slices are shown sheared."
    elif tilt_deg(geometry) > TILT_DEG:
        yield (
            f"The scan is tilted by {tilt_deg(geometry):.0f} degrees against the patient: slices "
            "follow the scan, and letters name the nearest directions."
        )
