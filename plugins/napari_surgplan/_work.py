"""Engine calls on a thread: progress, time left, cancel, and errors that say what to do."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from psygnal import EmitLoopError
from qtpy.QtCore import QObject, Qt, Signal

from napari_surgplan._follow import Progress
from napari_surgplan._newest import quick_turns
from surgplan.errors import SurgplanError

if TYPE_CHECKING:
    from napari_surgplan._session import Session

Result = TypeVar("Result")

_ADDED_BY_QT = re.compile(r"^Error calling Python override of [\w:]+\(\): ")
_log = logging.getLogger(__name__)
_under_way: set[Job] = set()
"""Kept alive until their results arrive."""


class Cancelled(Exception):
    """Raised from a progress callback to stop the engine."""


class Job(QObject):
    """Work under way on a thread. Made by `start`.

    Attributes
    ----------
    title
        What it does, for people.
    progressed
        With the fraction done and a few words.
    ended
        When it is over, whichever way.
    """

    progressed = Signal(float, str)
    ended = Signal()
    _settled = Signal(object)

    def __init__(self, title: str, arrived: Callable[[Job, tuple[bool, Any]], None]) -> None:
        super().__init__()
        self.title = title
        self._arrived = arrived
        self.running = True
        self._stop = threading.Event()
        self._begun = time.monotonic()
        self.fraction = 0.0
        self._settled.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def run(self, work: Callable[[Progress], Any]) -> None:
        """Do the work; on a thread of its own."""
        with quick_turns():
            outcome = _outcome(work, self.report)
        with suppress(RuntimeError):  # the window is gone: nobody waits for the result
            self._settled.emit(outcome)

    def _take(self, outcome: tuple[bool, Any]) -> None:
        _under_way.discard(self)
        self._arrived(self, outcome)

    def cancel(self) -> None:
        """Stop: the window is free at once, the engine ends at its next report of progress."""
        self._stop.set()
        self.finish()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()

    def report(self, fraction: float, word: str = "") -> None:
        """What the engine calls, on its thread. Raises `Cancelled` when the user wants it."""
        if self._stop.is_set():
            raise Cancelled
        self.fraction = fraction
        self.progressed.emit(float(fraction), word)

    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None while there is none."""
        passed = time.monotonic() - self._begun
        if self.fraction < 0.02 or passed < 0.5:
            return None
        return passed * (1 - self.fraction) / self.fraction

    def finish(self) -> None:
        """Tell that it is over, once."""
        if self.running:
            self.running = False
            self.ended.emit()


def start(
    session: Session,
    work: Callable[[Progress], Result],
    *,
    title: str,
    done: Callable[[Result], None],
) -> Job:
    """Do engine work on a thread and take its result on the thread of the window.

    Parameters
    ----------
    session
        Hears of the job (`Session.job_started`), and of errors (`Session.failed`).
    work
        Called with a function to report progress to; must not touch layers or widgets.
    title
        What it does, for people: 'Finding structures'.
    done
        Called with what `work` returned, unless it failed or was cancelled.

    Returns
    -------
    Job
        To cancel it.
    """
    job = Job(title, partial(_arrived, session, done))
    _under_way.add(job)
    session.job_started.emit(job)
    threading.Thread(target=job.run, args=(work,), daemon=True, name=f"surgplan-{title}").start()
    return job


def tell_error(session: Session, error: BaseException) -> None:
    """Say what went wrong and what to do, without a traceback."""
    if isinstance(error, EmitLoopError):  # an error in one who listens to the session
        error = error.__cause__ or error
    if isinstance(error, SurgplanError):
        sentence = _ADDED_BY_QT.sub("", str(error))
    else:
        _log.error("unexpected", exc_info=error)
        sentence = (
            f"Something inside went wrong ({type(error).__name__}: {error}). Your work is saved; "
            "try again, and if it stays, report it with the log."
        )
    session.failed.emit(sentence)


def _outcome(work: Callable[[Progress], Result], report: Progress) -> tuple[bool, Any]:
    """Whether it went well, and the result or the error."""
    try:
        return True, work(report)
    except Exception as e:  # noqa: BLE001 (a thread's last door: told to the user by `_arrived`)
        return False, e


def _arrived(
    session: Session, done: Callable[[Any], None], job: Job, outcome: tuple[bool, Any]
) -> None:
    well, value = outcome
    if job.cancelled:
        return
    job.finish()
    if not well:
        tell_error(session, value)
        return
    try:
        done(value)
    except (SurgplanError, EmitLoopError) as e:
        tell_error(session, e)
