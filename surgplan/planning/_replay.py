"""Compute a plan's numbers again and hold them against what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from surgplan.errors import ScanMismatchError
from surgplan.planning._assess import assess_prepared
from surgplan.planning._assessment import Assessment
from surgplan.planning._kinds import resection_from_dict
from surgplan.planning._plan import Plan
from surgplan.planning._prepare import prepare
from surgplan.planning._records import to_json
from surgplan.planning._vessel_tree import VesselTree
from surgplan.volume import LabelMap

RELATIVE_TOLERANCE = 1e-6
"""Machines may differ by this; on one machine every bit is the same."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A plan's assessment, computed again.

    `exact` where every number is the same to the last bit, else `largest_difference` says how far
    two numbers are apart, relative to the larger (or to 1).
    """

    assessment: Assessment
    exact: bool
    largest_difference: float


def replay(
    plan: Plan, label_map: LabelMap, *, trees: tuple[VesselTree, ...] | None = None
) -> Replay:
    """Compute every number of a plan again, from its resection and the label map alone.

    Parameters
    ----------
    plan, label_map
        The plan, and what it was made on.
    trees
        Vessel trees that it was made with, if not those that the labels give.

    Raises
    ------
    ScanMismatchError
        If the labels are not those of the plan, or a number, word or flag comes out differently:
        the plan or the software has changed. Names the first.
    """
    if plan.labels_fingerprint != label_map.fingerprint():
        msg = f"plan {plan.name!r} was made on other labels; use those of its case, or plan again"
        raise ScanMismatchError(msg)
    said = plan.assessment
    again = assess_prepared(
        prepare(label_map, trees=trees),
        resection_from_dict(plan.resection.to_dict(), label_map),
        margin_mm=said.margin_mm,
        condition=said.condition,
        patient=said.patient,
    )
    if again == said:
        return Replay(assessment=again, exact=True, largest_difference=0.0)
    largest = 0.0
    for where, old, new in _pairs(to_json(said), to_json(again), ""):
        apart = _apart(where, old, new)
        if apart > RELATIVE_TOLERANCE:
            msg = (
                f"plan {plan.name!r} says {where} = {old!r} but its labels give {new!r} "
                f"(planned with surgplan {plan.version}); plan again"
            )
            raise ScanMismatchError(msg)
        largest = max(largest, apart)
    return Replay(assessment=again, exact=False, largest_difference=largest)


def _pairs(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Leaves of two records side by side, numbers first: a flag only repeats a number."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old, key=lambda k: k == "flags"):
            yield from _pairs(old[key], new.get(key), f"{where}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _pairs(a, b, f"{where}[{number}]")
    else:
        yield where, old, new


def _apart(where: str, old: Any, new: Any) -> float:
    if old == new:
        return 0.0
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) / max(abs(old), abs(new), 1.0)
    return float("inf")
