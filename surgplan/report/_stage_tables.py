"""Tables of an operation in two stages: what each takes, and the remnant before each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surgplan.report._table import NOT_KNOWN, Cell, Table, ml, percent, share, table, verdict

Facts = Mapping[str, Any]

_OPERATIONS = {1: "first", 2: "second"}


def operations(plan: Facts) -> Table:
    """Both operations of a plan in two stages; no rows for any other plan."""
    return table(
        "Two stages: what each operation takes, and the functional liver left after it (after the "
        "second, grown as assumed)",
        ["Operation", "Takes", "Tumours", ">Resected", ">Ligated", ">Left in place"],
        [
            [
                _OPERATIONS[s["number"]],
                Cell(text=s["takes"], small=True),
                ", ".join(str(t) for t in s["tumours"]) or NOT_KNOWN,
                ml(s["resected_ml"]),
                ml(s["ligated_ml"]) if s["ligated_ml"] else NOT_KNOWN,
                ml(s["left_ml"]),
            ]
            for s in plan["stages"]
        ],
    )


def growth(plan: Facts) -> Table:
    """The liver that stays after both operations, as it is before each."""
    return table(
        "Two stages: the future liver remnant before each operation, its share of the functional "
        "liver measured on the scan, and whether that is enough to live on after the second",
        ["Before the", ">Remnant", ">Share", "Enough", "Growth by then", "Source of the growth"],
        [
            [
                f"{_OPERATIONS[s['number']]} operation",
                ml(s["flr_ml"]),
                percent(s["flr_percent"]),
                verdict(holds=s["keeps_enough_liver"], yes="yes", no="no"),
                f"by {percent(100 * (s['growth'] - 1))}" if s["source"] else "none",
                Cell(text=s["source"] or NOT_KNOWN, small=True),
            ]
            for s in plan["stages"]
        ],
    )


def thresholds(plan: Facts) -> Table:
    """The remnant against thresholds; in two stages as it is today and before the second one."""
    caption = (
        f"Future liver remnant against thresholds (condition of the liver: {plan['condition']})"
    )
    titles = ["Remnant", ">Share", ">Minimum", "Enough", "Source of the minimum"]
    last = plan["stages"][-1]["verdicts"] if plan["stages"] else plan["remnant_checks"]
    rows: list[list[Cell | str]] = [
        [
            check["name"],
            share(check["value_percent"], check["denominator"]),
            share(check["minimum_percent"], check["denominator"]),
            verdict(holds=check["passed"], yes="yes", no="no"),
            Cell(text=check["source"], small=True),
        ]
        for check in last
    ]
    if plan["stages"]:
        titles[1:2] = [">Today", ">Before the second operation"]
        for row, check in zip(rows, plan["remnant_checks"], strict=True):
            row.insert(1, share(check["value_percent"], check["denominator"]))
    return table(caption, titles, rows)
