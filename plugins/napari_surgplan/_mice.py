"""Our own mouse on every view, from when a view joins until it leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from napari_surgplan._session import Session


class Mouse(Protocol):
    """What listens to the mouse of a view."""

    def close(self) -> None:
        """Leave the view alone."""


class Mice:
    """Gives each view of a session a mouse.

    Parameters
    ----------
    session
        Whose views join and leave.
    viewer
        The view that is there from the start.
    make
        Called with a view, gives its mouse.
    """

    def __init__(self, session: Session, viewer: Any, make: Callable[[Any], Mouse]) -> None:
        self._make = make
        self._mice: dict[Any, Mouse] = {}
        self._join(viewer)
        if session.shown is not None:
            session.shown.cross.joined.connect(self._join)
            session.shown.cross.left.connect(self._leave)

    def _join(self, view: Any) -> None:
        self._mice[view] = self._make(view)

    def _leave(self, view: Any) -> None:
        mouse = self._mice.pop(view, None)
        if mouse is not None:
            mouse.close()
