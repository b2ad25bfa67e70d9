"""The tab in which the cut is rehearsed."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_surgplan._clamp_list import ClampList
from napari_surgplan._clamp_mouse import ClampMouse
from napari_surgplan._film import Picture
from napari_surgplan._mice import Mice
from napari_surgplan._player import Player
from napari_surgplan._rehearse_scene import RehearseScene
from napari_surgplan._rehearser import Rehearser
from napari_surgplan._session import Session
from napari_surgplan._work import start

EMPTY = (
    "<h3>No plan yet</h3>Make one in the tab <b>Plan</b>. Then open the liver along it here, "
    "vessel by vessel."
)
DONE = "The cut is complete; no more vessels."
FINE = 1000
APART_MM = 80


class RehearseTab(QWidget):
    """Opens the liver along the plan, step by step.

    Parameters
    ----------
    session, viewer
        The case, and the napari viewer that shows it.
    """

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        self.session = session
        self.viewer = viewer
        self.rehearser = Rehearser(session)
        self.scene = RehearseScene(self.rehearser)
        self._make()
        self._lay_out()
        self._connect()
        self.mice = Mice(session, viewer, lambda view: ClampMouse(self.rehearser, view))
        self._refresh()

    def begin(self) -> None:
        """Put the plan at work on stage."""
        start(
            self.session,
            self.rehearser.make_stage,
            title="Preparing the rehearsal",
            done=self.rehearser.take_stage,
        )

    def _make(self) -> None:
        self.stage_button = QPushButton("Rehearse this plan")
        self.stage_button.setToolTip("Divide the liver along the plan at work (Ctrl+R)")
        self.stage_button.setShortcut("Ctrl+R")
        self.leave_button = QPushButton("Back to planning")
        self.leave_button.setToolTip("Put the liver together again")
        self.slider = _slider(FINE, "How much of the cut is divided")
        self.apart = _slider(APART_MM, "Lift the specimen out of the remnant")
        self.player = Player(self.rehearser, self._picture)
        self.camera = QCheckBox("Camera follows")
        self.camera.setChecked(True)
        self.camera.setToolTip("The 3D view looks into the opening")
        self.next = QLabel()
        self.next.setWordWrap(True)
        self.next.setMinimumHeight(52)  # two lines; Qt would cut the second off
        self.next.setStyleSheet(
            "background: #3b4252; color: white; padding: 8px; border-radius: 4px"
        )
        self.vessels = QListWidget()
        self.vessels.setToolTip("Click a vessel to open the liver up to it")
        self.clamps = ClampList(self.rehearser)

    def _lay_out(self) -> None:
        top, player = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.stage_button, 1)
        top.addWidget(self.leave_button)
        player.addWidget(self.player)
        player.addWidget(self.camera)
        player.addStretch()
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Open", self.slider)
        form.addRow("Apart", self.apart)
        work = QWidget()
        layout = QVBoxLayout(work)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        self.work = QWidget()
        inner = QVBoxLayout(self.work)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(form)
        inner.addLayout(player)
        inner.addWidget(self.next)
        inner.addWidget(QLabel("<b>Vessels in the way of the cut</b>"))
        inner.addWidget(self.vessels, 3)
        inner.addWidget(self.clamps, 2)
        layout.addWidget(self.work, 1)
        layout.addStretch()
        empty = QLabel(EMPTY)
        empty.setWordWrap(True)
        empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.stack = QStackedWidget()
        self.stack.addWidget(empty)
        self.stack.addWidget(work)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.stack)

    def _connect(self) -> None:
        rehearser = self.rehearser
        self.stage_button.clicked.connect(self.begin)
        self.leave_button.clicked.connect(rehearser.leave)
        self.slider.valueChanged.connect(lambda n: rehearser.go_to(n / FINE))
        self.apart.valueChanged.connect(rehearser.move_apart)
        self.camera.toggled.connect(lambda _: self._look())
        self.vessels.itemClicked.connect(self._go_to_vessel)
        rehearser.stage_changed.connect(self._refresh)
        rehearser.moved.connect(self._show_place)
        self.session.plans_changed.connect(self._refresh)
        self.session.labels_changed.connect(self._refresh)

    def _refresh(self) -> None:
        stage = self.rehearser.stage
        self.stack.setCurrentIndex(0 if self.session.current_plan is None else 1)
        self.work.setVisible(stage is not None)
        self.leave_button.setVisible(stage is not None)
        if stage is None:
            return
        for slider in (self.slider, self.apart):
            with QSignalBlocker(slider):
                slider.setValue(0)
        self._fill_vessels()
        self._show_place()

    def _fill_vessels(self) -> None:
        self.vessels.clear()
        stage = self.rehearser.stage
        for vessel in stage.rehearsal.vessels if stage is not None else ():
            words = (
                f"{vessel.vessel.name}   ⌀ {vessel.vessel.diameter_mm:.1f} mm   "
                f"{vessel.depth_mm:.0f} mm deep"
            )
            item = QListWidgetItem(words)
            item.setData(Qt.ItemDataRole.UserRole, vessel)
            self.vessels.addItem(item)

    def _show_place(self) -> None:
        stage = self.rehearser.stage
        if stage is None:
            return
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(FINE * self.rehearser.progress))
        vessel = self.rehearser.next_vessel
        percent = f"{100 * self.rehearser.progress:.0f} % of the cut divided."
        if vessel is None:
            self.next.setText(f"{percent}<br>{DONE}")
        else:
            tumour = "" if vessel.tumour_mm is None else (
                f", {vessel.tumour_mm:.0f} mm from tumour {vessel.tumour}"
            )  # fmt: skip
            self.next.setText(
                f"{percent}<br>Next: <b>{vessel.vessel.name}</b>, "
                f"⌀ {vessel.vessel.diameter_mm:.1f} mm, {vessel.depth_mm:.0f} mm deep{tumour}"
            )
            self.vessels.setCurrentRow(stage.rehearsal.vessels.index(vessel))
        self._look()

    def _look(self) -> None:
        shown = self.session.shown
        if self.camera.isChecked() and self.rehearser.stage is not None:
            self.scene.follow((self.viewer,) if shown is None else shown.cross.views)

    def _go_to_vessel(self, item: QListWidgetItem) -> None:
        vessel = item.data(Qt.ItemDataRole.UserRole)
        self.rehearser.go_to(vessel.progress)
        self.session.focus(vessel.vessel.point_mm)

    def _picture(self) -> Picture:
        """What the 3D view shows: the main one, or the pane beside it."""
        if self.viewer.dims.ndisplay == 3:
            return np.asarray(self.viewer.screenshot(canvas_only=True, flash=False))
        for pane in self._panes():
            if pane.viewer.dims.ndisplay == 3:
                return np.asarray(pane.screenshot(flash=False))
        self.viewer.dims.ndisplay = 3
        return self._picture()

    def _panes(self) -> tuple[Any, ...]:
        """The views beside the main one, as the dock around this tab has them."""
        widget: Any = self
        while widget is not None and not hasattr(widget, "views"):
            widget = widget.parentWidget()
        return () if widget is None else tuple(widget.views.panes)


def _slider(most: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, most)
    slider.setToolTip(tip)
    return slider
