"""Plan files of a case: in, out, and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgplan.cli._wishes import Wishes
from surgplan.errors import CorruptFileError, NothingToDoError, ScanMismatchError

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from surgplan.cli._terminal import Progress
    from surgplan.io import Case, Stage
    from surgplan.planning import Assessment, FunctionalRemnant, Plan, Standing
    from surgplan.volume import LabelMap


def propose_into(
    stage: Stage, label_map: LabelMap, scan_fingerprint: str, wishes: Wishes, progress: Progress
) -> None:
    """Search for resections and write each as a plan and as markups of 3D Slicer.

    Where there is nothing to resect, the stage notes why under ``nothing``.
    """
    from surgplan.planning import propose

    try:
        found = propose(
            label_map,
            margin_mm=wishes.margin_mm,
            condition=wishes.condition,
            patient=wishes.patient(),
            count=wishes.count,
            seed=wishes.seed,
            progress=progress,
        )
    except NothingToDoError as e:
        stage.facts["nothing"] = str(e)
        return
    for plan in found:
        write_plan(plan.on_scan(scan_fingerprint), stage.path(f"plans/{plan.name}.json"))
    stage.facts["plans"] = [plan.name for plan in found]


def write_plan(plan: Plan, path: Path) -> None:
    """Write ``NAME.json``, and ``NAME.mrk.json`` beside it."""
    from surgplan.io import atomic_file
    from surgplan.planning import plan_to_json, plan_to_mrk_json

    for target, text in (
        (path, plan_to_json(plan)),
        (path.with_suffix(".mrk.json"), plan_to_mrk_json(plan)),
    ):
        with atomic_file(target) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


def read_plan(path: Path, case: Case, label_map: LabelMap) -> Plan:
    """Read a plan file, or the plan of that name in the case.

    Raises
    ------
    NothingToDoError
        If there is neither.
    CorruptFileError
        If it is no plan.
    ScanMismatchError
        If it was made on another scan or other labels.
    """
    from surgplan.planning import plan_from_json

    named = case.plans_path / f"{path.name}.json"
    found = next((p for p in (path, named) if p.is_file()), None)
    if found is None:
        names = ", ".join(p.stem for p in case.plan_paths()) or "none"
        msg = f"no plan {path}: give a plan file or the name of a plan in the case ({names})"
        raise NothingToDoError(msg)
    try:
        text = found.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        msg = f"{found.name} is no plan: it is not text; choose a plan file"
        raise CorruptFileError(msg) from e
    plan = plan_from_json(text, label_map)
    scan = case.facts("image").get("fingerprint")
    if plan.scan_fingerprint not in (None, scan):
        msg = f"plan {plan.name!r} was made on another scan than {case.folder}; plan again"
        raise ScanMismatchError(msg)
    return plan


def read_plans(case: Case, label_map: LabelMap) -> tuple[Plan, ...]:
    """All plans of a case: the proposals, best first, then those made by hand, by name."""
    proposed: list[str] = case.facts("plans").get("plans", [])
    paths = sorted(
        case.plan_paths(),
        key=lambda p: (proposed.index(p.stem) if p.stem in proposed else len(proposed), p.name),
    )
    return tuple(read_plan(path, case, label_map) for path in paths)


def plan_facts(standing: Standing) -> dict[str, Any]:
    """A plan in numbers, for programs."""
    plan = standing.plan
    said = plan.assessment
    return {
        "name": plan.name,
        "why": plan.why,
        "standing": standing.feasibility,
        "verdict": standing.verdict,
        "clears_tumours": said.clears_tumours,
        "keeps_enough_liver": standing.keeps_enough_liver,
        "smallest_margin_mm": said.smallest_margin_mm,
        "resected_ml": said.resected_ml,
        "remnant_functional_ml": said.remnant_functional_ml,
        "flr_percent": said.flr_percent,
        "functional_flr_percent": _whole_function_percent(said),
        "vessels_cut": said.vessel_facts(),
        "not_assessed": list(said.not_assessed),
        "flags": list(standing.flags),
        "tumours": [
            {
                "tumour": t.tumour,
                "name": t.name,
                "volume_ml": t.volume_ml,
                "margin_mm": t.margin_mm,
                "side": t.side,
            }
            for t in said.tumours
        ],
        "quantities": [
            {"name": q.name, "value": q.value, "unit": q.unit, "formula": q.formula}
            for q in said.quantities()
        ],
        "stages": [
            {
                **asdict(stage),
                "verdicts": [{**asdict(v), "passed": v.passed} for v in stage.verdicts],
                "keeps_enough_liver": stage.keeps_enough_liver,
            }
            for stage in standing.stages
        ],
    }


def _whole_function_percent(assessment: Assessment) -> float | None:
    """The functional FLR where supply and drainage are both known."""
    found = assessment.function
    return found.flr_percent if found is not None and found.complete else None


def plans_table(standings: Sequence[Standing]) -> Group:
    """Plans side by side, for people, and below what could not be assessed."""
    from rich.console import Group
    from rich.table import Table

    from surgplan.planning import LEAST_DIAMETER_MM

    table = Table(box=None, pad_edge=False)
    table.add_column("plan", no_wrap=True)
    for name in (
        "margin mm",
        "resected ml",
        "remnant ml",
        "FLR %",
        "functional FLR %",
        "vessels cut",
    ):
        table.add_column(name, justify="right")
    table.add_column("tumours cleared")
    table.add_column("enough liver")
    for standing in standings:
        said = standing.plan.assessment
        margin = said.smallest_margin_mm
        table.add_row(
            standing.plan.name,
            "-" if margin is None else f"{margin:.1f}",
            f"{said.resected_ml:.0f}",
            f"{said.remnant_functional_ml:.0f}",
            f"{said.flr_percent:.1f}",
            _works(said.function),
            str(sum(v.diameter_mm >= LEAST_DIAMETER_MM for v in said.vessels_cut)),
            "yes" if said.clears_tumours else "no",
            _enough(standing),
        )
    lacking = dict.fromkeys(w for s in standings for w in s.plan.assessment.not_assessed)
    return Group(table, *(f"functional FLR {words}" for words in lacking))


def _works(function: FunctionalRemnant | None) -> str:
    """The part of the remnant that keeps its vessels; at most, where one system is not known."""
    if function is None:
        return "-"
    return f"{function.flr_percent:.1f}" if function.complete else f"<= {function.flr_percent:.1f}"


def _enough(standing: Standing) -> str:
    """Whether enough liver is kept, with its vessels, and whether that counts on growth."""
    if not standing.keeps_enough_liver:
        return "no"
    if not standing.keeps_enough_function:
        return "by volume only"
    return "if it grows" if standing.stages else "yes"


def compared(standings: Sequence[Standing]) -> Group:
    """Plans side by side, then the margin of every tumour in each."""
    from rich.console import Group

    plans = [standing.plan for standing in standings]
    if not any(plan.assessment.tumours for plan in plans):
        return Group(plans_table(standings))
    words = "margin in mm of each tumour, by plan in the order above; cut: cut through, left: stays"
    return Group(plans_table(standings), "", words, _margins(plans))


def _margins(plans: Sequence[Plan]) -> Table:
    """A row per tumour, a column per plan in their order."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("tumour")
    table.add_column("ml", justify="right")
    for number in range(1, len(plans) + 1):
        table.add_column(str(number), justify="right")
    instead = {"cut through": "cut", "left behind": "left"}
    for row in zip(*(plan.assessment.tumours for plan in plans), strict=True):
        margins = [instead.get(t.side, f"{t.margin_mm:.1f}") for t in row]
        table.add_row(str(row[0].tumour), f"{row[0].volume_ml:.1f}", *margins)
    return table
