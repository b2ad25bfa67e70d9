"""The foot of the dock: what is going on, how long it takes, how to stop it, and what to do."""

from __future__ import annotations

import time

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import ensure_main_thread

import surgplan
from napari_surgplan._session import Session
from napari_surgplan._work import Job

TICK_MS = 200
ROW_S, ROW_LINES = 20.0, 3
"""So long, and so many of them, what was said stays when more is said."""


class StatusBar(QWidget):
    """Progress with the time left, a button to cancel, the last message, and the disclaimer."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._jobs: list[Job] = []
        self.word = ""
        self._said: list[tuple[float, str]] = []
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.doing = QLabel()
        self.doing.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop this work; nothing is changed (Esc)")
        self.cancel.setShortcut("Esc")
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out()
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._show_time)
        self.cancel.clicked.connect(self._cancel)
        session.job_started.connect(self._begin)
        session.message.connect(self.say)
        session.failed.connect(self.warn)
        for changed in (session.scan_changed, session.labels_changed, session.plans_changed):
            changed.connect(self._forget)
        self._end()

    def _lay_out(self) -> None:
        notice = QLabel(surgplan.NOT_A_MEDICAL_DEVICE)
        notice.setWordWrap(True)
        notice.setStyleSheet("color: gray; font-size: 9pt")
        row = QHBoxLayout()
        row.addWidget(self.doing, 1)
        row.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addLayout(row)
        for widget in (self.bar, self.message, notice):
            layout.addWidget(widget)

    @ensure_main_thread  # type: ignore[untyped-decorator]
    def say(self, sentence: str) -> None:
        """Show a sentence, below what was said just before, until the case changes."""
        self._show(sentence, bold=False)

    @ensure_main_thread  # type: ignore[untyped-decorator]
    def warn(self, sentence: str) -> None:
        """Show what went wrong; where the dock is not seen, napari tells it over its view."""
        self._show(f"\N{WARNING SIGN} {sentence}", bold=True)
        if not self.isVisible():
            show_warning(sentence)

    def _forget(self) -> None:
        """The case is another one by now: what was said is of the one before."""
        self._said.clear()
        if self.message.text():
            self.message.clear()

    def _show(self, sentence: str, *, bold: bool) -> None:
        now = time.monotonic()
        row = [(at, words) for at, words in self._said if now - at < ROW_S and words != sentence]
        self._said = [*row, (now, sentence)][-ROW_LINES:]
        font = self.message.font()
        font.setBold(bold)
        self.message.setFont(font)
        self.message.setText("\n".join(words for _, words in self._said))

    @property
    def job(self) -> Job | None:
        """The work shown: the latest that is not over."""
        self._jobs = [job for job in self._jobs if job.running]
        return self._jobs[-1] if self._jobs else None

    def _begin(self, job: Job) -> None:
        self._jobs.append(job)
        self.word = ""
        job.progressed.connect(self._progressed)
        job.ended.connect(self._end)
        for widget in (self.bar, self.doing, self.cancel):
            widget.setVisible(True)
        self._progressed(0.0, "")
        self._tick.start()

    def _progressed(self, fraction: float, word: str) -> None:
        job = self.job
        if job is None:
            return
        self.bar.setValue(int(1000 * job.fraction))
        self.word = word or self.word
        self._show_time()

    def _show_time(self) -> None:
        job = self.job
        if job is None:
            return
        left = job.seconds_left()
        words = ["" if left is None else f"about {_spoken(left)} left", self.word]
        self.doing.setText(f"{job.title}\n{' · '.join(w for w in words if w)}")

    def _cancel(self) -> None:
        job = self.job
        if job is not None:
            job.cancel()
            self.say(f"{job.title}: cancelled, nothing was changed.")

    def stop_all(self) -> None:
        """Cancel whatever is going on: the window closes."""
        for job in tuple(self._jobs):
            job.cancel()

    def _end(self) -> None:
        if self.job is not None:
            self.word = ""
            self._show_time()
            return
        self._tick.stop()
        for widget in (self.bar, self.doing, self.cancel):
            widget.setVisible(False)


def _spoken(seconds: float) -> str:
    """A time as people say it.

    >>> _spoken(8), _spoken(95)
    ('8 s', '2 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
