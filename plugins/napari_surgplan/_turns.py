"""Work for the window in small pieces, so that it never stands still for long."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

BREATH_MS = 12
"""Between two pieces, for mouse, keys and painting; with 0 Qt would do all pieces in one go."""
_waiting: deque[tuple[Turns, Callable[[], None]]] = deque()
_later: deque[tuple[Turns, Callable[[], None]]] = deque()
"""Of all views together, or each would take its turn at the same time."""
_due = False
"""Whether Qt was asked for the next turn."""


class Turns:
    """Does pieces in order, one in each turn of the window's event loop.

    Parameters
    ----------
    viewer
        A napari viewer; for a `ViewerModel`, which has no window, everything is done at once.
    """

    def __init__(self, viewer: Any) -> None:
        self._at_once = not hasattr(viewer, "window")

    def add(self, piece: Callable[[], None]) -> None:
        """Do this when what waits is done; it must look whether it is still wanted."""
        if self._at_once:
            piece()
            return
        _waiting.append((self, piece))
        _wait()

    def add_last(self, piece: Callable[[], None]) -> None:
        """Do this when nothing else waits, in any view: what starts work on another thread."""
        if self._at_once or not _waiting:
            piece()
        else:
            _later.append((self, piece))

    def finish(self) -> None:
        """Do what waits here now, and what that adds."""
        while mine := [piece for turns, piece in _waiting if turns is self]:
            self.clear()
            for piece in mine:
                piece()

    def clear(self) -> None:
        """Forget what waits here."""
        others = [entry for entry in _waiting if entry[0] is not self]
        _waiting.clear()
        _waiting.extend(others)


def anything_waits() -> bool:
    """Whether a window has pieces to do."""
    return bool(_waiting or _later)


def _wait() -> None:
    from qtpy.QtCore import QTimer

    global _due
    if _due:
        return
    _due = True
    # Twice: when painting takes longer than the first, both are due in the same go of Qt.
    QTimer.singleShot(BREATH_MS, lambda: QTimer.singleShot(1, _go))


def _go() -> None:
    global _due
    _due = False
    if not _waiting and _later:
        _waiting.append(_later.popleft())
    if not _waiting:
        return
    entry = _waiting[0]
    try:
        entry[1]()
    finally:
        if _waiting and _waiting[0] is entry:
            _waiting.popleft()
        if anything_waits():
            _wait()
