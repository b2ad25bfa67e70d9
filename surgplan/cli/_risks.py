"""What an error of the boundaries means for a plan, as rows for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from surgplan.planning import Interval, Plan, Uncertainty
    from surgplan.volume import LabelMap


def risks_of(plan: Plan, label_map: LabelMap, boundary_error_mm: float) -> Uncertainty:
    """The plan with the same error of all its boundaries."""
    from surgplan.planning import BoundaryError, prepare, uncertainty

    error = BoundaryError(liver_mm=boundary_error_mm, tumour_mm=boundary_error_mm)
    return uncertainty(prepare(label_map), plan.resection, plan.assessment, error)


def add_risks(table: Table, risks: Uncertainty) -> None:
    """Add a row for each interval and each chance, and what drives the width."""
    error = f"90 % interval for boundaries {risks.error.liver_mm:g} mm off (1 SD)"
    table.add_row("FLR of the measured functional liver", _span(risks.flr_percent), "%", error)
    if risks.functional_flr_percent is not None:
        table.add_row("functional remnant", _span(risks.functional_flr_percent), "%", error)
    table.add_row("future liver remnant", _span(risks.remnant_ml), "ml", error)
    for margin in risks.margins:
        table.add_row(f"margin of {margin.name}", _span(margin.margin_mm), "mm", error)
        chance = f"chance of less than 1 mm; {100 * margin.below_wanted:.0f} % below that asked for"
        table.add_row(f"margin of {margin.name}", f"{100 * margin.below_1_mm:.0f}", "%", chance)
    for verdict in risks.verdicts:
        chance = f"chance that the remnant is below {verdict.minimum_percent:g} % {verdict.name}"
        table.add_row("too little liver", f"{100 * verdict.below:.0f}", "%", chance)
    driver = risks.drivers[0]
    share = f"{100 * driver.share:.0f}"
    table.add_row("width of the FLR", share, "%", f"of its variance is from the {driver.structure}")


def _span(interval: Interval) -> str:
    return f"{interval.low:.1f} to {interval.high:.1f}"
