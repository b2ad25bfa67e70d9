"""What the window does later: in turns, once for many, and only what somebody looks at."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from napari.components import ViewerModel

from napari_surgplan import _turns
from napari_surgplan._autosave import save
from napari_surgplan._lazy_controls import make_lazy
from napari_surgplan._throttle import WAIT_MS, Throttle
from napari_surgplan._turns import Turns, anything_waits
from surgplan.io import Case

from .conftest import needs_screen, settled

WINDOW = SimpleNamespace(window=None)
"""All that tells a viewer with a window from one without."""


@pytest.fixture
def pending(monkeypatch):
    """Turns asked of Qt, which are taken by hand: `pending.pop()()`."""
    asked: list = []
    timer = SimpleNamespace(singleShot=lambda _ms, call: asked.append(call))
    monkeypatch.setitem(__import__("sys").modules, "qtpy.QtCore", SimpleNamespace(QTimer=timer))
    yield asked
    while asked:
        asked.pop()()
    assert not anything_waits()


def test_without_a_window_everything_is_done_at_once() -> None:
    done = []
    turns = Turns(ViewerModel())
    turns.add(lambda: done.append("piece"))
    turns.add_last(lambda: done.append("last"))
    Throttle(lambda: done.append("throttled"), ViewerModel()).ask()
    assert done == ["piece", "last", "throttled"]


def test_a_throttle_does_once_what_many_asked_for(pending) -> None:
    done = []
    throttle = Throttle(lambda: done.append(1), WINDOW)
    for _ in range(3):
        throttle.ask()
    assert (len(pending), done) == (1, [])
    pending.pop()()
    assert done == [1]
    throttle.ask()
    throttle.drop()
    pending.pop()()
    assert done == [1]
    throttle.ask()
    pending.pop()()
    assert done == [1, 1]
    assert WAIT_MS > 0


def take(pending) -> None:
    """One turn of the window: Qt is asked twice for each."""
    pending.pop()()
    pending.pop()()


def test_pieces_of_all_views_are_done_one_a_turn_and_the_last_at_the_end(pending) -> None:
    done = []
    one, other = Turns(WINDOW), Turns(WINDOW)
    one.add(lambda: (done.append("first"), other.add_last(lambda: done.append("last"))))
    other.add(lambda: done.append("second"))
    one.add(lambda: done.append("third"))
    for wanted in (["first"], ["first", "second"]):
        take(pending)
        assert done == wanted
    one.clear()
    other.add(lambda: done.append("fourth"))
    assert len(pending) == 1  # Qt is never asked for two turns at a time
    take(pending)
    assert anything_waits()
    take(pending)
    assert done == ["first", "second", "fourth", "last"]


def test_a_piece_that_fails_does_not_stop_the_others(pending) -> None:
    done = []
    turns = Turns(WINDOW)
    turns.add(lambda: 1 / 0)
    turns.add(lambda: done.append(1))
    with pytest.raises(ZeroDivisionError):
        take(pending)
    take(pending)
    assert done == [1]


def test_what_waits_can_be_done_now(pending) -> None:
    done = []
    turns = Turns(WINDOW)
    turns.add(lambda: turns.add(lambda: done.append("added")))
    turns.finish()
    assert done == ["added"]


def test_surfaces_are_saved_when_the_window_rests_and_plans_before(planner, tmp_path) -> None:
    planner.begin("plane", planner.start_of("plane"))
    settled(planner)
    state = planner.session.state
    case = Case.create(tmp_path / "case", inputs={})
    stages = []

    def rest() -> None:
        stages.append({n for n, s in case.manifest["stages"].items() if s["state"] == "done"})

    save(case, state, before=None, rest=rest)
    assert stages == [{"image", "labels", "plans"}]
    assert case.manifest["stages"]["surfaces"]["state"] == "done"


def test_saving_waits_while_pieces_wait_but_not_for_one_who_waits(
    planner, pending, monkeypatch
) -> None:
    session = planner.session
    session.autosave.wait()
    monkeypatch.setattr("napari_surgplan._autosave.SURFACES_WAIT_S", 60.0)
    _turns._waiting.append((Turns(WINDOW), lambda: None))
    labels = session.label_map
    session.set_labels(labels.with_array(labels.array.copy()), surfaces=session.surfaces)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        assert session.autosave.busy
        time.sleep(0.02)
    waiting = threading.Timer(30, _turns._waiting.clear)  # a test that hangs says little
    waiting.start()
    began = time.monotonic()
    session.autosave.wait()
    assert time.monotonic() - began < 20
    waiting.cancel()
    _turns._waiting.clear()


@pytest.mark.gui
@pytest.mark.slow
@needs_screen
def test_controls_are_built_for_the_layer_that_is_looked_at(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    make_lazy(viewer)
    container = viewer.window._qt_viewer.controls
    make_lazy(viewer)  # a second dock changes nothing
    viewer.window._qt_viewer.dockLayerControls.setVisible(False)
    first, second = viewer.add_points(name="a"), viewer.add_points(name="b")
    qtbot.waitUntil(lambda: not anything_waits())
    assert len(container.widgets) == 0
    viewer.window._qt_viewer.dockLayerControls.setVisible(True)
    qtbot.waitUntil(lambda: second in container.widgets)
    assert list(container.widgets) == [second]
    assert container.currentWidget() is container.widgets[second]
    wide = container.minimumWidth()
    assert wide >= container.minimumSizeHint().width()
    viewer.layers.selection.active = first
    qtbot.waitUntil(lambda: first in container.widgets)
    assert container.currentWidget() is container.widgets[first]
    viewer.layers.remove(second)
    assert list(container.widgets) == [first]
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not anything_waits())
    assert container.minimumWidth() == wide  # the views beside it stay as they are
