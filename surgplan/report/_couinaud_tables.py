"""Couinaud's segments as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surgplan.report._table import NOT_KNOWN, Cell, Table, ml, percent, table

Facts = Mapping[str, Any]


def couinaud_tables(facts: Facts) -> list[Table]:
    """Segments with what each plan takes of them, and where tumours lie; none if not parted."""
    couinaud = facts["couinaud"]
    if couinaud is None:
        return []
    plans = [(plan["name"], plan["title"]) for plan in facts["plans"]]
    return [t for t in (_segments(couinaud, plans), _tumours(couinaud)) if t.rows]


def _segments(couinaud: Facts, plans: list[tuple[str, str]]) -> Table:
    return table(
        "Volumes, and the share that each plan resects",
        ["Segment", ">Volume", ">Of the liver", *(f">{title}" for _, title in plans)],
        [
            [
                Cell(text=row["name"], swatch=row["colour"]),
                ml(row["volume_ml"]),
                percent(row["share_percent"]),
                *(_share(row["resected_percent"].get(name)) for name, _ in plans),
            ]
            for row in couinaud["segments"]
        ],
    )


def _share(value: float | None) -> str:
    """Whole percents: shares are counted on samples."""
    return NOT_KNOWN if value is None else f"{value:.0f} %"


def _tumours(couinaud: Facts) -> Table:
    return table(
        "Where the tumours lie",
        ["Tumour", ">Volume", "Segments"],
        [
            [
                t["name"],
                ml(t["volume_ml"]),
                ", ".join(f"{s['name']} ({s['percent']:.0f} %)" for s in t["segments"])
                or NOT_KNOWN,
            ]
            for t in couinaud["tumours"]
        ],
    )
