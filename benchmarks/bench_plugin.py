"""How long the window of the plugin is blocked: opening, looking, scrolling, correcting.

Run under a screen, real or ``xvfb-run -a -s "-screen 0 1600x1024x24 +extension GLX"``::

    python benchmarks/bench_plugin.py [CASE]

Without a case, the shipped sample. Times are those of the thread of the window, with the picture
repainted.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

SCROLLS = 40
LOOKS = 20
BLOCKED_MS, SCROLLS_A_SECOND, FOLLOW_MS = 100, 10, 100


def main() -> None:
    """Print one line for each time, with what is wanted."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_surgplan._load import load
    from napari_surgplan._main_widget import MainWidget
    from napari_surgplan._sample import sample_case

    loaded = load(sys.argv[1]) if len(sys.argv) > 1 else sample_case()
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)
    dock = MainWidget(viewer)
    viewer.window.add_dock_widget(dock, name="SurgPlan")

    def timed(action: Callable[[], object]) -> float:
        began = time.perf_counter()
        action()
        QApplication.processEvents()
        return 1000 * (time.perf_counter() - began)

    print(f"show scan, structures and surfaces {timed(lambda: dock.session.take(loaded)):8.0f} ms")
    while dock.status.job is not None:
        QApplication.processEvents()
    middle = loaded.state.volume.geometry.centre_mm
    looks = [timed(lambda n=n: dock.session.focus(middle + n)) for n in range(LOOKS)]
    print(f"all views to a point, 95th percentile {_p95(looks):8.0f} ms (at most {FOLLOW_MS})")
    scrolls = [timed(lambda n=n: viewer.dims.set_current_step(0, 20 + n)) for n in range(SCROLLS)]
    rate = 1000 / float(np.mean(scrolls))
    print(f"slices a second, all layers on {rate:8.1f} (at least {SCROLLS_A_SECOND})")
    steps = [timed(dock.session.undo), timed(dock.session.redo)]
    print(f"undo and redo, the slower one {max(steps):8.0f} ms (at most {BLOCKED_MS})")
    viewer.close()


def _p95(times: list[float]) -> float:
    return float(np.percentile(times, 95))


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("napari_surgplan._autosave.user_data_path", return_value=Path(folder)),
    ):
        main()
