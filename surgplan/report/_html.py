"""The page: facts and pictures put into the template, every word escaped."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from surgplan.report import _tables
from surgplan.report._colours import CUT, LIVER_OUTLINE, REMNANT, RESECTED, hex_colour
from surgplan.report._couinaud_tables import couinaud_tables
from surgplan.report._pictures import Pictures
from surgplan.report._table import SIGNS, mm, percent
from surgplan.report._vessel_tables import works


def page(facts: Mapping[str, Any], pictures: Pictures) -> str:
    """One HTML page that needs no other file, no network and no script."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"mm": mm, "percent": percent, "works": works}
    environment.globals |= {"signs": SIGNS, "standing_marks": _tables.STANDING_MARKS}
    return environment.from_string(_text("report.html.j2")).render(
        facts=facts,
        pictures=pictures,
        style=Markup(_text("style.css")),
        anatomy_legend=_anatomy_legend(facts),
        plan_legend=_plan_legend(facts),
        plan_tables=[_tables.plan_tables(plan) for plan in facts["plans"]],
        comparison=_tables.comparison(facts["plans"]),
        structures=_tables.structures(facts),
        couinaud_tables=couinaud_tables(facts),
        provenance=_tables.provenance(facts),
    )


def _text(name: str) -> str:
    return resources.files("surgplan.report").joinpath(name).read_text(encoding="utf-8")


def _anatomy_legend(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    shown = [s for s in facts["structures"] if s["in_pictures"]]
    outline = {"name": "outline of the liver in slices", "colour": hex_colour(LIVER_OUTLINE)}
    return [*({"name": s["name"], "colour": s["colour"]} for s in shown), outline]


def _plan_legend(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    parts = (("remnant", REMNANT), ("resected part", RESECTED), ("cut", CUT))
    own = [{"name": name, "colour": hex_colour(colour)} for name, colour in parts]
    return own + [e for e in _anatomy_legend(facts) if e["name"] != "liver parenchyma"]
