"""What the menus do: each opens the dock and presses one of its buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

    from napari_surgplan._main_widget import MainWidget


def dock_of(viewer: napari.Viewer) -> MainWidget:
    """The SurgPlan dock of a viewer, opened where it is not."""
    _, widget = viewer.window.add_plugin_dock_widget("surgplan", "SurgPlan")
    dock: MainWidget = widget
    return dock


def find_structures(viewer: napari.Viewer) -> None:
    """Find the structures of the open scan."""
    from napari_surgplan._anatomy_tab import AnatomyTab

    dock = dock_of(viewer)
    tab = dock.tab(AnatomyTab)
    dock.tabs.setCurrentWidget(tab)
    tab.segment()


def show_tab(viewer: napari.Viewer, number: int) -> None:
    """Open the dock at one of its tabs."""
    dock_of(viewer).tabs.setCurrentIndex(number)


def open_scan(viewer: napari.Viewer) -> None:
    """Open the dock where scans are opened."""
    show_tab(viewer, 0)


def correct_structures(viewer: napari.Viewer) -> None:
    """Open the dock where structures are corrected."""
    show_tab(viewer, 1)


def plan_cut(viewer: napari.Viewer) -> None:
    """Open the dock where cuts are planned."""
    show_tab(viewer, 2)


def export(viewer: napari.Viewer) -> None:
    """Open the dock where reports and files are written."""
    show_tab(viewer, 4)


def preferences(viewer: napari.Viewer) -> None:
    """Ask for preferences."""
    dock_of(viewer).ask_preferences()
