"""One command from a config to a bundle that knows Couinaud's segments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surgplan.training._couinaud_bundle import write_couinaud_bundle
from surgplan.training._couinaud_loop import train_couinaud_network
from surgplan.training._couinaud_settings import read_couinaud_settings
from surgplan.training._team import joined


def train_couinaud(
    config: Path,
    *,
    data: Path | None = None,
    run: Path | None = None,
    device: str = "cpu",
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """Train the network for Couinaud's segments, or go on with an interrupted run.

    Parameters
    ----------
    config
        TOML file, see `CouinaudSettings`.
    data, run, device, progress
        As in `train_segmentation`.

    Returns
    -------
    Path
        The bundle, which `surgplan.segmentation.find_model` takes.
    """
    settings = read_couinaud_settings(config)
    run = run or Path("runs") / settings.name
    bundle = run / "bundle"
    with joined(device) as team:
        state = train_couinaud_network(
            settings, data or config.parent, run, device=device, progress=progress
        )
        if team.leads:
            write_couinaud_bundle(settings, state, bundle)
        team.wait()
    return bundle
