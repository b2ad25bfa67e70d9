"""The stages of a two-stage plan, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from surgplan.planning import Stage


def add_stage(table: Table, stage: Stage) -> None:
    """Rows of volumes and verdicts, in the columns of `plan assess`."""
    grown = f", grown {stage.growth:.2f} times ({stage.source})" if stage.number > 1 else ""
    rows = [
        ("resects", stage.resected_ml, ""),
        ("ligates the supply of", stage.ligated_ml, ""),
        ("leaves in place", stage.left_ml, "without tumour"),
        ("remnant to be, before it", stage.flr_ml, f"{stage.flr_percent:.1f} %{grown}"),
    ]
    table.add_row(f"stage {stage.number}: takes", "", "", stage.takes)
    for name, volume_ml, words in rows:
        if volume_ml:
            table.add_row(f"stage {stage.number}: {name}", f"{volume_ml:.1f}", "ml", words)
    for verdict in stage.verdicts:
        reached = "reaches" if verdict.passed else "below"
        words = f"{reached} {verdict.minimum_percent:g} % {verdict.name} ({verdict.source})"
        name = f"stage {stage.number}: remnant to be, before it"
        table.add_row(name, f"{verdict.value_percent:.1f}", "%", words)
