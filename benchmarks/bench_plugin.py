"""How soon the window of the plugin answers: opening, looking, scrolling, dragging, undoing.

Run under a screen, real or ``xvfb-run -a -s "-screen 0 1600x1024x24 +extension GLX"``::

    python benchmarks/bench_plugin.py [CASE] [--slices 129] [--json docs/plugin.json]

Without a case, a computed liver of 512 x 512 voxels a slice. Each time is told twice, with the
picture repainted: by the clock, and as processor time of all threads together, which tells changes
of the code apart from other work on the machine. At the end the same scan, structures and surfaces
are given to a bare napari, one layer after the other, with the window's panels as they are there: a
window that opens a case has that to be measured by. What the engine alone takes to judge the cuts
of a drag, with nothing to paint beside it, is told as well. The hand of the drags is in the 3D
view; the slices follow when it rests. Software rendering draws on as many threads as there are
cores, as it does for users without a graphics card; LP_NUM_THREADS=0 would have it draw in the
window's thread.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import napari
import numpy as np
import numpy.typing as npt
from bench_planning import body
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_surgplan._follow import follow
from napari_surgplan._handles import moved
from napari_surgplan._layers import layers_of, ready_to_show
from napari_surgplan._load import Loaded, load
from napari_surgplan._main_widget import MainWidget
from napari_surgplan._plan_tab import PlanTab
from napari_surgplan._state import State
from napari_surgplan._turns import anything_waits
from surgplan.planning import Resection, assess_prepared
from surgplan.volume import Volume

SCROLLS = LOOKS = 40
MOVES = 30
REST_TURNS = 200
STEP_MM = 0.5
CALM_TURNS = 50
PATIENCE_S = 300.0
TICK_MS = 20
KINDS = ("plane", "curved")
WANTED = {
    "longest block while opening, ms": 100.0,
    **{f"longest block after a drag of a {kind} cut, ms": 100.0 for kind in KINDS},
    "all views to a point, p95 ms": 100.0,
    "undo or redo, the slower, ms": 100.0,
    "slices a second, all layers on": 10.0,
    **{f"drag of a {kind} cut to cut painted, p95 ms": 150.0 for kind in KINDS},
    **{f"drag of a {kind} cut to table painted, p95 ms": 150.0 for kind in KINDS},
}


Times = npt.NDArray[np.float64]


class Bench:
    """A window on a case, and a clock."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.figures: dict[str, dict[str, float]] = {}
        self.engine: dict[str, dict[str, float]] = {}
        self.viewer = napari.Viewer(show=True)
        self.viewer.window._qt_window.resize(1400, 900)
        QApplication.processEvents()
        began = _now()
        self.dock = MainWidget(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="SurgPlan")
        self.session = self.dock.session
        self.tab = self.dock.tab(PlanTab)
        self.dock.tabs.setCurrentWidget(self.tab)
        _until(lambda: not anything_waits())
        QApplication.processEvents()
        self.started = _now() - began  # once, before there is anything to work on

    def run(self) -> None:
        """Everything, in the order of a user."""
        self.open()
        self.look()
        for kind in KINDS:
            self.drag(kind)
        self.scroll()
        self.undo()

    def tell(self, name: str, clock: float, processor: float) -> None:
        """Keep and print a figure."""
        self.figures[name] = {
            "clock": round(clock, 1), "processor": round(processor, 1), "wanted": WANTED[name],
        }  # fmt: skip
        print(f"{name:48} {clock:9.1f} {processor:9.1f} {WANTED[name]:8g}", flush=True)

    def open(self) -> None:
        """The longest that the window is deaf, from the scan read to ready to plan."""
        blocks = [_timed(lambda: self.session.take(self.loaded))]
        end = time.monotonic() + PATIENCE_S
        calm = 0
        while calm < CALM_TURNS and time.monotonic() < end:
            blocks.append(_timed(lambda: None))
            busy = self.dock.status.job is not None or self.tab.planner.prepared is None
            calm = 0 if busy else calm + 1
            time.sleep(0.002)
        self.tell("longest block while opening, ms", *np.max(blocks, axis=0))

    def look(self) -> None:
        """The crosshair goes elsewhere, in all views."""
        middle = self.loaded.state.volume.geometry.centre_mm
        times = [_timed(lambda n=n: self.session.focus(middle + n)) for n in range(LOOKS)]
        self.tell("all views to a point, p95 ms", *_p95(times))

    def scroll(self) -> None:
        """Slice by slice in the axial view."""
        axial = self.dock.views.models[0] if self.viewer.dims.ndisplay == 3 else self.viewer
        first = axial.dims.nsteps[0] // 3
        times = [
            _timed(lambda n=n: axial.dims.set_current_step(0, first + n)) for n in range(SCROLLS)
        ]
        self.tell("slices a second, all layers on", *(1000 / np.mean(times, axis=0)))

    def drag(self, kind: str) -> None:
        """A handle follows the mouse; the numbers follow the handle."""
        known, planner = len(self.session.plans), self.tab.planner
        self.tab.begin(kind)
        _until(lambda: len(self.session.plans) > known)
        self.session.autosave.wait()
        handle = self.tab.scene.handles[len(self.tab.scene.handles) // 2]
        cut, label_map = planner.draft.resection, self.session.label_map
        painted, judged = [], []
        ways = [STEP_MM * n * np.array([0.0, 1.0, 0.0]) for n in range(1, MOVES + 1)]
        cuts = [moved(cut, handle, handle.point_mm + way, label_map) for way in ways]
        for held in cuts:
            began = _now()
            planner.hold(held)
            QApplication.processEvents()
            painted.append(_now() - began)
            _until(lambda: planner.draft.assessment is not None)
            QApplication.processEvents()
            judged.append(_now() - began)
        blocks = [_timed(planner.let_go)]
        while planner.judge.busy or planner.drawer.busy or self.session.autosave.busy:
            blocks.append(_timed(lambda: None))
            time.sleep(0.001)
        blocks += [_timed(lambda: time.sleep(0.001)) for _ in range(REST_TURNS)]
        self.tell(f"longest block after a drag of a {kind} cut, ms", *np.max(blocks, axis=0))
        self.tell(f"drag of a {kind} cut to cut painted, p95 ms", *_p95(painted))
        self.tell(f"drag of a {kind} cut to table painted, p95 ms", *_p95(judged))
        self.engine[kind] = _both(_p95([self._judged(held) for held in cuts]))

    def _judged(self, cut: Resection) -> Times:
        """The engine alone, with nothing to paint beside it."""
        planner, began = self.tab.planner, _now()
        wishes = planner.wishes
        assess_prepared(
            planner.prepared,
            cut,
            margin_mm=wishes.margin_mm,
            condition=wishes.condition,
            patient=wishes.patient,
        )
        return _now() - began

    def undo(self) -> None:
        """A step back and forward again."""
        steps = [_timed(self.session.undo), _timed(self.session.redo)]
        self.tell("undo or redo, the slower, ms", *np.max(steps, axis=0))


def bare(loaded: Loaded) -> dict[str, dict[str, float]]:
    """The same in napari alone, which is warm by then: the longest block, and slices a second."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)
    QApplication.processEvents()
    state = loaded.state
    blocks = []
    for data, settings, kind in layers_of(state.volume, state.label_map, state.surfaces):
        add = getattr(viewer, f"add_{kind}")
        blocks.append(_timed(lambda add=add, data=data, settings=settings: add(data, **settings)))
    first = viewer.dims.nsteps[0] // 3
    times = [_timed(lambda n=n: viewer.dims.set_current_step(0, first + n)) for n in range(SCROLLS)]
    viewer.close()
    QApplication.processEvents()
    found = {
        "longest block while opening, ms": np.max(blocks, axis=0),
        "opening together, ms": np.sum(blocks, axis=0),
        "slices a second in its one view": 1000 / np.mean(times, axis=0),
    }
    return {name: _both(times) for name, times in found.items()}


def computed(slices: int) -> Loaded:
    """A liver of 512 x 512 voxels a slice, with its surfaces."""
    label_map = body(slices)
    grey = np.where(label_map.array > 0, 100, -50).astype(np.int16)
    volume = Volume(array=grey, geometry=label_map.geometry, modality="CT")
    state, _ = follow(State(volume=volume), label_map)
    ready_to_show(volume)  # as `load` does on its worker
    return Loaded(state=state, scan_fingerprint=volume.fingerprint())


def main() -> None:
    """Print one line for each figure, with what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("case", nargs="?")
    parser.add_argument("--slices", type=int, default=129)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"{'':48} {'clock':>9} {'processor':>9} {'wanted':>8}")
    bench = Bench(load(arguments.case) if arguments.case else computed(arguments.slices))
    bench.run()
    state = bench.loaded.state
    facts: dict[str, Any] = {
        "voxels": list(state.volume.geometry.shape),
        "triangles": sum(len(s.triangles) for s in state.surfaces),
        "load": [round(x, 1) for x in os.getloadavg()],
        "cores": os.cpu_count(),
        "dock with four views, ms": round(float(bench.started[0]), 1),
        "figures": bench.figures,
        "engine alone for a move, p95 ms": bench.engine,
    }
    bench.viewer.close()
    QApplication.processEvents()
    facts["napari alone"] = bare(bench.loaded)
    print({k: v for k, v in facts.items() if k != "figures"})
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


def _timed(action: Callable[[], object]) -> Times:
    """Clock and processor time of an action with its painting, in milliseconds."""
    began = _now()
    action()
    QApplication.processEvents()
    return _now() - began


def _both(times: Times) -> dict[str, float]:
    return dict(zip(("clock", "processor"), np.round(times, 1).tolist(), strict=True))


def _now() -> Times:
    return 1000 * np.array([time.perf_counter(), time.process_time()])


def _until(condition: Callable[[], bool]) -> None:
    """Let the window wait for what comes, as it does for a user, without asking over and over."""
    flags = QEventLoop.ProcessEventsFlag.AllEvents | QEventLoop.ProcessEventsFlag.WaitForMoreEvents
    end = time.monotonic() + PATIENCE_S
    tick = QTimer()
    tick.start(TICK_MS)  # for conditions that no event tells of
    while not condition() and time.monotonic() < end:
        QApplication.processEvents(flags)
    tick.stop()


def _p95(times: list[Times]) -> Times:
    return np.percentile(times, 95, axis=0)


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("napari_surgplan._autosave.user_data_path", return_value=Path(folder)),
    ):
        main()
