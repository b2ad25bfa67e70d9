"""What the person at the terminal asked to see, and progress while they wait."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

SECONDS_BETWEEN_LINES = 5.0
WIDEST_WORD = 28  # that fits beside the bar


class Progress(Protocol):
    """Called with the fraction done, 0..1, and a word on what is being done."""

    def __call__(self, fraction: float, word: str = "") -> None:
        """Show it."""


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """How much to say, and in which form.

    Attributes
    ----------
    json
        One JSON object on stdout instead of words.
    quiet
        Nothing on stderr but errors.
    debug
        A traceback with every error.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False

    @classmethod
    def from_argv(cls, argv: Sequence[str]) -> Terminal:
        """The wishes in a command line, wherever they stand before a lone ``--``.

        Read before the command line is parsed, so that errors in it are told the same way.

        >>> Terminal.from_argv(["run", "scan", "case", "--json"])
        Terminal(json=True, quiet=False, debug=False)
        """
        words = list(argv)
        flags = words[: words.index("--")] if "--" in words else words
        return cls(json="--json" in flags, quiet="--quiet" in flags, debug="--debug" in flags)

    def note(self, text: str) -> None:
        """One line on stderr, for people who wait."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Show work under way: a bar with the time left on a terminal, else lines now and then.

        Yields a function that takes the fraction done, 0..1, and a word on what is being done.
        """
        if self.quiet or not sys.stderr.isatty():
            self.note(f"{title} ...")
            yield _Lines(self)
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn(f"{{task.description:<{WIDEST_WORD}}}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(title, total=1.0)

            def show(fraction: float, word: str = "") -> None:
                if len(word) > WIDEST_WORD:  # a row of figures, kept above the bar
                    bars.console.print(word, markup=False, highlight=False)
                    word = title
                bars.update(task, completed=min(1.0, max(0.0, fraction)), description=word or title)

            yield show
            show(1.0)


class _Lines:
    """Progress where no bar can be drawn: what is being done, when it changes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._said = ""
        self._when = time.monotonic()

    def __call__(self, fraction: float, word: str = "") -> None:
        now = time.monotonic()
        if word and word != self._said and now - self._when >= SECONDS_BETWEEN_LINES:
            self._terminal.note(f"{100 * fraction:3.0f} % {word}")
            self._said, self._when = word, now


_CURRENT: ContextVar[Terminal] = ContextVar("surgplan_terminal", default=Terminal())  # noqa: B039


def terminal() -> Terminal:
    """The terminal of the command that runs now."""
    return _CURRENT.get()


@contextmanager
def terminal_for(argv: Sequence[str]) -> Iterator[Terminal]:
    """Make the wishes in a command line hold until the end of the block."""
    token = _CURRENT.set(Terminal.from_argv(argv))
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)
