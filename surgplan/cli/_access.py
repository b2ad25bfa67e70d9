"""`surgplan plan access`: ways from the skin to the tumours and to the cut of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgplan.cli._options import CaseFolder
from surgplan.cli._outcome import Outcome
from surgplan.cli._plans import read_plan
from surgplan.cli._terminal import terminal

if TYPE_CHECKING:
    from rich.table import Table

    from surgplan.planning import Paths, PortReach

_BEST = 3

PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="Plan file, or name of a plan in the case.")
]


def access(
    case: CaseFolder,
    plan: PlanFile,
    ports: Annotated[int, typer.Option(min=1, max=8, help="How many ports to place.")] = 4,
    diameter_mm: Annotated[float, typer.Option(help="Of a needle.")] = 1.5,
    clearance_mm: Annotated[float, typer.Option(help="Between a needle and any structure.")] = 3.0,
) -> Outcome:
    """Needle paths to each tumour, and ports that reach the cut; the body as scanned (CT)."""
    from surgplan.io import Case
    from surgplan.planning import (
        Instrument,
        body_mask,
        needle_paths,
        propose_ports,
        rehearse,
        tumours_of,
    )

    opened = Case.open(case)
    label_map = opened.read_labels()
    chosen = read_plan(plan, opened, label_map)
    with terminal().progress("looking for free ways"):
        body = body_mask(opened.read_image())
        needle = Instrument(diameter_mm=diameter_mm, clearance_mm=clearance_mm)
        ways = {
            tumour.id: needle_paths(label_map, body, tumour.centre_mm, instrument=needle)
            for tumour in tumours_of(label_map)
        }
        front = rehearse(label_map, chosen.resection, (), steps=1).front
        reach = propose_ports(label_map, body, front, count=ports)
    data = {
        "case": case,
        "plan": chosen.name,
        "needles": [{"tumour": number, **_facts(paths)} for number, paths in ways.items()],
        "ports": _port_facts(reach),
        "reached_share": reach.share(),
        "notice": reach.notice,
    }
    return Outcome(kind="plan access", data=data, text=_table(ways, reach))


def _facts(paths: Paths) -> dict[str, Any]:
    best = [
        {"entry_mm": e.tolist(), "length_mm": float(n), "clearance_mm": float(c)}
        for e, n, c, free in zip(
            paths.entries_mm[:_BEST], paths.length_mm, paths.clearance_mm, paths.free, strict=False
        )
        if free
    ]
    return {
        "target_mm": list(paths.target_mm),
        "free_share": float(paths.free.mean()) if len(paths.free) else 0.0,
        "checked": [segment.name for segment in paths.obstacles],
        "best": best,
    }


def _port_facts(reach: PortReach) -> list[dict[str, Any]]:
    return [
        {"point_mm": point.tolist(), "inward": way.tolist(), "reached_share": reach.share([n])}
        for n, (point, way) in enumerate(zip(reach.ports_mm, reach.inward, strict=True))
    ]


def _table(ways: dict[int, Paths], reach: PortReach) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("to", "from x, y, z mm (LPS)", "mm", "room mm", "reaches"):
        table.add_column(name, justify="left" if name == "to" else "right")
    for number, paths in ways.items():
        rows = _facts(paths)["best"]
        if not rows:
            table.add_row(f"tumour {number}", "no free way from the skin", "", "", "")
        for row in rows:
            place = ", ".join(f"{v:.0f}" for v in row["entry_mm"])
            room = f"{row['clearance_mm']:.1f}"
            table.add_row(f"tumour {number}", place, f"{row['length_mm']:.0f}", room, "")
    for number, port in enumerate(_port_facts(reach), start=1):
        place = ", ".join(f"{v:.0f}" for v in port["point_mm"])
        table.add_row(f"port {number}", place, "", "", f"{100 * port['reached_share']:.0f} %")
    table.add_row("all ports", "", "", "", f"{100 * reach.share():.0f} %")
    table.caption = f"Checked: {', '.join(s.name for s in reach.obstacles) or 'no structure'}. " + (
        reach.notice
    )
    return table
