"""Axial, coronal, sagittal and 3D side by side in the window of a viewer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QSplitter

from napari_surgplan._dress import NOTICE, dress
from napari_surgplan._mirror import Mirror
from napari_surgplan._turns import Turns
from napari_surgplan._warm import keep_warm

if TYPE_CHECKING:
    from napari_surgplan._session import Session

AXIAL, CORONAL, SAGITTAL = (0, 1, 2), (1, 0, 2), (2, 0, 1)


class Pane(QtViewer):
    """A view beside the main one; files dropped on it open there."""

    def __init__(self, model: ViewerModel, main: Any) -> None:
        super().__init__(model)
        self._main = main

    def _bind_shortcuts(self) -> None:
        """The main view has done it, for all views; doing it again takes a quarter of a second."""

    def _qt_open(self, *args: Any, **settings: Any) -> None:
        self._main._qt_open(*args, **settings)


class FourViews:
    """Three more views around the main one; when that turns to 3D, the axial slice moves over.

    Parameters
    ----------
    session
        The case at work, already shown in the viewer.
    viewer
        The napari viewer with the window.
    """

    def __init__(self, session: Session, viewer: Any) -> None:
        self.session = session
        self.viewer = viewer
        self.models: list[ViewerModel] = []
        self.panes: list[Pane] = []
        self._mirrors: list[Mirror] = []
        self._frame: QSplitter | None = None
        self._turns = Turns(viewer)
        self._begun = False

    @property
    def is_open(self) -> bool:
        """Whether the four views are shown."""
        return self._frame is not None

    def open(self) -> None:
        """Show the four views."""
        if self.is_open or self.session.shown is None:
            return
        main = self.viewer.window._qt_viewer
        rows = self._lay_out(main)
        for order, row in zip((AXIAL, CORONAL, SAGITTAL), (0, 1, 1), strict=True):
            self._turns.add(partial(self._add_pane, order, rows[row]))
            self._turns.add(self._dress_pane)
        self._turns.add(self._begin)

    def _add_pane(self, order: tuple[int, int, int], row: QSplitter) -> None:
        main, shown = self.viewer.window._qt_viewer, self.session.shown
        if shown is None:
            return
        # Turned before it has layers, or napari would cut them twice, and make volumes of slices.
        model = ViewerModel(order=order, ndisplay=self._turned(order))
        keep_warm(model)
        pane = Pane(model, main)
        row.addWidget(pane)
        row.setSizes([1000, 1000])
        self.models.append(model)
        self.panes.append(pane)
        self._mirrors.append(Mirror(self.viewer, shown.eyes, model))
        shown.cross.join(model, pane.canvas)

    def _dress_pane(self) -> None:
        dress(self.models[-1], self.panes[-1].canvas, notice=False)

    def _begin(self) -> None:
        """All panes are there."""
        self.viewer.canvas.overlays[NOTICE].visible = False  # the dock says it
        self.viewer.dims.events.ndisplay.connect(self._swap)
        self.session.scan_changed.connect(self.reset)
        self._begun = True
        self.reset()
        QTimer.singleShot(0, self.reset)  # once the panes have their size

    def close(self) -> None:
        """Show the main view alone."""
        if self._frame is None or self.session.shown is None:
            return
        self._turns.clear()
        if self._begun:
            self.viewer.dims.events.ndisplay.disconnect(self._swap)
            self.session.scan_changed.disconnect(self.reset)
        self._begun = False
        main = self.viewer.window._qt_viewer
        main.window().centralWidget().layout().addWidget(main)
        self.viewer.canvas.overlays[NOTICE].visible = True
        for model, mirror, pane in zip(self.models, self._mirrors, self.panes, strict=True):
            self.session.shown.cross.leave(model)
            mirror.close()
            pane.close()
            pane.deleteLater()
        self._frame.hide()  # until Qt deletes it, half of the window would be its
        self._frame.deleteLater()
        self._frame = None
        for kept in (self.models, self.panes, self._mirrors):
            kept.clear()

    def reset(self) -> None:
        """Whole slices in every view, at the point looked at."""
        self._swap()
        for view in (self.viewer, *self.models):
            view.reset_view(reset_camera_angle=False)
        focus = self.session.focus_mm
        if focus is not None:
            self.session.focus_changed.emit(focus)

    def _turned(self, order: tuple[int, int, int]) -> int:
        """One of the main view and the axial one shows slices, the other 3D."""
        return 3 if order is AXIAL and self.viewer.dims.ndisplay == 2 else 2

    def _swap(self) -> None:
        if self.models:
            self.models[0].dims.ndisplay = self._turned(AXIAL)
            self.models[0].reset_view(reset_camera_angle=False)

    def _lay_out(self, main: Any) -> tuple[QSplitter, QSplitter]:
        """Two rows in the place of the main view, which is the first in them."""
        centre = main.window().centralWidget()
        frame = QSplitter(Qt.Orientation.Vertical)
        centre.layout().addWidget(frame)
        upper, lower = QSplitter(Qt.Orientation.Horizontal), QSplitter(Qt.Orientation.Horizontal)
        frame.addWidget(upper)
        frame.addWidget(lower)
        upper.addWidget(main)
        for splitter in (frame, upper, lower):
            splitter.setSizes([1000, 1000])
            splitter.setChildrenCollapsible(False)
        self._frame = frame
        return upper, lower
