"""`surgplan train`: networks from label maps and labelled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surgplan.cli._options import DeviceOption, need_extra
from surgplan.cli._outcome import Outcome
from surgplan.cli._terminal import terminal


def segmentation(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, TOML.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Of the sources; else that of the config."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For checkpoints and the bundle; else runs/NAME."),
    ] = None,
    device: DeviceOption = "cpu",
) -> Outcome:
    """Train a segmentation network, or go on with an interrupted run."""
    need_extra("torch", "training", "ai")
    need_extra("monai", "training", "ai")
    from surgplan.training import train_segmentation

    with terminal().progress("training") as progress:
        bundle = train_segmentation(config, data=data, run=run, device=device, progress=progress)
    data_out = {"config": config, "bundle": bundle}
    return Outcome(kind="train segmentation", data=data_out, text=f"bundle: {bundle}")


def couinaud(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, TOML.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Of the maps; else that of the config."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For checkpoints and the bundle; else runs/NAME."),
    ] = None,
    device: DeviceOption = "cpu",
) -> Outcome:
    """Train the network for Couinaud's segments, or go on with an interrupted run."""
    need_extra("torch", "training", "ai")
    need_extra("monai", "training", "ai")
    from surgplan.training import train_couinaud

    with terminal().progress("training") as progress:
        bundle = train_couinaud(config, data=data, run=run, device=device, progress=progress)
    data_out = {"config": config, "bundle": bundle}
    return Outcome(kind="train couinaud", data=data_out, text=f"bundle: {bundle}")


def synthesis(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, TOML.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Of the sources; else that of the config."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For checkpoints and the bundle; else runs/NAME."),
    ] = None,
    device: DeviceOption = "cpu",
) -> Outcome:
    """Train a generator of CT and MR images, or go on with an interrupted run."""
    need_extra("torch", "training", "ai")
    need_extra("monai", "training", "ai")
    from surgplan.training import train_synthesis

    with terminal().progress("training") as progress:
        bundle = train_synthesis(config, data=data, run=run, device=device, progress=progress)
    data_out = {"config": config, "bundle": bundle}
    return Outcome(kind="train synthesis", data=data_out, text=f"bundle: {bundle}")
