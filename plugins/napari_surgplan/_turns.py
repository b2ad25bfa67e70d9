"""Work for the window in small pieces, so that it never stands still for long."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

BREATH_MS = 5
"""Between two pieces, for mouse, keys and painting; with 0 Qt would do all pieces in one go."""


class Turns:
    """Does pieces in order, one in each turn of the window's event loop.

    Parameters
    ----------
    viewer
        A napari viewer; for a `ViewerModel`, which has no window, everything is done at once.
    """

    def __init__(self, viewer: Any) -> None:
        self._at_once = not hasattr(viewer, "window")
        self._pieces: deque[Callable[[], None]] = deque()

    def add(self, piece: Callable[[], None]) -> None:
        """Do this when what waits is done; it must look whether it is still wanted."""
        if self._at_once:
            piece()
            return
        self._pieces.append(piece)
        if len(self._pieces) == 1:
            self._wait()

    def finish(self) -> None:
        """Do what waits now."""
        while self._pieces:
            self._pieces.popleft()()

    def clear(self) -> None:
        """Forget what waits."""
        self._pieces.clear()

    def _wait(self) -> None:
        from qtpy.QtCore import QTimer

        QTimer.singleShot(BREATH_MS, self._go)

    def _go(self) -> None:
        if not self._pieces:
            return
        piece = self._pieces[0]
        try:
            piece()
        finally:
            if self._pieces and self._pieces[0] is piece:
                self._pieces.popleft()
            if self._pieces:
                self._wait()
