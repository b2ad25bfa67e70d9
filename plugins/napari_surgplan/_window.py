"""The napari window on a case or a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surgplan.errors import MissingExtraError
from surgplan.io import atomic_file


def open_case(folder: Path, *, ndisplay: int = 2, screenshot: Path | None = None) -> None:
    """Show a case until its window is closed; with `screenshot`, write a PNG and close it.

    Parameters
    ----------
    folder
        The case, or a scan to begin one with.
    ndisplay
        2 for slices, 3 for surfaces.
    screenshot
        PNG of what the canvas shows.

    Raises
    ------
    MissingExtraError
        If napari is not installed.
    NothingToDoError
        If there is neither.
    InputRefusedError
        If a file of the case is missing or was changed, or reading a scan could be wrong.
    OutputError
        If the picture cannot be written.
    """
    try:
        import napari
    except ImportError as e:
        feature = "the window"
        raise MissingExtraError(feature, "gui") from e
    from napari_surgplan._dress import dress
    from napari_surgplan._load import load
    from napari_surgplan._main_widget import MainWidget
    from napari_surgplan._session import Session

    loaded = load(folder)
    viewer = napari.Viewer(title=f"surgplan: {folder.resolve().name}", ndisplay=ndisplay)
    dress(viewer)
    session = Session(viewer)
    try:
        if screenshot is None:
            dock = MainWidget(viewer, session)
            viewer.window.add_dock_widget(dock, name="SurgPlan")
            dock.turn_panels()  # they come back with a button of the dock
        session.take(loaded)
        if screenshot is None:
            napari.run()
        else:
            if session.shown is not None:
                session.shown.finish()
            _grab(viewer, screenshot)
    finally:
        session.close()
        if screenshot is not None:
            viewer.close()


def _grab(viewer: Any, path: Path) -> None:
    """Write what the canvas shows as PNG, in one piece."""
    viewer.show()
    viewer.window._qt_window.resize(1100, 850)  # napari offers no other way to size the window
    with atomic_file(path) as temporary:
        viewer.screenshot(str(temporary), canvas_only=True, flash=False)
