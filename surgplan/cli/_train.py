"""`surgplan train`: networks from label maps and labelled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surgplan.cli._options import need_extra
from surgplan.cli._outcome import Outcome


def segmentation(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, TOML.")],
) -> Outcome:
    """Train a segmentation network, or go on with an interrupted run."""
    need_extra("torch", "training", "ai")
    need_extra("monai", "training", "ai")
    from surgplan.training import train_segmentation

    train_segmentation(config)
    return Outcome(kind="train segmentation", data={"config": config}, text=f"trained {config}")
