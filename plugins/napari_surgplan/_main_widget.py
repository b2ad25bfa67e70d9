"""The dock: five tabs from the scan to the report, and what goes on beneath them."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QTabWidget, QVBoxLayout, QWidget

from napari_surgplan._anatomy_tab import AnatomyTab
from napari_surgplan._cores import OneCore
from napari_surgplan._dress import NOTICE, dress
from napari_surgplan._export_tab import ExportTab
from napari_surgplan._last_door import LastDoor
from napari_surgplan._lazy_controls import make_lazy
from napari_surgplan._open_tab import OpenTab
from napari_surgplan._plan_tab import PlanTab
from napari_surgplan._preferences import Preferences
from napari_surgplan._preferences_dialog import PreferencesDialog
from napari_surgplan._reader import LOADED, PATH, SAMPLE, hand_over
from napari_surgplan._rehearse_tab import RehearseTab
from napari_surgplan._session import Session
from napari_surgplan._status_bar import StatusBar
from napari_surgplan._turns import Turns
from napari_surgplan._views import FourViews
from napari_surgplan._warm import rehearse_layers, warm_up
from napari_surgplan._work import tell_error
from surgplan.errors import SurgplanError

if TYPE_CHECKING:
    import napari

TABS: dict[str, Any] = {
    "Open": OpenTab,
    "Anatomy": AnatomyTab,
    "Plan": PlanTab,
    "Rehearse": RehearseTab,
    "Export": ExportTab,
}
NARROWEST = 380

Tab = TypeVar("Tab", bound=QWidget)


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
        warm_up()
        self._one_core = OneCore()
        gc.freeze()  # until the window closes: a look at all of napari takes a third of a second
        # napari lends plugins a proxy without the window's widgets, which the views lie among.
        viewer = getattr(viewer, "__wrapped__", viewer)
        if NOTICE not in viewer.canvas.overlays:
            dress(viewer)
        make_lazy(viewer)
        self.viewer = viewer
        self.session = session or Session(viewer)
        self.views = FourViews(self.session, viewer)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for number, (name, kind) in enumerate(TABS.items()):
            self.tabs.addTab(kind(self.session, viewer), name)
            self.tabs.setTabToolTip(number, f"Alt+{number + 1}")
            key = QShortcut(QKeySequence(f"Alt+{number + 1}"), self)
            key.activated.connect(lambda place=number: self.tabs.setCurrentIndex(place))
        stage = self.tab(RehearseTab).rehearser
        cut = self.tab(PlanTab).scene
        stage.stage_changed.connect(lambda: cut.show(shown=stage.stage is None))
        self.status = StatusBar(self.session)
        self._last_door = LastDoor(self.session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addLayout(self._top())
        layout.addWidget(self.tabs)
        layout.addWidget(self.status)
        self.setMinimumWidth(NARROWEST)
        self._main: Any = viewer.window._qt_viewer
        self._main.installEventFilter(self)
        self.apply(self.session.preferences)
        # Before a scan is open: each of them takes a quarter of a second to build.
        self.four.setChecked(self.session.preferences.four_views)
        rehearse_layers(viewer, Turns(viewer))
        hand_over(viewer, self.tab(OpenTab))
        viewer.layers.events.inserted.connect(lambda: QTimer.singleShot(0, self._adopt))
        self._adopt()

    def apply(self, preferences: Preferences) -> None:
        """Take over what the user prefers."""
        self.session.preferences = preferences
        if self.session.shown is not None:
            self.session.shown.prefer(preferences)

    def _top(self) -> QHBoxLayout:
        self.four = _button("Four views", "Axial, coronal, sagittal and 3D together", "Ctrl+Alt+4")
        self.four.setCheckable(True)
        self.four.toggled.connect(self._turn_views)
        self.cross = _button("Cross", "Draw the cross, or leave it away", "Ctrl+Alt+X")
        self.cross.setCheckable(True)
        self.cross.setChecked(True)
        self.cross.toggled.connect(self._turn_cross)
        self.panels = _button("Layers", "Show or hide napari's own panels", "Ctrl+Alt+L")
        self.panels.clicked.connect(self.turn_panels)
        preferences = _button("Preferences…", "Model, threads, colours", "Ctrl+Alt+,")
        preferences.clicked.connect(self.ask_preferences)
        row = QHBoxLayout()
        for button in (self.four, self.cross, self.panels, preferences):
            row.addWidget(button)
        return row

    def ask_preferences(self) -> None:
        """Show the page of preferences, and keep what is chosen."""
        dialog = PreferencesDialog(self.session.preferences, self)
        if dialog.exec():
            self.apply(dialog.chosen())
            try:
                self.session.preferences.write()
            except SurgplanError as e:
                tell_error(self.session, e)

    def _adopt(self) -> None:
        """Go on with what napari's own File > Open or a menu of samples brought in."""
        brought = [x for x in self.viewer.layers if {LOADED, PATH, SAMPLE} & x.metadata.keys()]
        for layer in brought:
            self.viewer.layers.remove(layer)
        known = [x.metadata for x in brought]
        for loaded in [m[LOADED] for m in known if LOADED in m][:1]:  # each layer has all of it
            self.session.take(loaded)
        for bare in [m[SAMPLE] for m in known if SAMPLE in m]:
            self.tab(OpenTab).open_sample(bare=bare)
        for path in [m[PATH] for m in known if PATH in m]:
            self.tab(OpenTab).open(path)

    def tab(self, kind: type[Tab]) -> Tab:
        """The tab of a kind."""
        return next(w for w in map(self.tabs.widget, range(self.tabs.count())) if type(w) is kind)

    def _turn_views(self, on: bool) -> None:  # noqa: FBT001 (the slot of a toggle)
        if on:
            self.views.open()
        else:
            self.views.close()
            whole = partial(self.viewer.reset_view, reset_camera_angle=False)
            QTimer.singleShot(0, whole)  # once it has its size

    def _turn_cross(self, on: bool) -> None:  # noqa: FBT001 (the slot of a toggle)
        if self.session.shown is not None:
            self.session.shown.cross.set_shown(shown=on)

    def turn_panels(self) -> None:
        """Show napari's own panels, or hide them."""
        panels = (self._main.dockLayerList, self._main.dockLayerControls)
        shown = any(panel.isVisible() for panel in panels)
        for panel in panels:
            panel.setVisible(not shown)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Put the other views away and save, before the main one closes. Name given by Qt."""
        closing = event is not None and event.type() == QEvent.Type.Close
        if closing and watched is not None and watched is self._main:
            watched.removeEventFilter(self)
            hand_over(self.viewer, None)
            self._last_door.close()
            self.status.stop_all()
            self.views.close()
            self.session.close()
            gc.unfreeze()
            self._one_core.end()
            self._main = None  # Qt keeps this dock's slots, and they would keep the window
        return bool(super().eventFilter(watched, event))


def _button(text: str, tip: str, key: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"{tip} ({key})")
    button.setShortcut(key)
    return button
