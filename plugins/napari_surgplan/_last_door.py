"""Errors that nobody caught: told in the dock, where napari would offer a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from napari.utils.notifications import Notification, notification_manager

import surgplan
from napari_surgplan._session import Session
from napari_surgplan._work import tell_error
from surgplan.errors import SurgplanError

_OURS = (Path(surgplan.__file__).parent, Path(__file__).parent)


class LastDoor:
    """Takes errors of ours out of napari's notifications, from when it is made until `close`.

    Parameters
    ----------
    session
        Told of each in a sentence.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        notification_manager.notification_ready.connect(self._take, position="first")

    def close(self) -> None:
        """Leave napari its errors."""
        notification_manager.notification_ready.disconnect(self._take)

    def _take(self, notification: Notification) -> None:
        error = getattr(notification, "exception", None)
        if error is None or not is_ours(error):
            return
        notification.blocked = True  # nobody else hears of it
        tell_error(self._session, error)


def is_ours(error: BaseException) -> bool:
    """Whether an error came through code of surgplan or of this plugin."""
    return any(
        isinstance(one, SurgplanError) or _is_ours(one.__traceback__) for one in _with_causes(error)
    )


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_ours(traceback: TracebackType | None) -> bool:
    while traceback is not None:
        path = Path(traceback.tb_frame.f_code.co_filename)
        if any(path.is_relative_to(folder) for folder in _OURS):
            return True
        traceback = traceback.tb_next
    return False
