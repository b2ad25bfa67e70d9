"""From threads back to the window."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QObject, Qt, Signal


class Post(QObject):
    """Runs functions on the thread of the window, as long as their owner is there."""

    posted = Signal(object)

    def __init__(self, owner: QObject) -> None:
        super().__init__(owner)
        self.posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def _run(self, call: Callable[[], None]) -> None:
        call()

    def __call__(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the window is gone: nobody waits for the result
            self.posted.emit(call)
