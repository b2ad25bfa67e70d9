"""`surgplan plan`: resections proposed, judged, checked and compared."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgplan.cli._case_stages import plans_stage
from surgplan.cli._options import (
    CaseFolder,
    ConditionOption,
    CountOption,
    HeightOption,
    MarginOption,
    SeedOption,
    WeightOption,
)
from surgplan.cli._outcome import Outcome
from surgplan.cli._plans import compared, plan_facts, plans_table, read_plan, read_plans
from surgplan.cli._risks import add_risks, risks_of
from surgplan.cli._stages import add_stage
from surgplan.cli._steps import Steps
from surgplan.cli._terminal import terminal
from surgplan.cli._wishes import Wishes
from surgplan.errors import NothingToDoError

if TYPE_CHECKING:
    from surgplan.io import Case
    from surgplan.planning import Plan
    from surgplan.volume import LabelMap

PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="Plan file, or name of a plan in the case.")
]
PlanFiles = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PLAN]...", help="Plan files or names; else all of the case."),
]

BoundaryErrorOption = Annotated[
    float | None,
    typer.Option(
        "--boundary-error-mm",
        min=0.0,
        max=20.0,
        help="Standard deviation of the segmentation's boundaries: adds 90 % intervals.",
    ),
]


def propose(
    case: CaseFolder,
    margin_mm: MarginOption = 10.0,
    condition: ConditionOption = "normal",
    height_cm: HeightOption = None,
    weight_kg: WeightOption = None,
    count: CountOption = 3,
    seed: SeedOption = 0,
) -> Outcome:
    """Search for resections that clear the tumours and keep enough liver; replaces proposals."""
    from surgplan.io import Case
    from surgplan.planning import standings_of

    wishes = Wishes(
        margin_mm=margin_mm,
        condition=condition,
        height_cm=height_cm,
        weight_kg=weight_kg,
        count=count,
        seed=seed,
    )
    wishes.patient()
    opened = Case.open(case)
    label_map = opened.read_labels()
    steps = Steps(case=opened, force=False)
    plans_stage(steps, label_map, wishes)
    nothing = opened.facts("plans").get("nothing")
    if nothing:
        raise NothingToDoError(nothing)
    standings = standings_of(read_plans(opened, label_map), label_map)
    told = [plan_facts(standing) for standing in standings]
    data = {"case": case, "state": steps.states["plans"], "plans": told}
    return Outcome(kind="plan propose", data=data, text=plans_table(standings))


def assess(
    case: CaseFolder, plan: PlanFile, boundary_error_mm: BoundaryErrorOption = None
) -> Outcome:
    """Every number of a plan, with unit and formula, computed now on the labels of the case."""
    from rich.table import Table

    from surgplan.planning import replay, standings_of

    chosen, label_map = _opened(case, plan)
    with terminal().progress("assessing"):
        replay(chosen, label_map)
        (standing,) = standings_of([chosen], label_map)
    table = Table("", "", "", "", box=None, pad_edge=False, show_header=False)
    for quantity in chosen.assessment.quantities():
        value = f"{quantity.value:.1f}"
        table.add_row(quantity.name, value, quantity.unit, quantity.formula)
    for vessel in chosen.assessment.vessels_cut:
        behind_ml = vessel.downstream_ml
        where = f"{vessel.diameter_mm:.1f} mm wide, at the {vessel.at}, liver behind it"
        words = "-" if behind_ml is None else f"{behind_ml:.1f}"
        table.add_row(f"divides {vessel.name}", words, "ml", where)
    for stage in standing.stages:
        add_stage(table, stage)
    for flag in (*chosen.assessment.not_assessed, *standing.flags):
        table.add_row("note", "", "", flag)
    table.add_row("verdict", "", "", f"{standing.verdict}.")
    data = {"case": case, **plan_facts(standing)}
    if boundary_error_mm is not None:
        with terminal().progress("moving boundaries"):
            risks = risks_of(chosen, label_map, boundary_error_mm)
        data["uncertainty"] = asdict(risks)
        add_risks(table, risks)
    return Outcome(kind="plan assess", data=data, text=table)


def replay(case: CaseFolder, plan: PlanFile) -> Outcome:
    """Compute a plan again from its resection and the labels; ends with 3 if a number differs."""
    from surgplan.planning import replay as replay_plan

    chosen, label_map = _opened(case, plan)
    with terminal().progress("computing again"):
        result = replay_plan(chosen, label_map)
    how = (
        "to the last bit"
        if result.exact
        else f"within {result.largest_difference:.1e}, relative to the larger number"
    )
    data = {
        "case": case,
        "plan": chosen.name,
        "exact": result.exact,
        "largest_difference": result.largest_difference,
    }
    text = f"{chosen.name}: every number is the same, {how}"
    return Outcome(kind="plan replay", data=data, text=text)


def compare(case: CaseFolder, plans: PlanFiles = None) -> Outcome:
    """Plans side by side, with the margin of every tumour."""
    from surgplan.io import Case
    from surgplan.planning import standings_of

    opened = Case.open(case)
    label_map = opened.read_labels()
    if plans:
        chosen: tuple[Plan, ...] = tuple(read_plan(p, opened, label_map) for p in plans)
    else:
        chosen = read_plans(opened, label_map)
    standings = standings_of(chosen, label_map)
    data = {"case": case, "plans": [plan_facts(standing) for standing in standings]}
    return Outcome(kind="plan compare", data=data, text=compared(standings))


def _opened(folder: Path, plan: Path) -> tuple[Plan, LabelMap]:
    from surgplan.io import Case

    case: Case = Case.open(folder)
    label_map = case.read_labels()
    return read_plan(plan, case, label_map), label_map
