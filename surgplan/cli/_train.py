"""`surgplan train`: networks from label maps and labelled scans."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from surgplan.cli._options import DeviceOption, need_extra
from surgplan.cli._outcome import Outcome
from surgplan.cli._terminal import terminal

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, TOML.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="FOLDER", help="Of the sources; else that of the config."),
]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="FOLDER", help="For checkpoints and the bundle; else runs/NAME."),
]


def segmentation(
    config: Config, data: DataOption = None, run: RunOption = None, device: DeviceOption = "cpu"
) -> Outcome:
    """Train a segmentation network, or go on with an interrupted run."""
    _need_networks()
    from surgplan.training import train_segmentation

    return _train("segmentation", partial(train_segmentation, config, data=data, run=run), device)


def couinaud(
    config: Config, data: DataOption = None, run: RunOption = None, device: DeviceOption = "cpu"
) -> Outcome:
    """Train the network for Couinaud's segments, or go on with an interrupted run."""
    _need_networks()
    from surgplan.training import train_couinaud

    return _train("couinaud", partial(train_couinaud, config, data=data, run=run), device)


def synthesis(
    config: Config, data: DataOption = None, run: RunOption = None, device: DeviceOption = "cpu"
) -> Outcome:
    """Train a generator of CT and MR images, or go on with an interrupted run."""
    _need_networks()
    from surgplan.training import train_synthesis

    return _train("synthesis", partial(train_synthesis, config, data=data, run=run), device)


def _need_networks() -> None:
    need_extra("torch", "training", "ai")
    need_extra("monai", "training", "ai")


def _train(what: str, train: partial[Path], device: str) -> Outcome:
    with terminal().progress("training") as progress:
        bundle = train(device=device, progress=progress)
    data = {"config": train.args[0], "bundle": bundle}
    return Outcome(kind=f"train {what}", data=data, text=f"bundle: {bundle}")
