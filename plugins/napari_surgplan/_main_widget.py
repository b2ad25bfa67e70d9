"""The dock: five tabs from the scan to the report, and what goes on beneath them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_surgplan._anatomy_tab import AnatomyTab
from napari_surgplan._export_tab import ExportTab
from napari_surgplan._open_tab import OpenTab
from napari_surgplan._plan_tab import PlanTab
from napari_surgplan._rehearse_tab import RehearseTab
from napari_surgplan._session import Session
from napari_surgplan._status_bar import StatusBar
from napari_surgplan._views import FourViews

if TYPE_CHECKING:
    import napari

TABS: dict[str, Any] = {
    "Open": OpenTab,
    "Anatomy": AnatomyTab,
    "Plan": PlanTab,
    "Rehearse": RehearseTab,
    "Export": ExportTab,
}
NARROWEST = 360


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
        self.views = FourViews(self.session, viewer)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for name, kind in TABS.items():
            self.tabs.addTab(kind(self.session, viewer), name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.tabs)
        layout.addWidget(StatusBar(self.session))
        self.setMinimumWidth(NARROWEST)
        self._main = viewer.window._qt_viewer
        self._main.installEventFilter(self)
        self.session.scan_changed.connect(self._scan_changed)
        self._scan_changed()

    def _scan_changed(self) -> None:
        if self.session.volume is not None:
            self.views.open()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Put the other views away and save, before the main one closes. Name given by Qt."""
        if event is not None and event.type() == QEvent.Type.Close and watched is self._main:
            self._main.removeEventFilter(self)
            self.views.close()
            self.session.close()
        return bool(super().eventFilter(watched, event))
