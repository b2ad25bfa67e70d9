"""The tables of a report, made from its facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surgplan.report._stage_tables import growth, operations, thresholds
from surgplan.report._table import (
    NOT_KNOWN,
    Cell,
    Mark,
    Table,
    area,
    centimetres2,
    ml,
    mm,
    percent,
    point,
    share,
    table,
    verdict,
)
from surgplan.report._vessel_tables import function_rows, remnant_by_function, vessels_divided

Facts = Mapping[str, Any]

_REMNANT = "future liver remnant"

STANDING_MARKS: dict[str, Mark] = {
    "feasible": "yes",
    "feasible with flags": "care",
    "not feasible": "no",
}
"""How each standing of a plan is marked."""


def plan_tables(plan: Facts) -> list[Table]:
    """Stages, tumours, remnant, volumes and vessels of one plan."""
    tables = [operations(plan), growth(plan), _tumours(plan), thresholds(plan), _volumes(plan)]
    tables += [remnant_by_function(plan), vessels_divided(plan), _structures_met(plan)]
    return [t for t in tables if t.rows]


def comparison(plans: list[Facts]) -> Table:
    """All plans side by side."""
    return table(
        "All plans side by side",
        ["", *(f">{plan['title']}" for plan in plans)],
        [
            ["by the numbers", *(_feasible(p) for p in plans)],
            ["smallest margin", *(mm(p["smallest_margin_mm"]) for p in plans)],
            ["tumours cleared", *(_cleared(p) for p in plans)],
            ["remnant of measured functional liver", *(percent(p["flr_percent"]) for p in plans)],
            *_grown_rows(plans),
            *_standard_rows(plans),
            ["remnant without tumour", *(ml(p["remnant_functional_ml"]) for p in plans)],
            ["resected", *(ml(p["resected_ml"]) for p in plans)],
            ["area of the cut", *(area(p["cut_area_mm2"]) for p in plans)],
            *function_rows(plans),
            *_vessel_rows(plans),
        ],
    )


def structures(facts: Facts) -> Table:
    """Every structure of the label map, and the whole liver."""
    rows: list[list[Cell | str]] = [
        ["whole liver (tumours, cysts and inner vessels included)", ml(facts["whole_liver_ml"]), ""]
    ]
    rows += [
        [
            Cell(text=s["name"], swatch=s["colour"]),
            ml(s["volume_ml"]),
            NOT_KNOWN if s["mean_confidence"] is None else f"{s['mean_confidence']:.2f}",
        ]
        for s in facts["structures"]
    ]
    titles = ["Structure", ">Volume", ">Mean confidence"]
    if all(s["mean_confidence"] is None for s in facts["structures"]):
        titles, rows = titles[:2], [row[:2] for row in rows]
    return table("Structures in the scan", titles, rows)


def provenance(facts: Facts) -> Table:
    """Where everything comes from, nested names joined by dots."""
    scan = facts["scan"]
    rows = [
        ("scan.sha256", scan["fingerprint"]),
        ("scan.axes", f"{scan['axes']}, tilted by {scan['tilt_deg']:.1f} degrees"),
        ("scan.frame", scan["frame"]),
        ("labels.sha256", facts["labels"]["fingerprint"]),
        ("software", f"{facts['software']['name']} {facts['software']['version']}"),
        *_flat(facts["provenance"], ""),
    ]
    return table("Provenance", ["What", "Value"], [[k, Cell(text=v, small=True)] for k, v in rows])


def _tumours(plan: Facts) -> Table:
    wanted = plan["margin_wanted_mm"]
    return table(
        f"Tumours and margins (asked for: {mm(wanted)})",
        [
            "Tumour",
            ">Volume",
            "Side",
            ">Margin",
            "Cleared",
            "Where (mm)",
            ">Cut within 1 / 5 / 10 mm, cm²",
        ],
        [
            [
                t["name"],
                ml(t["volume_ml"]),
                t["side"],
                mm(t["margin_mm"]),
                verdict(holds=t["cleared"], yes="yes", no="no"),
                point(t["at_mm"]),
                " / ".join(centimetres2(a) for a in t["cut_within_mm2"]),
            ]
            for t in plan["tumours"]
        ],
    )


def _volumes(plan: Facts) -> Table:
    of_whole = ("whole liver", plan["total_ml"])
    of_functional = ("functional liver", plan["functional_ml"])
    rows: list[list[Cell | str]] = [
        [
            q["name"],
            ml(q["value"]),
            _part(q["value"], *(of_functional if q["name"] == _REMNANT else of_whole)),
            Cell(text=q["formula"], small=True),
        ]
        for q in plan["quantities"]
        if q["unit"] == "ml"
    ]
    return table("Volumes", ["Volume", ">Millilitres", ">Share", "How"], rows)


def _part(value_ml: float, name: str, whole_ml: float) -> str:
    return f"{percent(100 * value_ml / whole_ml)} of {name}" if whole_ml > 0 else NOT_KNOWN


def _structures_met(plan: Facts) -> Table:
    return table(
        "Vessels and bile ducts",
        ["Structure", ">Distance to the cut", "Crossed", ">Area crossed"],
        [
            [
                s["name"],
                mm(s["distance_mm"]),
                "yes" if s["crossed"] else "no",
                area(s["crossed_area_mm2"]) if s["crossed"] else NOT_KNOWN,
            ]
            for s in plan["structures"]
        ],
    )


def _feasible(plan: Facts) -> Cell:
    return Cell(text=plan["standing"], mark=STANDING_MARKS[plan["standing"]])


def _cleared(plan: Facts) -> str:
    done = sum(t["cleared"] for t in plan["tumours"])
    return f"{done} of {len(plan['tumours'])}"


def _grown_rows(plans: list[Facts]) -> Iterator[list[Cell | str]]:
    """The remnant before the second operation, where any plan has two."""
    if any(p["stages"] for p in plans):
        last = (p["stages"][-1]["flr_percent"] if p["stages"] else None for p in plans)
        yield ["the same before the second operation, grown", *(percent(v) for v in last)]


def _standard_rows(plans: list[Facts]) -> Iterator[list[Cell | str]]:
    names = {c["name"]: c["denominator"] for p in plans for c in p["remnant_checks"]}
    for name, denominator in names.items():
        if denominator == "measured":
            continue
        values = [
            next((c["value_percent"] for c in p["remnant_checks"] if c["name"] == name), None)
            for p in plans
        ]
        cells = (NOT_KNOWN if v is None else share(v, denominator) for v in values)
        yield [f"remnant {name}", *cells]


def _vessel_rows(plans: list[Facts]) -> Iterator[list[Cell | str]]:
    for name in dict.fromkeys(s["name"] for p in plans for s in p["structures"]):
        met = [next((s for s in p["structures"] if s["name"] == name), None) for p in plans]
        yield [f"cut to {name}", *(_distance(s) for s in met)]


def _distance(structure: Facts | None) -> str:
    if structure is None:
        return NOT_KNOWN
    return "crossed" if structure["crossed"] else mm(structure["distance_mm"])


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if name == "warnings" and not prefix:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
            yield from _flat({str(n): v for n, v in enumerate(value, start=1)}, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield prefix + name, ", ".join(str(v) for v in value) or NOT_KNOWN
        else:
            yield prefix + name, NOT_KNOWN if value is None else str(value)
