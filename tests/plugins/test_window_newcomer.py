"""A newcomer with the sample: how many actions lie between the first click and the report."""

from __future__ import annotations

import pytest

from .conftest import needs_screen

pytest.importorskip("qtpy")

import surgplan
from napari_surgplan._export_tab import ExportTab
from napari_surgplan._open_tab import OpenTab
from napari_surgplan._plan_rows import headline
from napari_surgplan._plan_tab import PlanTab

pytestmark = [pytest.mark.gui, pytest.mark.slow, needs_screen]


def test_a_newcomer_has_a_report_of_the_sample_after_six_actions(driver, tmp_path) -> None:
    session = driver.session
    driver.click(driver.dock.tab(OpenTab).sample)
    driver.until(lambda: session.label_map is not None)
    driver.idle()

    tab = driver.show(PlanTab)
    driver.until(lambda: tab.buttons["wedge"].isEnabled())
    driver.click(tab.buttons["wedge"])
    driver.until(lambda: session.current_plan is not None)
    driver.picture("newcomer-planned")
    assert headline(tab.planner.standing).feasible

    tab = driver.show(ExportTab)
    driver.answer(tmp_path / "report")
    driver.click(tab.buttons["Report…"])
    driver.until(lambda: "report" in tab.written.text())
    driver.picture("newcomer-reported")
    lacks_pdf = not (tmp_path / "report" / "report.pdf").exists()
    assert ("surgplan[pdf]" in driver.dock.status.message.text()) == lacks_pdf
    assert len(driver.done) <= 6
    text = (tmp_path / "report" / "report.html").read_text()
    assert surgplan.NOT_A_MEDICAL_DEVICE in text
    assert session.current_plan.name in text
