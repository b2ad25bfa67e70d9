"""Tables of the vessels that a plan divides, and of the remnant that keeps its vessels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surgplan.planning import LEAST_DIAMETER_MM
from surgplan.report._table import NOT_KNOWN, Cell, Table, ml, mm, percent, point, table

Facts = Mapping[str, Any]

_SYSTEMS = {"portal": "portal supply", "hepatic": "hepatic drainage"}
_CLASSES = (
    ("healthy", "healthy_ml"),
    ("devascularised", "devascularised_ml"),
    ("congested", "congested_ml"),
    ("both", "both_ml"),
)


def vessels_divided(plan: Facts) -> Table:
    """Each vessel from 2 mm on that has to be divided; what could not be assessed says so."""
    wide = wide_vessels(plan)
    thin = len(plan["vessels_cut"]) - len(wide)
    rows: list[list[Cell | str]] = [
        [
            v["name"],
            mm(v["diameter_mm"]),
            str(v["order"]),
            f"{v['angle_deg']:.0f}°",
            _SYSTEMS[v["system"]],
            _known(v["downstream_ml"]),
            "in the cut" if v["at"] == "cut" else "at the liver's surface",
            point(v["point_mm"]),
        ]
        for v in wide
    ]
    rows += [[words] for words in plan["not_assessed"]]
    more = f", and {thin} thinner" if thin else ""
    return table(
        f"Vessels divided ({LEAST_DIAMETER_MM:g} mm or wider{more})",
        ["Vessel", ">Diameter", ">Order", ">Angle to the cut's normal", "Serves",
         ">Liver behind it", "Divided", "Where (mm)"],
        rows,
    )  # fmt: skip


def remnant_by_function(plan: Facts) -> Table:
    """Healthy, devascularised, congested and both; together the remnant."""
    function = plan["function"]
    if function is None:
        return table("Function of the remnant", ["Remnant"], [[w] for w in plan["not_assessed"]])
    rows = [[name, _known(function[key]), _share(function[key], plan)] for name, key in _CLASSES]
    rows += [[words] for words in plan["not_assessed"]]
    rows.append(
        [_functional(function), ml(function["functional_ml"]),
         f"{percent(function['flr_percent'])} of functional liver"]
    )  # fmt: skip
    return table("Function of the remnant", ["Remnant", ">Volume", ">Share"], rows)


def function_rows(plans: list[Facts]) -> Iterator[list[Cell | str]]:
    """What plans side by side say about vessels and function."""
    yield ["remnant that keeps its vessels", *(works(p["function"]) for p in plans)]
    yield ["vessels divided (2 mm or wider)", *(str(len(wide_vessels(p))) for p in plans)]


def wide_vessels(plan: Facts) -> list[Facts]:
    """The vessels cut that are named to people."""
    return [v for v in plan["vessels_cut"] if v["diameter_mm"] >= LEAST_DIAMETER_MM]


def _functional(function: Facts) -> str:
    """What the functional remnant is, in words; where a system is not known, it may be less."""
    return f"functional{' at most' if function['missing'] else ''} (healthy, without tumour)"


def works(function: Facts | None) -> str:
    """How much of the functional liver stays and keeps its vessels, as far as they are known."""
    if function is None:
        return "not assessed"
    return f"{'at most ' if function['missing'] else ''}{percent(function['flr_percent'])}"


def _known(value: float | None) -> str:
    return "not assessed" if value is None else ml(value)


def _share(value: float | None, plan: Facts) -> str:
    if value is None or not plan["remnant_ml"]:
        return NOT_KNOWN
    return f"{percent(100 * value / plan['remnant_ml'])} of remnant"
