"""How many synthetic scans the gate lets pass, by contrast, and why it refuses the others."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from surgplan.synthesis import (
    MR_WEIGHTINGS,
    PHASES,
    VolumeSettings,
    check_volume,
    synthesise,
)

SEED = 40
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
