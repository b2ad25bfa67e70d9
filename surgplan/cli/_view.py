"""`surgplan view`: a case or a scan in a napari window."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from surgplan.cli._options import need_extra
from surgplan.cli._outcome import Outcome
from surgplan.cli._places import check_file
from surgplan.errors import NothingToDoError, UsageError


def view(
    case: Annotated[
        Path, typer.Argument(metavar="CASE", help="Case folder, or a scan to begin one with.")
    ],
    three_d: Annotated[bool, typer.Option("--3d", help="Surfaces instead of slices.")] = False,
    screenshot: Annotated[
        Path | None,
        typer.Option("--screenshot", metavar="PNG", help="Write a picture and close again."),
    ] = None,
) -> Outcome:
    """Open a case or a scan in napari: slices, structures and surfaces, in millimetres."""
    if screenshot is not None:
        check_file(screenshot, (".png",))
    if not case.exists():
        msg = f"{case} is not there; name a case folder or a scan"
        raise NothingToDoError(msg)
    need_extra("napari", "the window", "gui")
    _need_screen()
    # By name: the plugin stands beside the command line, neither builds on the other.
    import_module("napari_surgplan").open_case(
        case, ndisplay=3 if three_d else 2, screenshot=screenshot
    )
    text = "window closed" if screenshot is None else f"picture: {screenshot}"
    return Outcome(kind="view", data={"case": case, "screenshot": screenshot}, text=text)


def _need_screen() -> None:
    """Raise `UsageError` where no window can open: Qt would end the process instead."""
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_screen:
        msg = "no screen to open a window on; work at a desktop, or put `xvfb-run` before surgplan"
        raise UsageError(msg)
