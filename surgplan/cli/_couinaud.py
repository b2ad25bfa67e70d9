"""`surgplan couinaud`: the segments of a liver from its shape and vessels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgplan.cli._couinaud_stage import CouinaudWish, Method, couinaud_stage
from surgplan.cli._options import CaseFolder, ModelOption, ThreadsOption
from surgplan.cli._outcome import Outcome
from surgplan.cli._steps import Steps

if TYPE_CHECKING:
    from rich.console import Group


def couinaud(
    case: CaseFolder,
    method: Annotated[
        Method,
        typer.Option(
            "--method",
            help="By portal branches and hepatic veins, by a network, or the better founded.",
        ),
    ] = "auto",
    model: ModelOption = None,
    threads: ThreadsOption = None,
) -> Outcome:
    """Couinaud's segments, vessel trees and territories of a case, from liver and vessels."""
    from surgplan.io import Case

    opened = Case.open(case)
    steps = Steps(case=opened, force=False)
    wish = CouinaudWish(method=method, model=model, threads=threads)
    couinaud_stage(steps, opened.read_labels(), wish, must=True)
    facts = opened.facts("couinaud")
    data = {"case": case, "state": steps.states["couinaud"], **facts, "file": opened.couinaud_path}
    return Outcome(kind="couinaud", data=data, text=segments_table(facts))


def segments_table(facts: dict[str, Any]) -> Group:
    """The segments, how they were found, and what speaks against them; for people."""
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("segment")
    for name in ("ml", "% of liver", "confidence"):
        table.add_column(name, justify="right")
    for row in facts["segments"]:
        table.add_row(
            row["name"].removeprefix("segment "),
            f"{row['volume_ml']:.0f}",
            f"{row['share_percent']:.1f}",
            f"{row['confidence']:.2f}",
        )
    agree = facts["agreement_percent"]
    lines = [facts["why"], *(f"warning: {w}" for w in facts["warnings"])]
    if agree is not None:
        lines.append(f"Both methods name the same segment in {agree:.0f} % of the liver.")
    return Group(table, *lines)
