"""`surgplan doctor`: what the work needs, and what of it is there."""

from __future__ import annotations

from surgplan.cli._checks import ALL_CHECKS, Check
from surgplan.cli._outcome import Outcome
from surgplan.cli._terminal import terminal

_MARKS = {"ok": "[green]ok[/]", "missing": "[yellow]--[/]", "bad": "[red]!![/]"}


def doctor() -> Outcome:
    """Check this computer: Python, libraries, decoders, graphics, memory, disk, models.

    Ends with 0 when the work can be done here, also where an optional part is missing, else 1.
    """
    checks: list[Check] = []
    with terminal().progress("checking this computer") as progress:
        for number, check in enumerate(ALL_CHECKS, start=1):
            checks.extend(check())
            progress(number / len(ALL_CHECKS))
    bad = [c for c in checks if c.state == "bad"]
    return Outcome(
        kind="doctor",
        data={"ok": not bad, "checks": [c.to_dict() for c in checks]},
        text=_table(checks),
        exit_code=1 if bad else 0,
    )


def _table(checks: list[Check]) -> object:
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "what", "found", "way out", box=None, pad_edge=False)
    for check in checks:
        table.add_row(
            _MARKS[check.state], escape(check.what), escape(check.found), escape(check.way_out)
        )
    return table
