"""A real window's manners: keys that reach us, errors in sentences, files however they come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from .conftest import needs_screen

pytest.importorskip("qtpy")

from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QKeySequence, QShortcut
from qtpy.QtWidgets import QAbstractButton, QApplication

from napari_surgplan._anatomy_tab import AnatomyTab
from napari_surgplan._export_tab import ExportTab
from napari_surgplan._icons import icon
from napari_surgplan._plan_tab import BEGIN, READYING, STOPPED, PlanTab
from napari_surgplan._player import Player
from napari_surgplan._rehearser import Rehearser
from napari_surgplan._turns import anything_waits
from surgplan.errors import CorruptFileError

pytestmark = [
    pytest.mark.gui,
    pytest.mark.slow,
    needs_screen,
    pytest.mark.filterwarnings("ignore:Function. 'QApplication.setActiveWindow:DeprecationWarning"),
]
KEY = re.compile(r"\(([^()]+)\)$")
HELD_IN_A_VIEW = {"Ctrl+R", "Ctrl+T", "Space", "Escape", "Esc"}
"""Keys of napari's own views that a key of the window goes before, as was seen."""


def keys_of_menus(menu: Any) -> Iterator[str]:
    """Of a menu bar or a menu, and all below it."""
    for action in menu.actions():
        if action.menu() is not None:
            yield from keys_of_menus(action.menu())
        yield from (key.toString() for key in action.shortcuts())


def our_keys(dock: Any) -> set[str]:
    """All keys of the dock."""
    buttons = {b.shortcut().toString() for b in dock.findChildren(QAbstractButton)}
    return buttons | {s.key().toString() for s in dock.findChildren(QShortcut)} - {""}


def test_no_key_of_ours_is_taken_by_a_menu_of_napari(driver) -> None:
    menus = set(keys_of_menus(driver.viewer.window._qt_window.menuBar()))
    views = {
        QKeySequence(str(key).replace("-", "+")).toString()
        for keys in get_settings().shortcuts.shortcuts.values()
        for key in keys
    }
    assert {"Ctrl+O", "Ctrl+Shift+P"} <= menus
    assert our_keys(driver.dock) & (menus | views - HELD_IN_A_VIEW) == set()


def test_the_key_that_a_tip_names_is_the_key(driver) -> None:
    keys = our_keys(driver.dock)
    named = {
        found[1]
        for button in driver.dock.findChildren(QAbstractButton)
        if (found := KEY.search(button.toolTip()))
    }
    assert len(named) > 25
    assert named - keys == set()


