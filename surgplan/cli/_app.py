"""The tree of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

import surgplan
from surgplan.cli._doctor import doctor
from surgplan.cli._door import DebugOption, JsonOption, QuietOption, door

_HELP = f"""From a CT or MR scan to a liver resection that has been rehearsed, checked and reported.

Start with `surgplan run SCAN CASE`. {surgplan.NOT_A_MEDICAL_DEVICE}"""

COMMANDS = (doctor,)
"""Commands at the top, in the order of the help."""


def build() -> Callable[..., Any]:
    """The command line as one callable: ``(argv, prog_name=..., standalone_mode=False)``."""
    app = typer.Typer(
        name="surgplan",
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for function in COMMANDS:
        app.command(function.__name__)(door(function))
    return typer.main.get_command(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"surgplan {surgplan.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Version.", callback=_show_version, is_eager=True)
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Flags that may also stand before the command; `Terminal.from_argv` reads them."""
