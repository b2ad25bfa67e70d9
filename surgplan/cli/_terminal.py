"""What the person at the terminal asked to see, and progress while they wait."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Progress = Callable[[float], None]
"""Called with the fraction done, 0..1."""


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
        """Show work under way: a bar with the time left on a terminal, else one line.

        Yields a function that takes the fraction done, 0..1.
        """
        if self.quiet or not sys.stderr.isatty():
            self.note(f"{title} ...")
            yield lambda fraction: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(title, total=1.0)
            yield lambda fraction: bars.update(task, completed=min(1.0, max(0.0, fraction)))
            bars.update(task, completed=1.0)


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
