"""The dock: five tabs from the scan to the report, and what goes on beneath them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_surgplan._anatomy_tab import AnatomyTab
from napari_surgplan._export_tab import ExportTab
from napari_surgplan._open_tab import OpenTab
from napari_surgplan._plan_tab import PlanTab
from napari_surgplan._rehearse_tab import RehearseTab
from napari_surgplan._session import Session
from napari_surgplan._status_bar import StatusBar

if TYPE_CHECKING:
    import napari

TABS = {
    "Open": OpenTab,
    "Anatomy": AnatomyTab,
    "Plan": PlanTab,
    "Rehearse": RehearseTab,
    "Export": ExportTab,
}


class MainWidget(QWidget):
    """The SurgPlan dock.

    Parameters
    ----------
    viewer
        The napari viewer that it works on.
    session
        The case to go on with; a new one by default.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session | None = None) -> None:
        super().__init__()
        self.session = session or Session(viewer)
        self.tabs = QTabWidget()
        for name, kind in TABS.items():
            self.tabs.addTab(kind(self.session, viewer), name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.tabs)
        layout.addWidget(StatusBar(self.session))
