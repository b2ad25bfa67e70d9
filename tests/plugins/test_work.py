"""Work on threads: results come to the thread of the window, and nobody hears of what is gone."""

from __future__ import annotations

import threading

import pytest

from .conftest import needs_screen

pytest.importorskip("pytestqt", reason="needs the dev extra")

from napari_surgplan._session import Session
from napari_surgplan._work import start
from surgplan.errors import NothingToDoError

pytestmark = [pytest.mark.gui, needs_screen]


@pytest.fixture
def session(qapp):
    session = Session()
    yield session
    session.close()


def test_a_result_comes_to_the_thread_of_the_window(session, qtbot) -> None:
    got, heard = [], []
    worked = []

    def work(progress):
        worked.append(threading.current_thread())
        progress(0.5, "half")
        return 7

    job = start(
        session, work, title="Counting", done=lambda n: got.append((n, threading.current_thread()))
    )
    job.progressed.connect(lambda fraction, word: heard.append((fraction, word)))
    qtbot.waitUntil(lambda: bool(got) and not job.running, timeout=5000)
    assert got == [(7, threading.main_thread())]
    assert worked != [threading.main_thread()]


def test_an_error_is_told_and_not_raised(session, qtbot) -> None:
    told = []
    session.failed.connect(told.append)

    def work(progress):
        msg = "nothing is there; open a scan"
        raise NothingToDoError(msg)

    start(session, work, title="Failing", done=told.append)
    qtbot.waitUntil(lambda: bool(told), timeout=5000)
    assert told == ["nothing is there; open a scan"]


def test_work_that_outlives_its_window_ends_quietly(session, qtbot, monkeypatch) -> None:
    go, got, raised = threading.Event(), [], []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    before = set(threading.enumerate())
    job = start(session, lambda progress: go.wait(5), title="Waiting", done=got.append)
    (thread,) = set(threading.enumerate()) - before
    job.cancel()
    job.deleteLater()
    qtbot.wait(50)  # as Qt does with all that a window owned
    go.set()
    thread.join(5)
    assert not thread.is_alive()
    assert (got, raised) == ([], [])


def test_what_was_said_goes_once_the_case_is_another(session, qtbot, monkeypatch) -> None:
    from napari_surgplan._status_bar import StatusBar

    over_the_view: list[str] = []
    monkeypatch.setattr("napari_surgplan._status_bar.show_warning", over_the_view.append)
    bar = StatusBar(session)
    qtbot.addWidget(bar)
    session.failed.emit("no such file; give the scan itself")
    assert over_the_view == ["no such file; give the scan itself"]  # the bar is not seen
    with qtbot.waitExposed(bar):
        bar.show()
    session.failed.emit("there is no plan; make one in the tab Plan")
    assert "there is no plan" in bar.message.text()
    assert bar.message.font().bold()
    assert len(over_the_view) == 1
    session.scan_changed.emit()
    assert bar.message.text() == ""
    session.message.emit("Written: report.html")
    assert bar.message.text() == "Written: report.html"
    assert not bar.message.font().bold()
    session.plans_changed.emit()
    assert bar.message.text() == ""


def test_what_is_said_in_a_row_stays_in_a_short_list(session, qtbot, monkeypatch) -> None:
    from napari_surgplan._status_bar import StatusBar

    now = [100.0]
    monkeypatch.setattr("napari_surgplan._status_bar.time.monotonic", lambda: now[0])
    bar = StatusBar(session)
    qtbot.addWidget(bar)
    for sentence in ("one", "two", "one", "three", "four"):
        now[0] += 1
        session.message.emit(sentence)
    assert bar.message.text() == "one\nthree\nfour"
    now[0] += 60
    session.message.emit("much later")
    assert bar.message.text() == "much later"
