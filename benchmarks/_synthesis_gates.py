"""How many synthetic scans the gate lets pass and why not the others; which tumours it knows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import ndimage

from surgplan.segmentation import SegmentSettings, segment
from surgplan.synthesis import (
    MR_WEIGHTINGS,
    PHASES,
    GateSettings,
    VolumeSettings,
    check_volume,
    synthesise,
)
from surgplan.synthesis._gate import OVERLAP
from surgplan.volume import LIVER_TUMOUR

SEED = 40
SEED_OF_TUMOURS = 90
NEAR = 3
CONTRASTS = (0.0, 1.0, 2.5, 5.0, np.inf)
PORTAL = 10
METHODS = ("randomised", "flow")


def gates(count: int) -> dict[str, Any]:
    """One row per way and look: drawn phantoms with up to four drawn lesions, one attempt each.

    Of the portal phase, which the network knows best, at least `PORTAL` scans are made.
    """
    rows: dict[str, Any] = {}
    for method in METHODS:
        for modality, looks in (("CT", PHASES), ("MR", MR_WEIGHTINGS)):
            for look in looks:
                settings = VolumeSettings(modality=modality, look=look, method=method)
                number = max(count, PORTAL) if look == "portal" else count
                rows[f"{method}, {look}"] = _row(settings, number)
                print(method, look, rows[f"{method}, {look}"], flush=True)
    return rows


def tumours(count: int) -> dict[str, Any]:
    """Of drawn tumours, by modality and contrast to noise, how many the gate outlines well enough.

    Each is looked at for itself: Dice within `NEAR` voxels around it.
    """
    settings, rows = GateSettings(), {}
    for modality, looks in (("CT", PHASES), ("MR", MR_WEIGHTINGS)):
        found = [
            row
            for look in looks
            for number in range(count)
            for row in _tumours(VolumeSettings(modality=modality, look=look, lesions=10), number)
        ]
        for low, high in pairwise(CONTRASTS):
            dice = [d for cnr, d in found if low <= cnr < high]
            seen = sum(d >= settings.tumour_dice for d in dice)
            rows[f"{modality}, {low:g} to {high:g}"] = {"tumours": len(dice), "outlined": seen}
        print(modality, rows, flush=True)
    return rows


def tumours_table(rows: dict[str, Any]) -> str:
    """As Markdown."""
    lines = ["| modality, contrast to noise | outlined |", "|---|---|"]
    lines += [f"| {name} | {row['outlined']} of {row['tumours']} |" for name, row in rows.items()]
    return "\n".join(lines)


def _tumours(settings: VolumeSettings, number: int) -> Iterator[tuple[float, float]]:
    """Contrast to noise and Dice of each that is large enough to be asked for."""
    gate = GateSettings()
    made = synthesise(settings, seed=SEED_OF_TUMOURS, number=number)
    how = SegmentSettings(model=gate.model, overlap=OVERLAP, reference=True)
    seen = segment(made.image, settings=how).label_map.mask(LIVER_TUMOUR)
    pieces, _ = ndimage.label(made.label_map.mask(LIVER_TUMOUR))
    for lesion in made.lesions:
        at = np.rint(made.label_map.geometry.to_index(np.array(lesion.centre_mm))).astype(int)
        piece = pieces == pieces[tuple(at)]
        if pieces[tuple(at)] and lesion.volume_ml >= gate.tumour_ml:
            near = seen & ndimage.binary_dilation(piece, iterations=NEAR)
            near &= piece | (pieces == 0)
            yield lesion.cnr, 2 * float((near & piece).sum()) / float(near.sum() + piece.sum())


def gates_table(rows: dict[str, Any]) -> str:
    """As Markdown, a line of reasons at the end of each row."""
    heads = "| scans | passed | liver Dice | refused for (scans) | s |"
    lines = [heads, "|---" * 5 + "|"]
    for name, row in rows.items():
        why = ", ".join(f"{reason} ({n})" for reason, n in row["refused_for"].items())
        lines.append(
            f"| {name} | {row['passed']} of {row['scans']} | {row['whole_liver_dice']} | {why} | "
            f"{row['processor_s_a_scan']} |"
        )
    return "\n".join(lines)


def _row(settings: VolumeSettings, count: int) -> dict[str, Any]:
    passed, reasons, organs = 0, Counter[str](), []
    start = time.process_time()
    for number in range(count):
        made = synthesise(settings, seed=SEED, number=number)
        report = check_volume(made.image, made.label_map)
        passed += report.passed
        reasons.update({r.partition(":")[0] for r in report.reasons})
        organs.append(report.figures["dice"]["whole liver"])
    return {
        "scans": count,
        "passed": passed,
        "whole_liver_dice": round(sum(organs) / count, 3),
        "refused_for": dict(reasons.most_common()),
        "processor_s_a_scan": round((time.process_time() - start) / count, 1),
    }
