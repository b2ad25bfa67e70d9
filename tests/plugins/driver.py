"""Hands on a real window: clicks, drags and answers to dialogs, counted, with pictures kept."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_surgplan._layers import to_world
from napari_surgplan._plan_tab import PlanTab
from napari_surgplan._turns import anything_waits

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
PATIENCE_MS = 120_000
"""On one loaded core with software rendering; a window that hangs is told from one that is slow."""


class Driver:
    """Does what a user does, in a window that is really there.

    Attributes
    ----------
    done
        Clicks, drags and answers to dialogs so far.
    """

    def __init__(self, viewer: Any, qtbot: Any, monkeypatch: Any, pictures: Path) -> None:
        self.viewer, self.qtbot, self.monkeypatch = viewer, qtbot, monkeypatch
        self.pictures = Path(os.environ.get("SURGPLAN_PICTURES", str(pictures)))
        self.done: list[str] = []
        viewer.window._qt_window.resize(1400, 900)
        _, self.dock = viewer.window.add_plugin_dock_widget("surgplan", "SurgPlan")
        self.session = self.dock.session
        qtbot.waitExposed(self.dock)
        qtbot.wait(100)  # the dock has its size then

    def close(self) -> None:
        """Close the window once its threads are done, and hold nothing of it."""
        self.idle()
        tab = self.dock.tab(PlanTab)
        threads = (tab.mapper, tab.planner.maker, tab.planner.drawer, tab.planner.judge)
        self.until(lambda: not any(thread.busy for thread in threads))
        self.session.autosave.wait()
        self.viewer.close()
        self.viewer = self.dock = self.session = None
        self.qtbot.wait(100)
        gc.collect()

    def show(self, kind: Any) -> Any:
        """Click on the head of a tab."""
        tab, heads = self.dock.tab(kind), self.dock.tabs.tabBar()
        place = self.dock.tabs.indexOf(tab)
        self.until(lambda: heads.rect().contains(heads.tabRect(place)))
        at = heads.tabRect(place).center()
        self.done.append("tab")
        self.qtbot.mouseClick(heads, LEFT, NONE, at)
        assert self.dock.tabs.currentWidget() is tab
        return tab

    def click(self, button: Any) -> None:
        """Click on a button that can be clicked."""
        assert button.isEnabled()
        assert button.isVisible()
        self.done.append("button")
        self.qtbot.mouseClick(button, LEFT)

    def answer(self, path: Path) -> None:
        """What the next dialogs are answered with."""
        done = self.done  # the dialogs outlive the window, and must not hold it

        def answered(*_: Any, **__: Any) -> tuple[str, str]:
            done.append("answer")
            return str(path), ""

        for name in ("getOpenFileName", "getSaveFileName"):
            self.monkeypatch.setattr(QFileDialog, name, answered)
        self.monkeypatch.setattr(
            QFileDialog, "getExistingDirectory", lambda *a, **k: answered(*a, **k)[0]
        )

    def pane(self) -> Any:
        """The 3D view."""
        return next(p for p in self.dock.views.panes if p.viewer.dims.ndisplay == 3)

    def pixel(self, point_mm: Any) -> QPoint:
        """Where a point of the patient lies in the 3D view."""
        place = self.pane().canvas.view.scene.transform.map(np.append(to_world(point_mm)[::-1], 1))
        return QPoint(round(place[0] / place[3]), round(place[1] / place[3]))

    def canvases(self) -> list[Any]:
        """What each view shows now, the main one first, ``(h, w, 4)`` each."""
        self.qtbot.wait(50)
        canvases = [
            self.viewer.window._qt_viewer.canvas,
            *(p.canvas for p in self.dock.views.panes),
        ]
        return [canvas._scene_canvas.render() for canvas in canvases]

    def click_at(self, point_mm: Any) -> None:
        """Click on a point of the patient in the 3D view."""
        self.done.append("click")
        native, at = self.pane().canvas.native, self.pixel(point_mm)
        assert native.rect().contains(at)
        self.qtbot.mousePress(native, LEFT, NONE, at)
        self.qtbot.mouseRelease(native, LEFT, NONE, at)

    def drag(self, point_mm: Any, by: QPoint, steps: int = 4) -> None:
        """Drag from a point of the patient in the 3D view."""
        self.done.append("drag")
        native, start = self.pane().canvas.native, self.pixel(point_mm)
        self.qtbot.mousePress(native, LEFT, NONE, start)
        for step in range(1, steps + 1):
            self.qtbot.mouseMove(native, start + by * step / steps)
            self.qtbot.wait(30)  # moves that come too fast are left out
        self.qtbot.mouseRelease(native, LEFT, NONE, start + by)

    def until(self, condition: Any) -> None:
        """Wait for something."""
        self.qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    def idle(self) -> None:
        """Wait until no work is under way."""
        self.until(lambda: self.dock.status.job is None and not anything_waits())

    def open(self, *paths: Path) -> None:
        """Open files as the tab Open does."""
        from napari_surgplan._open_tab import OpenTab

        tab = self.show(OpenTab)
        for path in paths:
            self.answer(path)
            self.click(tab.file)
            self.idle()

    def picture(self, name: str) -> Path:
        """Keep what the window shows now."""
        self.qtbot.wait(50)
        path = self.pictures / f"{name}.png"
        self.viewer.window.screenshot(str(path), canvas_only=False, flash=False)
        return path
