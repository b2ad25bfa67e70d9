"""What every command has in common."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer

from surgplan.cli._outcome import Outcome

JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel="Output")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", help="Only errors on stderr.", rich_help_panel="Output")
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Traceback with errors.", rich_help_panel="Output")
]
_COMMON = {"json": JsonOption, "quiet": QuietOption, "debug": DebugOption}


def door(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Make a command of a function: add the common flags, keep stdout for the answer alone.

    Whatever a library prints while the function runs goes to stderr.
    """

    @functools.wraps(function)
    def command(**arguments: Any) -> Outcome:
        for flag in _COMMON:
            arguments.pop(flag)  # `Terminal.from_argv` has read them
        with redirect_stdout(sys.stderr):
            return function(**arguments)

    signature = inspect.signature(function, eval_str=True)
    flags = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in _COMMON.items()
    ]
    parameters = [*signature.parameters.values(), *flags]
    command.__signature__ = signature.replace(parameters=parameters, return_annotation=Outcome)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
