"""From threads back to the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal

_AFTER_PAINTING = int(Qt.EventPriority.LowEventPriority.value) - 1
"""Qt paints with the low priority."""


class Post(QObject):
    """Runs functions on the thread of the window, as long as their owner is there."""

    posted = Signal(object)

    def __init__(self, owner: QObject) -> None:
        super().__init__(owner)
        self.posted.connect(self._run, Qt.ConnectionType.QueuedConnection)
        self._painted: deque[Callable[[], None]] = deque()

    def _run(self, call: Callable[[], None]) -> None:
        call()

    def __call__(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the window is gone: nobody waits for the result
            self.posted.emit(call)

    def after_painting(self, call: Callable[[], None]) -> None:
        """Run a function once the window has painted what it was asked for; on its thread only."""
        self._painted.append(call)
        QCoreApplication.postEvent(self, QEvent(QEvent.Type.User), _AFTER_PAINTING)

    def customEvent(self, event: QEvent | None) -> None:
        """Run what waited for the painting. Name given by Qt."""
        if self._painted:
            self._painted.popleft()()
