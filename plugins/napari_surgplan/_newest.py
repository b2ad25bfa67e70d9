"""Work asked for faster than it can be done: only the newest request counts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from psygnal import Signal

TURN_S = 0.0005
"""How long a thread of Python may keep the others waiting while work is under way.

Painting lets go of the interpreter at each call of OpenGL, hundreds of times for a picture; with
the 5 ms that Python has, each of them could last that long.
"""
_at_work = 0
_lock = threading.Lock()
_calm_s = sys.getswitchinterval()

Request = TypeVar("Request")
Result = TypeVar("Result")


@contextmanager
def quick_turns() -> Iterator[None]:
    """Let the thread of the window have its turn soon, while this one works."""
    global _at_work, _calm_s
    with _lock:
        if _at_work == 0:
            _calm_s = sys.getswitchinterval()
            sys.setswitchinterval(min(TURN_S, _calm_s))
        _at_work += 1
    try:
        yield
    finally:
        with _lock:
            _at_work -= 1
            if _at_work == 0:
                sys.setswitchinterval(_calm_s)


class Newest(Generic[Request, Result]):
    """Does work on one thread of its own; what waits is replaced by what comes.

    Parameters
    ----------
    work
        Called on the thread with the newest request.

    Attributes
    ----------
    done
        With request and result, on the thread; not for a request that was dropped.
    failed
        With request and error, on the thread.
    """

    done = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self, work: Callable[[Request], Result]) -> None:
        self._work = work
        self._waiting: list[Request] = []
        self._busy = False
        self._lock = threading.Lock()

    def ask(self, request: Request) -> None:
        """Do this next, instead of what was waiting."""
        with self._lock:
            self._waiting[:] = [request]
            if self._busy:
                return
            self._busy = True
        threading.Thread(target=self._go_on, daemon=True).start()

    def drop(self) -> None:
        """Forget what is waiting; what is under way still ends."""
        with self._lock:
            self._waiting.clear()

    @property
    def busy(self) -> bool:
        """Whether something is under way or waiting."""
        with self._lock:
            return self._busy

    def _go_on(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                request = self._waiting.pop()
            try:
                with quick_turns():
                    result = self._work(request)
            except Exception as e:  # noqa: BLE001 (a thread's last door: told to the listener)
                self.failed.emit(request, e)
            else:
                self.done.emit(request, result)
