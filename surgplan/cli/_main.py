"""The program: parse, run, and turn every way to fail into a line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TextIO

import typer

from surgplan.cli._app import build
from surgplan.cli._outcome import Outcome, one_line, show, show_error
from surgplan.cli._terminal import Terminal, terminal_for
from surgplan.errors import OutputError, ResourceLimitError, SurgplanError, UsageError

INTERNAL = 1
INTERRUPTED = 130
_ParserError = typer.BadParameter.__mro__[1]  # what typer raises for a bad call; has no other name


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Parameters
    ----------
    argv
        The words after ``surgplan``; those of the process where None.

    Returns
    -------
    int
        0 ok, 1 internal error, 2 usage, 3 input refused, 4 nothing to do, 5 output not writable,
        6 resource limit, 7 missing extra, 8 batch partly failed, 9 model integrity,
        130 interrupted (run the same command again to go on).
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with terminal_for(words) as terminal, warnings.catch_warnings():
        warnings.showwarning = _show_warning if not terminal.quiet else _hush
        try:
            ended = build()(words, prog_name="surgplan", standalone_mode=False)
            if isinstance(ended, Outcome):
                show(ended, as_json=terminal.json, stream=sys.stdout)
                ended = ended.exit_code
        except (KeyboardInterrupt, typer.Abort):
            ended = INTERRUPTED
        except BrokenPipeError:
            _drop_stdout()
            return 0  # the reader has seen enough; the work is done
        except Exception as error:  # noqa: BLE001 (the last door: nothing may pass as a traceback)
            return _report(error, terminal)
        if ended == INTERRUPTED:
            message = "interrupted; run the same command again to go on"
            show_error(message, as_json=terminal.json, exit_code=ended, kind="Interrupted")
        return int(ended or 0)


def _report(error: Exception, terminal: Terminal) -> int:
    """Say what went wrong in one line; the traceback only with `--debug`."""
    if terminal.debug:
        traceback.print_exception(error, file=sys.stderr)
    known = _known(error)
    if known is None:
        message = f"{type(error).__name__}: {error} (a bug; run again with --debug to see where)"
        show_error(message, as_json=terminal.json, exit_code=INTERNAL, kind="InternalError")
        return INTERNAL
    kind, message = type(known).__name__, str(known)
    show_error(message, as_json=terminal.json, exit_code=known.exit_code, kind=kind)
    return known.exit_code


def _known(error: Exception) -> SurgplanError | None:
    """The error as one of our own, where it has a meaning of ours."""
    if isinstance(error, SurgplanError):
        return error
    if isinstance(error, _ParserError):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "surgplan"
        what = error.format_message() or "which command?"  # type: ignore[attr-defined]
        return UsageError(f"{what} (see {path} --help)")
    if isinstance(error, MemoryError):
        return ResourceLimitError(f"not enough memory: {error}; close other programs")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return OutputError(f"cannot write {error.filename or 'the output'}: {error.strerror}")
    return None


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"surgplan: warning: {one_line(str(message))}", file=sys.stderr, flush=True)


def _hush(*_: object, **__: object) -> None:
    """Show no warning."""


def _drop_stdout() -> None:
    """Let the interpreter flush into nothing at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # a captured stdout has no file behind it
        return
