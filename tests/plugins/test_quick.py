"""What keeps the window quick, as far as that is seen without a clock."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from threadpoolctl import threadpool_info, threadpool_limits

from napari_surgplan._cores import OneCore
from napari_surgplan._mirror import Mirror
from napari_surgplan._turns import anything_waits
from surgplan.volume import _label_map
from surgplan.volume._volume import content_hash

from .conftest import needs_screen, settled
from .driver import PATIENCE_MS


def cores() -> list[int]:
    """That numpy and scipy multiply on."""
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def test_products_take_one_core_until_the_end() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = cores()
        one = OneCore()
        assert set(cores()) == {1}
        one.end()
        assert cores() == before
    assert 2 in before


@pytest.mark.gui
@pytest.mark.slow
@needs_screen
def test_a_window_multiplies_on_one_core_until_it_is_closed(make_napari_viewer, qtbot) -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        viewer = make_napari_viewer(show=True)
        _, dock = viewer.window.add_plugin_dock_widget("surgplan", "SurgPlan")
        qtbot.waitExposed(dock)
        qtbot.waitUntil(lambda: not anything_waits(), timeout=PATIENCE_MS)
        assert set(cores()) == {1}
        viewer.close()
        assert 2 in cores()


def test_a_plan_is_kept_without_a_look_at_every_voxel(planner, monkeypatch) -> None:
    looked = []

    def read(*content) -> str:
        looked.append(content)
        return content_hash(*content)

    monkeypatch.setattr(_label_map, "content_hash", read)
    planner.begin("plane", planner.start_of("plane"))
    settled(planner)
    plan = planner.session.current_plan
    monkeypatch.undo()
    assert looked == []
    assert plan.labels_fingerprint == planner.session.label_map.fingerprint()


def test_each_layer_is_looked_at_once_for_a_point(session, monkeypatch) -> None:
    pane = ViewerModel(order=(1, 0, 2))
    mirror = Mirror(session.viewer, session.shown.eyes, pane)
    session.shown.cross.join(pane)
    asked = []
    monkeypatch.setattr(pane._layer_slicer, "submit", lambda **_: asked.append(pane.dims.point[1]))
    session.focus((8.0, -14.0, 21.0))
    assert asked == [pytest.approx(-14, abs=2)]
    monkeypatch.undo()
    mirror.close()


@pytest.mark.gui
@pytest.mark.slow
@needs_screen
def test_another_verdict_of_as_many_lines_lays_nothing_out_anew(qtbot) -> None:
    from qtpy.QtCore import QEvent, QObject
    from qtpy.QtWidgets import QVBoxLayout, QWidget

    from napari_surgplan._verdict import Verdict

    laid: list[int] = []

    class Watch(QObject):
        def eventFilter(self, watched, event) -> bool:
            laid.extend([1] * (event.type() == QEvent.Type.LayoutRequest))
            return False

    around, verdict, watch = QWidget(), Verdict(), Watch()
    QVBoxLayout(around).addWidget(verdict)
    around.resize(300, 400)
    qtbot.addWidget(around)
    around.show()
    qtbot.waitExposed(around)
    qtbot.wait(50)
    around.installEventFilter(watch)
    low = verdict.height()
    colours = []
    for text, colour in (("Feasible", "#2e7d4f"), ("Not feasible: nothing stays", "#a33a3a")):
        verdict.say(text, colour)
        qtbot.wait(50)
        colours.append(verdict.grab().toImage().pixelColor(150, 4).name())
        assert verdict.text() == verdict.accessibleName() == text
    assert colours == ["#2e7d4f", "#a33a3a"]
    assert (laid, verdict.height()) == ([], low)
    verdict.say("Not feasible: " + "far too little of the liver stays, " * 8, "#a33a3a")
    qtbot.waitUntil(lambda: verdict.height() > low)
    tall = verdict.height()
    around.resize(900, 400)
    qtbot.waitUntil(lambda: low <= verdict.height() < tall)
    qtbot.waitUntil(lambda: bool(laid))
