"""The tab in which the cut is rehearsed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
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

from napari_surgplan._clamp_mouse import ClampMouse
from napari_surgplan._film import Picture, write_film
from napari_surgplan._rehearse_layers import RehearseLayers
from napari_surgplan._rehearser import STEPS, Clamp, Rehearser
from napari_surgplan._session import Session
from napari_surgplan._work import start

EMPTY = (
    "<h3>No plan yet</h3>Make one in the tab <b>Plan</b>. Then open the liver along it here, "
    "vessel by vessel."
)
DONE = "The cut is complete; no more vessels."
TICK_MS = 50
PLAY_SECONDS = 15.0
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
FINE = 1000
APART_MM = 80
FILMS = "Film (*.gif *.mp4)"


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
        self.layers = RehearseLayers(self.rehearser, viewer)
        self.pictures: list[Picture] | None = None
        self._path = Path()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._make()
        self._lay_out()
        self._connect()
        self.mice: dict[Any, ClampMouse] = {}
        self._join(viewer)
        if session.shown is not None:
            session.shown.cross.joined.connect(self._join)
            session.shown.cross.left.connect(self._leave)
        self._refresh()

    def _join(self, view: Any) -> None:
        """Let vessels be clicked in another view, too."""
        self.mice[view] = ClampMouse(self.rehearser, view)

    def _leave(self, view: Any) -> None:
        mouse = self.mice.pop(view, None)
        if mouse is not None:
            mouse.close()

    def begin(self) -> None:
        """Put the plan at work on stage."""
        start(
            self.session,
            self.rehearser.make_stage,
            title="Preparing the rehearsal",
            done=self.rehearser.take_stage,
        )

    def record(self, path: Path) -> None:
        """Play from the start and keep every picture."""
        self.pictures, self._path = [], path
        self.rehearser.go_to(0.0)
        self._play(on=True)

    def _make(self) -> None:
        self.stage_button = QPushButton("Rehearse this plan")
        self.stage_button.setToolTip("Divide the liver along the plan at work (Ctrl+R)")
        self.stage_button.setShortcut("Ctrl+R")
        self.leave_button = QPushButton("Back to planning")
        self.leave_button.setToolTip("Put the liver together again")
        self.slider = _slider(FINE, "How much of the cut is divided")
        self.apart = _slider(APART_MM, "Lift the specimen out of the remnant")
        self.play = QPushButton("▶  Play")
        self.play.setCheckable(True)
        self.play.setToolTip("Play and pause (Space)")
        self.play.setShortcut("Space")
        self.speed = QComboBox()
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g} x", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.setToolTip("Speed")
        self.camera = QCheckBox("Camera follows")
        self.camera.setChecked(True)
        self.camera.setToolTip("The 3D view looks into the opening")
        self.film = QPushButton("Record…")
        self.film.setToolTip("Keep the whole rehearsal as a GIF or MP4")
        self.next = QLabel()
        self.next.setWordWrap(True)
        self.next.setMinimumHeight(52)  # two lines; Qt would cut the second off
        self.next.setStyleSheet(
            "background: #3b4252; color: white; padding: 8px; border-radius: 4px"
        )
        self.vessels = QListWidget()
        self.vessels.setToolTip("Click a vessel to open the liver up to it")
        self.clamps = QListWidget()
        self.clamps.setToolTip(
            "Tick a branch, or click a vessel in 3D: what loses its supply turns dark"
        )
        self.loss = QLabel()
        self.loss.setWordWrap(True)

    def _lay_out(self) -> None:
        top, player = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.stage_button, 1)
        top.addWidget(self.leave_button)
        for widget in (self.play, self.speed, self.camera, self.film):
            player.addWidget(widget)
        player.addStretch()
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Open", self.slider)
        form.addRow("Apart", self.apart)
        work = QWidget()
        layout = QVBoxLayout(work)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        self.player = QWidget()
        inner = QVBoxLayout(self.player)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(form)
        inner.addLayout(player)
        inner.addWidget(self.next)
        inner.addWidget(QLabel("<b>Vessels in the way of the cut</b>"))
        inner.addWidget(self.vessels, 3)
        inner.addWidget(QLabel("<b>Clamp</b>: tick a branch, or click a vessel in 3D"))
        inner.addWidget(self.clamps, 2)
        inner.addWidget(self.loss)
        layout.addWidget(self.player, 1)
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
        self.play.toggled.connect(lambda on: self._play(on=on))
        self.film.clicked.connect(self._ask_film)
        self.camera.toggled.connect(lambda _: self._look())
        self.vessels.itemClicked.connect(self._go_to_vessel)
        self.clamps.itemChanged.connect(self._clamped)
        self._timer.timeout.connect(self._tick)
        rehearser.stage_changed.connect(self._refresh)
        rehearser.moved.connect(self._show_place)
        rehearser.clamps_changed.connect(self._show_loss)
        self.session.plans_changed.connect(self._refresh)
        self.session.labels_changed.connect(self._refresh)

    def _refresh(self) -> None:
        stage = self.rehearser.stage
        self.stack.setCurrentIndex(0 if self.session.current_plan is None else 1)
        self.player.setVisible(stage is not None)
        self.leave_button.setVisible(stage is not None)
        self._play(on=False)
        if stage is None:
            return
        for slider in (self.slider, self.apart):
            with QSignalBlocker(slider):
                slider.setValue(0)
        self._fill_vessels()
        self._fill_clamps()
        self._show_place()
        self._show_loss()

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

    def _fill_clamps(self) -> None:
        with QSignalBlocker(self.clamps):
            self.clamps.clear()
            for clamp in self.rehearser.branches():
                self.clamps.addItem(_clamp_item(clamp))

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
            self.layers.follow((self.viewer,) if shown is None else shown.cross.views)

    def _go_to_vessel(self, item: QListWidgetItem) -> None:
        vessel = item.data(Qt.ItemDataRole.UserRole)
        self.rehearser.go_to(vessel.progress)
        self.session.focus(vessel.vessel.point_mm)

    def _clamped(self, item: QListWidgetItem) -> None:
        self.rehearser.clamp(item.data(Qt.ItemDataRole.UserRole))

    def _show_loss(self) -> None:
        clamps = self.rehearser.clamps
        words = [
            f"{c.name} closed: {c.lost_ml:.0f} ml "
            + ("without supply" if c.system == "portal" else "congested")
            for c in clamps
        ]
        self.loss.setText("; ".join(words) or "Nothing is clamped.")
        closed = {(c.system, c.branch) for c in clamps}
        with QSignalBlocker(self.clamps):
            for item in map(self.clamps.item, range(self.clamps.count())):
                clamp = item.data(Qt.ItemDataRole.UserRole)
                ticked = (clamp.system, clamp.branch) in closed
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def _play(self, *, on: bool) -> None:
        if on and self.rehearser.progress >= 1.0:
            self.rehearser.go_to(0.0)
        (self._timer.start if on else self._timer.stop)()
        self.play.setChecked(on)
        self.play.setText("⏸  Pause" if on else "▶  Play")

    def _tick(self) -> None:
        step = TICK_MS / 1000 / PLAY_SECONDS * float(self.speed.currentData())
        if self.pictures is not None:
            step = 1 / STEPS
        self.rehearser.go_to(self.rehearser.progress + step)
        if self.pictures is not None:
            self.pictures.append(self._picture())
        if self.rehearser.progress >= 1.0:
            self._play(on=False)
            self._keep_film()

    def _keep_film(self) -> None:
        pictures, self.pictures = self.pictures, None
        if pictures is not None:
            start(
                self.session,
                partial(_written, self._path, pictures),
                title="Writing the film",
                done=lambda path: self.session.message.emit(f"Film written: {path}"),
            )

    def _ask_film(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Record", "rehearsal.gif", FILMS)
        if name:
            self.record(Path(name))

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


def _clamp_item(clamp: Clamp) -> QListWidgetItem:
    what = "supplies" if clamp.system == "portal" else "drains"
    item = QListWidgetItem(f"{clamp.name}: {what} {clamp.lost_ml:.0f} ml")
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
    item.setCheckState(Qt.CheckState.Unchecked)
    item.setData(Qt.ItemDataRole.UserRole, clamp)
    return item


def _written(path: Path, pictures: list[Picture], progress: Any) -> Path:
    return write_film(path, pictures, progress=progress)


def _slider(most: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, most)
    slider.setToolTip(tip)
    return slider
