"""A batch on one page, and as a table for other programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.fleet._job import Result
from surgplan.io import atomic_file, write_json
from surgplan.volume import LIVER_TUMOUR

SUMMARY_COLUMNS = (
    "name", "state", "seconds", "labelled_ml", "tumour_ml", "plan", "flr_percent", "message",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_summary(results: Sequence[Result], out: Path) -> None:
    """Write ``summary.csv``, ``summary.json`` and ``summary.html`` beside the previews."""
    rows = [_row(result) for result in results]
    with (
        atomic_file(out / "summary.csv") as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.DictWriter(file, (*SUMMARY_COLUMNS, "notice"))
        table.writeheader()
        for row in rows:
            told = {key: _harmless(value) for key, value in row.items()}
            table.writerow({**told, "notice": NOT_A_MEDICAL_DEVICE})
    write_json({"notice": NOT_A_MEDICAL_DEVICE, "studies": rows}, out / "summary.json")
    with atomic_file(out / "summary.html") as path:
        path.write_text(_page(rows, out), encoding="utf-8")


def _row(result: Result) -> dict[str, Any]:
    structures = {s["name"]: s["volume_ml"] for s in result.answer.get("structures", [])}
    plans = result.answer.get("plans") or [{}]
    return {
        "name": result.name,
        "state": result.state,
        "seconds": result.seconds,
        "labelled_ml": round(sum(structures.values()), 1) if structures else None,
        "tumour_ml": structures.get(LIVER_TUMOUR.name),
        "plan": plans[0].get("name"),
        "flr_percent": plans[0].get("flr_percent"),
        "message": result.message,
    }


def _harmless(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _page(rows: list[dict[str, Any]], out: Path) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    text = resources.files("surgplan.fleet").joinpath("summary.html.j2").read_text("utf-8")
    for row in rows:
        links = {
            "preview": f"previews/{row['name']}.jpg",
            "report": f"{row['name']}/report.html",
            "log": f"logs/{row['name']}.log",
        }
        row["links"] = {word: link for word, link in links.items() if (out / link).is_file()}
    return environment.from_string(text).render(
        rows=rows, notice=NOT_A_MEDICAL_DEVICE, version=__version__
    )
