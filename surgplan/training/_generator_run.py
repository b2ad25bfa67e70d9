"""One command from a config to a generator's bundle."""

from __future__ import annotations

from pathlib import Path

import torch

from surgplan.training._generator_bundle_out import measure_lost, write_generator_bundle
from surgplan.training._generator_loop import (
    Progress,
    autoencoder_stage,
    flow_stage,
    latent_scale,
    train_stage,
)
from surgplan.training._generator_samples import load_scans
from surgplan.training._generator_settings import read_generator_settings


def train_synthesis(
    config: Path,
    *,
    data: Path | None = None,
    run: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Path:
    """Train a generator of images, or go on with an interrupted run.

    Parameters
    ----------
    config
        TOML file, see `GeneratorTrainingSettings`.
    data
        Folder that the sources' paths are relative to; the config's own folder by default.
    run
        Folder of the checkpoints and, at the end, of ``bundle/``; ``runs/NAME`` by default.
    device
        ``'cpu'``, ``'cuda'``, ...
    progress
        Called with the fraction done and a line of words.

    Returns
    -------
    Path
        The bundle.
    """
    settings = read_generator_settings(config)
    run = run or Path("runs") / settings.name
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    folder = data or config.parent
    scans = [s for one in settings.sources for s in load_scans(one, folder, settings.spacing_mm)]
    first = train_stage(
        autoencoder_stage(settings), settings, scans, run, device=device, progress=progress
    )
    autoencoder = first.averaged.eval()
    scale = latent_scale(autoencoder, settings, scans)
    second = train_stage(
        flow_stage(settings, autoencoder, scale),
        settings,
        scans,
        run,
        device=device,
        progress=progress,
    )
    bundle = run / "bundle"
    lost = measure_lost(autoencoder, settings, scans)
    write_generator_bundle(settings, (first, second), scale, lost, bundle)
    return bundle
