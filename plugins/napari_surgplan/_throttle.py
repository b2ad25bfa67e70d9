"""What need not be done at each move of the hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

WAIT_MS = 250


class Throttle:
    """Does something a moment after it is asked for, and then once for all that asked meanwhile.

    Parameters
    ----------
    call
        What is done.
    viewer
        A napari viewer; for a `ViewerModel`, which has no window, it is done at once.
    """

    def __init__(self, call: Callable[[], None], viewer: Any) -> None:
        self._call = call
        self._at_once = not hasattr(viewer, "window")
        self._asked = False

    def ask(self) -> None:
        """Do it soon."""
        if self._at_once:
            self._call()
        elif not self._asked:
            from qtpy.QtCore import QTimer

            self._asked = True
            QTimer.singleShot(WAIT_MS, self._go)

    def drop(self) -> None:
        """It was done otherwise."""
        self._asked = False

    def _go(self) -> None:
        if self._asked:
            self._asked = False
            self._call()
