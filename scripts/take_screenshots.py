"""The pictures of the tutorial, taken from a real window on the shipped sample.

Run under a screen, real or ``xvfb-run -a -s "-screen 0 1600x1024x24 +extension GLX"``::

    python scripts/take_screenshots.py [docs/images]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_surgplan._anatomy_tab import AnatomyTab
from napari_surgplan._export import export_report
from napari_surgplan._export_tab import ExportTab
from napari_surgplan._main_widget import MainWidget
from napari_surgplan._open_tab import OpenTab
from napari_surgplan._plan_tab import PlanTab
from napari_surgplan._preferences import Preferences
from napari_surgplan._rehearse_tab import RehearseTab
from napari_surgplan._turns import anything_waits
from surgplan.volume import LIVER

SIZE = (1400, 900)
PATIENCE_S = 600
REST_S = 2.0


def main() -> None:
    """Open, look, plan, rehearse, export; a picture of each."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    with _window() as camera:
        camera.take(folder, "open")
        _open(camera)
        camera.take(folder, "anatomy")
        _plan(camera, folder)
        _rehearse(camera, folder)
        _export(camera, folder)
    total = sum(p.stat().st_size for p in folder.glob("*.png"))
    print(f"{len(list(folder.glob('*.png')))} pictures, {total / 1e6:.2f} MB, in {folder}")


class Camera:
    """A window with the dock, and what is needed to go through it."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True, show_welcome_screen=False)
        self.viewer.window._qt_window.resize(*SIZE)
        self.dock = MainWidget(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="SurgPlan")
        self.dock.turn_panels()

    def show(self, kind: Any) -> Any:
        """One of the tabs."""
        tab = self.dock.tab(kind)
        self.dock.tabs.setCurrentWidget(tab)
        return tab

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the window work until something holds."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            QApplication.processEvents()
            time.sleep(0.005)
            if time.monotonic() > end:
                msg = f"nothing happened in {PATIENCE_S} s: {self.dock.status.message.text()}"
                raise TimeoutError(msg)

    def idle(self) -> None:
        """Wait until no work is under way."""
        self.until(lambda: self.dock.status.job is None and not anything_waits())

    def take(self, folder: Path, name: str) -> None:
        """A picture of the whole window."""
        planner = self.dock.tab(PlanTab).planner
        for _ in range(2):  # what is slow to draw begins once the rest is painted
            self.until(lambda: not (anything_waits() or planner.drawer.busy or planner.judge.busy))
            rest = time.monotonic() + REST_S
            self.until(lambda rest=rest: time.monotonic() > rest)
        picture = self.viewer.window.screenshot(canvas_only=False, flash=False)
        Image.fromarray(picture).convert("RGB").save(folder / f"{name}.png", optimize=True)


@contextmanager
def _window() -> Iterator[Camera]:
    """A window with nothing of the user's in it."""
    with (
        tempfile.TemporaryDirectory() as own,
        mock.patch("napari_surgplan._autosave.user_data_path", return_value=Path(own)),
        mock.patch("napari_surgplan._session.Preferences.read", return_value=Preferences()),
    ):
        camera = Camera()
        yield camera
        camera.viewer.close()


def _open(camera: Camera) -> None:
    camera.show(OpenTab).sample.click()
    shown = camera.dock.session.shown
    camera.until(lambda: shown.surface_of(LIVER.label) is not None)  # the last that comes
    camera.show(AnatomyTab)
    camera.idle()


def _plan(camera: Camera, folder: Path) -> None:
    session, tab = camera.dock.session, camera.show(PlanTab)
    camera.until(lambda: tab.planner.prepared is not None)
    tab.buttons["wedge"].click()
    camera.until(lambda: session.current_plan is not None)
    session.focus(session.current_plan.assessment.tumours[0].at_mm)
    camera.take(folder, "wedge")
    tab.pages.setCurrentWidget(tab.map)
    camera.until(lambda: tab.map.picture is not None)
    camera.take(folder, "map")
    _plan_two_stages(camera, tab, folder)
    tab.proposals.button.click()
    known = len(session.plans)
    camera.until(lambda: len(session.plans) > known)
    camera.idle()
    tab.pages.setCurrentWidget(tab.compare)
    camera.take(folder, "compare")
    session.choose_plan(session.plans[0].name)


def _plan_two_stages(camera: Camera, tab: PlanTab, folder: Path) -> None:
    """The wedges first, and a flat cut once the remnant has grown."""
    session, known = camera.dock.session, len(camera.dock.session.plans)
    tab.stages.button.click()
    tab.buttons["plane"].click()
    camera.until(lambda: len(session.plans) > known and tab.planner.standing is not None)
    tab.pages.setCurrentWidget(tab.table)
    camera.take(folder, "stages")


def _rehearse(camera: Camera, folder: Path) -> None:
    tab = camera.show(RehearseTab)
    tab.stage_button.click()
    camera.until(lambda: tab.rehearser.stage is not None)
    tab.slider.setValue(600)
    tab.apart.setValue(25)
    camera.take(folder, "rehearse")
    tab.leave_button.click()


def _export(camera: Camera, folder: Path) -> None:
    tab = camera.show(ExportTab)
    with tempfile.TemporaryDirectory() as own:
        tab.export(export_report, Path(own) / "report")
        camera.until(lambda: "report" in tab.written.text())
        tab.hint.setText("Every change is saved by itself in /home/you/case.")
        tab.written.setText("Written: /home/you/report/report.html")
        camera.dock.status.say("Written: /home/you/report/report.html")
        camera.take(folder, "export")


if __name__ == "__main__":
    main()
