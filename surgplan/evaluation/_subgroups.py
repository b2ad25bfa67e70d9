"""Which group each case belongs to, from a table of patients and scans."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from surgplan.errors import CorruptFileError, InputRefusedError

CASE = "case"
AGE_BANDS = ((40.0, "under 40"), (60.0, "40 to 59"), (75.0, "60 to 74"), (float("inf"), "from 75"))
THICKNESS_BANDS = (
    (1.5, "under 1.5 mm"), (3.0, "1.5 to 3 mm"), (5.0, "3 to 5 mm"), (float("inf"), "from 5 mm"),
)  # fmt: skip
_BANDS = {
    "age": ("age band", AGE_BANDS),
    "slice_thickness_mm": ("slice thickness", THICKNESS_BANDS),
}


def read_subgroups(path: Path) -> Mapping[str, Mapping[str, str]]:
    """Column to case to group.

    The table is CSV with the column ``case`` and any others, for example ``phase``, ``vendor``,
    ``sex``, ``age`` and ``slice_thickness_mm``; the last two are put into bands. Empty cells put a
    case in no group.

    Raises
    ------
    CorruptFileError
        If it is no table.
    InputRefusedError
        If it has no column ``case``, a case stands twice, or a number is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as e:
        msg = f"{path.name} is no table of subgroups: {e}; give CSV with the column case"
        raise CorruptFileError(msg) from e
    names = [row.get(CASE, "") for row in rows]
    if not all(names) or len(set(names)) != len(names):
        msg = f"{path.name} must have the column case, each case once and none empty"
        raise InputRefusedError(msg)
    groups: dict[str, dict[str, str]] = {}
    for row in rows:
        for column, value in row.items():
            if column != CASE and value:
                title, group = _group(column, value)
                groups.setdefault(title, {})[row[CASE]] = group
    return groups


def _group(column: str, value: str) -> tuple[str, str]:
    if column not in _BANDS:
        return column, value
    title, bands = _BANDS[column]
    try:
        number = float(value)
    except ValueError as e:
        msg = f"column {column} must hold numbers, got {value!r}"
        raise InputRefusedError(msg) from e
    return title, next(name for below, name in bands if number < below)
