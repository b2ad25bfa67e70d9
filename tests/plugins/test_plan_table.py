"""Numbers and plans side by side, as they are read in the dock."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from napari_surgplan._plan_columns import _working
from napari_surgplan._plan_rows import Row, _function, _remnant, _vessel
from surgplan.planning import FunctionalRemnant, VesselCut

from .conftest import needs_screen, settled


def test_numbers_on_what_remains_have_names_that_fit() -> None:
    told = SimpleNamespace(
        name="functional remnant of the measured functional liver",
        unit="%", value=26.6, formula="working / functional", inputs=(("working", 365.0),),
    )  # fmt: skip
    assessment: Any = SimpleNamespace(
        remnant_functional_ml=1172.0, verdicts=(), quantities=lambda: (told,)
    )
    names = [row.name for row in _remnant(assessment)]
    assert names == ["Future liver remnant", "Functional remnant"]


def test_what_is_not_known_of_vessels_is_no_number() -> None:
    missing = ("not assessed: hepatic veins found in only 43 % of the liver",)
    part = FunctionalRemnant(
        healthy_ml=410.0, devascularised_ml=0.0, congested_ml=None, both_ml=None,
        functional_ml=400.0, flr_percent=26.7, missing=missing,
    )  # fmt: skip
    words = []
    for function in (None, part, replace(part, missing=())):
        known: Any = SimpleNamespace(function=function, not_assessed=missing)
        row = next(_function(known))
        words.append((row.text, _working(function)))
        assert missing[0] in row.tip
    assert words == [
        ("not assessed", "–"), ("≤ 400 ml, ≤ 26.7 %", "≤ 26.7"), ("400 ml, 26.7 %", "26.7"),
    ]  # fmt: skip
    vessel = VesselCut(
        system="hepatic", branch=0, label="middle hepatic vein", order=1, diameter_mm=7.0,
        angle_deg=10.0, point_mm=(1.0, 2.0, 3.0), at="cut", downstream_ml=55.0,
    )  # fmt: skip
    assert _vessel(vessel).text == "⌀ 7.0 mm, 55 ml"
    assert _vessel(replace(vessel, downstream_ml=None)).text == "⌀ 7.0 mm"


@pytest.mark.gui
@pytest.mark.slow
@needs_screen
def test_the_plan_at_work_is_seen_among_many(planner, qtbot) -> None:
    from napari_surgplan._plan_table import CompareTable

    planner.begin("plane", planner.start_of("plane"))
    settled(planner)
    plans = [replace(planner.session.current_plan, name=f"a-long-name-{n}") for n in range(9)]
    table = CompareTable()
    qtbot.addWidget(table)
    table.resize(340, 200)
    with qtbot.waitExposed(table):
        table.show()
    for number in (8, 0):
        table.show_plans(plans, [None] * len(plans), plans[number].name)
        qtbot.waitUntil(table.verticalScrollBar().isVisible)  # it takes some of the room
        qtbot.wait(50)
        left = table.columnViewportPosition(number)
        assert 0 <= left <= table.viewport().width() - table.columnWidth(number)


@pytest.mark.gui
@pytest.mark.slow
@needs_screen
def test_what_is_good_and_bad_is_read_on_both_themes(qtbot) -> None:
    from qtpy.QtGui import QColor
    from qtpy.QtWidgets import QVBoxLayout, QWidget

    from napari_surgplan._plan_table import PlanTable

    window, table = QWidget(), PlanTable()
    QVBoxLayout(window).addWidget(table)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    rows = [Row(group="Margins", name=s, text="9 mm", state=s) for s in ("good", "bad")]
    for words, behind in (("white", "#26262d"), ("black", "#eae6e6")):
        window.setStyleSheet(f"QWidget {{ color: {words}; background: {behind} }}")
        qtbot.wait(50)
        table.show_rows(rows)
        for place in range(2):
            shown = table.topLevelItem(0).child(place).foreground(1).color()
            assert contrast(shown, QColor(behind)) > 4.5


def contrast(one, other) -> float:
    """Of two colours, 1 to 21, as the Web Content Accessibility Guidelines have it."""
    light = [
        sum(
            share * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for share, c in zip((0.2126, 0.7152, 0.0722), colour.getRgbF()[:3], strict=True)
        )
        for colour in (one, other)
    ]
    return (max(light) + 0.05) / (min(light) + 0.05)