def test_space_plays_and_pauses_once_for_a_press(session, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(Player, "play", lambda *_, **__: None)
    player = Player(Rehearser(session), picture=lambda: np.zeros((2, 2, 4), np.uint8))
    qtbot.addWidget(player)
    with qtbot.waitExposed(player):
        player.show()
    QApplication.setActiveWindow(player)
    turned = []
    player.button.toggled.connect(turned.append)
    for focus in (player.film, player.button):
        focus.setFocus()
        qtbot.keyClick(focus, Qt.Key.Key_Space)
        qtbot.wait(300)
    assert turned == [True, False]


def _kept(error: Exception) -> Exception:
    """An error with the traceback that it has where nobody catches it."""
    try:
        raise error
    except type(error) as e:
        return e


def test_an_error_that_nobody_caught_is_a_sentence_in_the_dock(driver) -> None:
    heard: list[Any] = []
    notification_manager.notification_ready.connect(heard.append)
    for error, words in (
        (
            CorruptFileError("Error calling Python override of A::b(): a.nii is cut short"),
            "a.nii is cut short",
        ),
        (_raised_inside(driver), "Something inside went wrong (TypeError"),
    ):
        notification_manager.receive_error(type(error), error, error.__traceback__)
        assert words in driver.dock.status.message.text()
        assert "override" not in driver.dock.status.message.text()
    assert heard == []
    foreign = _kept(ValueError("of another plugin"))
    notification_manager.receive_error(ValueError, foreign, foreign.__traceback__)
    assert [n.exception for n in heard] == [foreign]
    notification_manager.notification_ready.disconnect(heard.append)


def _raised_inside(driver) -> Exception:
    """One that goes through code of the plugin."""
    try:
        driver.session.focus(object())
    except TypeError as e:
        return e
    raise AssertionError


def test_what_is_dropped_together_opens_the_scan_first(driver, files, body) -> None:
    paths = [str(files / name) for name in ("labels.seg.nrrd", "scan.nii.gz")]
    driver.viewer.open(paths, plugin="surgplan")
    driver.until(lambda: driver.session.label_map is not None)
    driver.idle()
    assert driver.session.label_map == body[1]
    assert driver.session.history.steps == (1, 0)  # each was opened once


def test_a_broken_file_that_is_dropped_is_told_and_the_case_stays(driver, files, tmp_path) -> None:
    driver.open(files / "scan.nii.gz")
    before = driver.session.volume
    whole = (files / "scan.nii.gz").read_bytes()
    (tmp_path / "half.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty").mkdir()
    for name, words in (("half.nii.gz", "cut short"), ("empty", "no DICOM file")):
        driver.viewer.open(str(tmp_path / name), plugin="surgplan")
        driver.until(lambda words=words: words in driver.dock.status.message.text())
    assert driver.session.volume is before


def test_the_sample_of_the_menu_comes_on_a_worker(driver) -> None:
    driver.viewer.open_sample("surgplan", "liver_scan")
    driver.until(lambda: driver.dock.status.job is not None)
    driver.until(lambda: driver.session.volume is not None)
    layers = driver.viewer.layers
    driver.until(lambda: [layer.name for layer in layers] == ["CT scan"])


def test_escape_cancels_what_is_under_way(driver, files) -> None:
    driver.open(files / "scan.nii.gz", files / "labels.seg.nrrd")
    tab = driver.show(PlanTab)
    driver.until(lambda: tab.planner.prepared is not None)
    driver.idle()
    window = driver.viewer.window._qt_window
    QApplication.setActiveWindow(window)  # there is no window manager that would do it
    driver.click(tab.proposals.button)
    job = driver.dock.status.job
    driver.qtbot.keyClick(window, Qt.Key.Key_Escape)
    driver.qtbot.waitUntil(lambda: not job.running, timeout=1000)
    assert job.cancelled
    assert driver.session.plans == ()


def test_getting_ready_that_was_cancelled_begins_again(driver, files, body) -> None:
    driver.open(files / "scan.nii.gz", files / "labels.seg.nrrd")
    tab = driver.show(PlanTab)
    driver.session.set_labels(replace(body[1]), surfaces=driver.session.surfaces)
    driver.until(lambda: driver.dock.status.job is not None and not anything_waits())
    assert tab.verdict.text() == READYING
    driver.dock.status.stop_all()
    assert tab.verdict.text() == STOPPED
    driver.show(AnatomyTab)
    driver.show(PlanTab)
    driver.until(lambda: tab.verdict.text() == BEGIN)
    assert tab.planner.prepared is not None


def test_a_button_that_cannot_be_pressed_is_fainter(qtbot) -> None:
    def strength(mode: QIcon.Mode) -> int:
        image = icon("undo").pixmap(24, mode).toImage()
        return max(image.pixelColor(x, y).alpha() for x in range(24) for y in range(24))

    assert strength(QIcon.Mode.Disabled) < strength(QIcon.Mode.Normal) / 2


def test_what_cannot_be_written_is_told(driver, files, tmp_path) -> None:
    driver.open(files / "scan.nii.gz", files / "labels.seg.nrrd")
    tab = driver.show(ExportTab)
    (tmp_path / "file").touch()
    for text in ("Report…", "Surfaces (STL)…", "3D scene (GLB)…", "Structures…"):
        driver.answer(tmp_path / "file" / "below.glb" if "GLB" in text else tmp_path / "file" / "a")
        driver.dock.status.say("")
        driver.click(tab.buttons[text])
        driver.until(lambda: driver.dock.status.message.text() != "")
        assert "went wrong" not in driver.dock.status.message.text()
