"""A real window killed in the middle of work, and the case opened again in another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from .conftest import needs_screen

pytest.importorskip("qtpy")

from napari_surgplan._open_tab import OpenTab
from napari_surgplan._plan_tab import PlanTab

pytestmark = [pytest.mark.gui, pytest.mark.slow, needs_screen]
STEP_MM = 0.5
PATIENCE_S = 180.0

WORK = """
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
import napari_surgplan._autosave as autosave
autosave.user_data_path = lambda *a, **k: Path({home!r})
import napari
import numpy as np
from qtpy.QtWidgets import QApplication
from napari_surgplan._handles import moved
from napari_surgplan._main_widget import MainWidget
from napari_surgplan._open_tab import OpenTab
from napari_surgplan._plan_tab import PlanTab

def until(condition):
    while not condition():
        QApplication.processEvents()
        time.sleep(0.001)

viewer = napari.Viewer(show=True)
dock = MainWidget(viewer)
viewer.window.add_dock_widget(dock)
session, tab = dock.session, dock.tab(PlanTab)
dock.tabs.setCurrentWidget(tab)
for path, there in (({scan!r}, lambda: session.volume), ({labels!r}, lambda: session.label_map)):
    dock.tab(OpenTab).open(path)
    until(lambda: there() is not None)
print("opened", flush=True)
until(lambda: tab.planner.prepared is not None)
tab.begin("plane")
until(lambda: session.current_plan is not None)
start = session.current_plan.resection
print(*start.point_mm, flush=True)
for number in range(1, 1000):
    before = session.current_plan
    for part in (0.25, 0.5, 1.0):
        far = {step} * (number - 1 + part)
        handle = tab.scene.handles[0]
        to_mm = np.array(start.point_mm) + np.array([0.0, far, 0.0])
        tab.planner.hold(moved(tab.planner.draft.resection, handle, to_mm, session.label_map))
        QApplication.processEvents()
    tab.planner.let_go()
    until(lambda: session.current_plan is not before)
    print(number, flush=True)
"""


class Worker:
    """Another process at work in a window of its own."""

    def __init__(self, files: Path, home: Path) -> None:
        code = WORK.format(
            paths=[p for p in sys.path if p],
            home=str(home),
            scan=str(files / "scan.nii.gz"),
            labels=str(files / "labels.seg.nrrd"),
            step=STEP_MM,
        )
        environment = os.environ | {"NAPARI_CONFIG": str(home.parent / "worker.yaml")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        self._patience = threading.Timer(PATIENCE_S, self.process.kill)
        self._patience.start()

    def told(self) -> str:
        """What it says next."""
        return self.process.stdout.readline().strip()

    def kill(self) -> list[str]:
        """End it as a loss of power does; what it had said by then and nobody has read."""
        self.process.send_signal(signal.SIGKILL)
        rest = self.process.stdout.read().split("\n")
        assert self.process.wait() == -signal.SIGKILL
        return [line for line in rest if line]

    def close(self) -> None:
        """Leave nothing behind, however the test went."""
        self._patience.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def worker(files, tmp_path):
    worker = Worker(files, tmp_path / "killed")
    yield worker
    worker.close()


def opened_again(driver, home: Path) -> None:
    (case,) = home.glob("autosave/*")
    driver.dock.tab(OpenTab).open(case)
    driver.until(lambda: driver.session.volume is not None)
    driver.idle()


@pytest.mark.parametrize("actions", [1, 4, 9])
def test_a_window_killed_between_two_drags_has_lost_one_action_at_most(
    driver, worker, tmp_path, actions
) -> None:
    assert worker.told() == "opened"
    start = [float(word) for word in worker.told().split()]
    for number in range(1, actions + 1):
        assert worker.told() == str(number)
    done = actions + len(worker.kill())
    opened_again(driver, tmp_path / "killed")
    tab = driver.show(PlanTab)
    driver.until(lambda: tab.planner.prepared is not None)
    plan = driver.session.current_plan
    assert plan.name == "plane"
    kept = (plan.resection.point_mm[1] - start[1]) / STEP_MM
    assert kept == pytest.approx(round(kept), abs=1e-6)  # a drag is there as a whole or not at all
    assert done - 1 <= round(kept) <= done + 1
    driver.until(lambda: tab.planner.standing is not None)
    assert tab.planner.standing.plan.assessment == plan.assessment
    assert tab.table.rows


def test_a_window_killed_as_structures_come_opens_with_the_scan_at_least(
    driver, worker, tmp_path
) -> None:
    assert worker.told() == "opened"
    worker.kill()
    opened_again(driver, tmp_path / "killed")
    assert driver.session.volume.geometry.shape == (26, 40, 48)
