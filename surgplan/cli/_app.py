"""The tree of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

import surgplan
from surgplan.cli import _access, _models, _plan, _train
from surgplan.cli._batch import batch
from surgplan.cli._couinaud import couinaud
from surgplan.cli._doctor import doctor
from surgplan.cli._door import DebugOption, JsonOption, QuietOption, door
from surgplan.cli._evaluate import evaluate
from surgplan.cli._mesh import mesh
from surgplan.cli._outcome import Outcome
from surgplan.cli._phantom import phantom
from surgplan.cli._run import run
from surgplan.cli._segment import segment
from surgplan.cli._synthesize import synthesize
from surgplan.cli._view import view

_HELP = f"""From a CT or MR scan to a liver resection that has been rehearsed, checked and reported.

Start with `surgplan run SCAN CASE`. {surgplan.NOT_A_MEDICAL_DEVICE}"""

Command = Callable[..., Outcome]

COMMANDS: tuple[Command, ...] = (
    run, batch, segment, mesh, couinaud, evaluate, phantom, synthesize, view, doctor,
)  # fmt: skip
"""Commands at the top, in the order of the help."""

GROUPS: tuple[tuple[str, str, tuple[Command, ...]], ...] = (
    (
        "plan",
        "Resections: proposed, judged, checked, compared, reached.",
        (_plan.propose, _plan.assess, _plan.replay, _plan.compare, _access.access),
    ),
    (
        "train",
        "Networks from label maps and labelled scans.",
        (_train.segmentation, _train.synthesis, _train.couinaud),
    ),
    (
        "models",
        "The networks that are there.",
        (_models.list_, _models.show, _models.add, _models.verify),
    ),
)
"""Commands under a word: the word, its help, the commands."""


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
    _add(app, COMMANDS)
    for word, words, commands in GROUPS:
        group = typer.Typer(no_args_is_help=True)
        _add(group, commands)
        app.add_typer(group, name=word, help=words)
    return typer.main.get_command(app)


def _add(app: typer.Typer, commands: tuple[Command, ...]) -> None:
    for function in commands:
        app.command(function.__name__.rstrip("_"))(door(function))


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
