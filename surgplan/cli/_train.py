"""`surgplan train`: networks from label maps and labelled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings of the run.")]
