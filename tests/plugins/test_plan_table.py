"""Numbers and plans side by side, as they are read in the dock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_surgplan._plan_rows import rows_of

from .conftest import needs_screen, settled


def test_numbers_on_what_remains_have_names_that_fit(planner) -> None:
    planner.begin("plane", planner.start_of("plane"))
    settled(planner)
    names = {row.name for row in rows_of(planner.standing) if row.group == "Remnant"}
    assert {"Future liver remnant", "FLR of the liver", "Functional remnant"} <= names
    assert max(map(len, names)) <= 24


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
        left = table.columnViewportPosition(number)
        assert 0 <= left < table.viewport().width() - table.columnWidth(number) // 2
