"""One command from a config to a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surgplan.training._bundle_out import write_bundle
from surgplan.training._loop import train
from surgplan.training._settings import read_training_settings
from surgplan.training._team import joined


def train_segmentation(
    config: Path,
    *,
    data: Path | None = None,
    run: Path | None = None,
    device: str = "cpu",
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """Train a segmentation network, or go on with an interrupted run.

    Parameters
    ----------
    config
        TOML file, see `TrainingSettings` and `SourceSettings`.
    data
        Folder that the sources' paths are relative to; the config's own folder by default.
    run
        Folder of the checkpoint and, at the end, of ``bundle/``; ``runs/NAME`` by default.
    device
        ``'cpu'``, ``'cuda'``, ...; processes started by torchrun share each step's batch.
    progress
        Called with the fraction done and a line of words.

    Returns
    -------
    Path
        The bundle, which `surgplan.segmentation.find_model` takes.
    """
    settings = read_training_settings(config)
    run = run or Path("runs") / settings.name
    bundle = run / "bundle"
    with joined(device) as team:
        state = train(settings, data or config.parent, run, device=device, progress=progress)
        if team.leads:
            write_bundle(settings, state, bundle)
        team.wait()
    return bundle
