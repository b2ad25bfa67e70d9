"""Plays a rehearsal: forward by itself, at a pace, and into a film."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_surgplan._film import Picture, check_film, write_film
from napari_surgplan._icons import icon
from napari_surgplan._picture import with_notice
from napari_surgplan._rehearser import STEPS, Rehearser
from napari_surgplan._work import start, tell_error
from surgplan.errors import SurgplanError

TICK_MS = 50
PLAY_SECONDS = 15.0
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
FILMS = "Film (*.gif *.mp4)"


class Player(QWidget):
    """Play and pause, speed, and a button that records.

    Parameters
    ----------
    rehearser
        What is played.
    picture
        Takes a picture of the 3D view.
    """

    def __init__(self, rehearser: Rehearser, picture: Callable[[], Picture]) -> None:
        super().__init__()
        self.rehearser = rehearser
        self.pictures: list[Picture] | None = None
        self._picture = picture
        self._path = Path()
        self._at = time.monotonic()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self.button = QPushButton()
        self.button.setCheckable(True)
        self.button.setToolTip("Play and pause (Space)")
        # Not the button's own key: letting go of Space would press a button with focus once more.
        self.key = QShortcut(QKeySequence("Space"), self)
        self.key.activated.connect(self.button.toggle)
        self.speed = QComboBox()
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g} x", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.setToolTip("Speed")
        self.film = QPushButton("Record…")
        self.film.setToolTip("Keep the whole rehearsal as a GIF or MP4")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.button, self.speed, self.film):
            layout.addWidget(widget)
        self.button.toggled.connect(lambda on: self.play(on=on))
        self.film.clicked.connect(self._ask_film)
        self._timer.timeout.connect(self._tick)
        rehearser.stage_changed.connect(self._stop)
        self._name_button()

    def play(self, *, on: bool) -> None:
        """Go on, or pause."""
        if on and self.rehearser.progress >= 1.0:
            self.rehearser.go_to(0.0)
        self._at = time.monotonic()
        (self._timer.start if on else self._timer.stop)()
        self.button.setChecked(on)
        self._name_button()

    def _name_button(self) -> None:
        playing = self.button.isChecked()
        self.button.setText("Pause" if playing else "Play")
        self.button.setIcon(icon("pause" if playing else "play"))

    def _stop(self) -> None:
        """What was played is no more, nor the film of it."""
        self.pictures = None
        self.play(on=False)

    def record(self, path: Path) -> None:
        """Play from the start and keep every picture; what cannot be written is told at once."""
        try:
            check_film(path)
        except SurgplanError as e:
            tell_error(self.rehearser.session, e)
            return
        self.pictures, self._path = [], path
        self.rehearser.go_to(0.0)
        self.play(on=True)

    def _ask_film(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Record", "rehearsal.gif", FILMS)
        if name:
            self.record(Path(name) if Path(name).suffix else Path(f"{name}.gif"))

    def _tick(self) -> None:
        before, self._at = self._at, time.monotonic()  # drawing may take longer than a tick
        step = (self._at - before) / PLAY_SECONDS * float(self.speed.currentData())
        if self.pictures is not None:
            step = 1 / STEPS
        self.rehearser.go_to(self.rehearser.progress + step)
        if self.pictures is not None:
            self.pictures.append(with_notice(self._picture()))
        if self.rehearser.progress >= 1.0:
            self.play(on=False)
            self._keep_film()

    def _keep_film(self) -> None:
        pictures, self.pictures = self.pictures, None
        if pictures is not None:
            session = self.rehearser.session
            start(
                session,
                partial(_written, self._path, pictures),
                title="Writing the film",
                done=lambda path: session.message.emit(f"Film written: {path}"),
            )


def _written(path: Path, pictures: list[Picture], progress: Callable[[float, str], None]) -> Path:
    return write_film(path, pictures, progress=progress)
