"""One command from a config to a generator's bundle."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch

from surgplan.errors import InputRefusedError
from surgplan.synthesis import find_generator, load_generator
from surgplan.training._generator_bundle_out import (
    Part,
    rewrite_noise,
    trained_part,
    write_generator_bundle,
)
from surgplan.training._generator_loop import (
    Progress,
    autoencoder_stage,
    flow_stage,
    latent_scale,
    train_stage,
)
from surgplan.training._generator_lost import Lost, measure_lost
from surgplan.training._generator_samples import Scan, load_scans
from surgplan.training._generator_settings import (
    GeneratorTrainingSettings,
    read_generator_settings,
)
from surgplan.training._team import Team, joined


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
        ``'cpu'``, ``'cuda'``, ...; processes started by torchrun share each step's batch.
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
    _ = settings.promised_epsilon  # a missing accountant is found before hours of training
    folder = data or config.parent
    scans = [s for one in settings.sources for s in load_scans(one, folder, settings.spacing_mm)]
    with joined(device) as team:
        how = _How(run=run, team=team, progress=progress)
        parts, first = _trained(settings, scans, how)
        if team.leads:
            write_generator_bundle(settings, parts, first.scale, first.lost, run / "bundle")
        team.wait()
    return run / "bundle"


def measure_generator_noise(config: Path, bundle: Path, *, data: Path | None = None) -> Lost:
    """Measure anew the noise that a generator puts back, and write it into its bundle.

    The weights stay as they are.

    Parameters
    ----------
    config
        The generator's own, see `GeneratorTrainingSettings`: noise is that of its sources.
    bundle
        Folder of the generator.
    data
        Folder that the sources' paths are relative to; the config's own folder by default.

    Raises
    ------
    InputRefusedError
        If the config is that of another generator.
    """
    settings = read_generator_settings(config)
    generator = load_generator(bundle)
    if generator.name != settings.name:
        msg = f"{config} trains {settings.name!r}, the bundle is {generator.name!r}; give its own"
        raise InputRefusedError(msg)
    folder = data or config.parent
    scans = [s for one in settings.sources for s in load_scans(one, folder, settings.spacing_mm)]
    lost = measure_lost(generator.autoencoder, settings, scans)
    rewrite_noise(bundle, lost)
    return lost


@dataclass(frozen=True, kw_only=True)
class _How:
    run: Path
    team: Team
    progress: Progress | None


@dataclass(frozen=True, kw_only=True, eq=False)
class _First:
    """An autoencoder, the scale of its latents, and what it cannot carry."""

    part: Part
    scale: float
    lost: Lost


def _trained(
    settings: GeneratorTrainingSettings, scans: list[Scan], how: _How
) -> tuple[tuple[Part, Part], _First]:
    """Both networks, and what is known of the first."""
    first = _trained_first(settings, scans, how) if settings.start is None else _given(settings)
    autoencoder = first.part.network.to(how.team.device)
    stage = flow_stage(settings, autoencoder, first.scale)
    state = train_stage(stage, settings, scans, how.run, team=how.team, progress=how.progress)
    adversarial = settings.network.sampler == "adversarial"
    maker = state.averaged["maker"] if adversarial else state.averaged
    private = settings.privacy is not None
    second = trained_part(maker, state, settings.flow.steps, private=private)
    return (first.part, second), first


def _trained_first(settings: GeneratorTrainingSettings, scans: list[Scan], how: _How) -> _First:
    state = train_stage(
        autoencoder_stage(settings),
        settings,
        scans,
        how.run,
        team=how.team,
        progress=how.progress,
    )
    network = state.averaged.eval()
    private = settings.privacy is not None
    return _First(
        part=trained_part(network, state, settings.autoencoder.steps, private=private),
        scale=latent_scale(network, settings, scans),
        lost=measure_lost(network, settings, scans),
    )


def _given(settings: GeneratorTrainingSettings) -> _First:
    """The autoencoder of another generator."""
    other = load_generator(find_generator(settings.start))
    wanted, there = settings.network, other.settings
    if (wanted.latent, wanted.code) != (there.latent, there.code):
        msg = (
            f"the autoencoder of {settings.start!r} has {there.latent} latent channels and code "
            f"{there.code}; give [network] the same, or leave out `start`"
        )
        raise InputRefusedError(msg)
    network = copy.deepcopy(other.autoencoder)
    return _First(
        part=Part(network=network, steps=f"those of {other.name}", loss="none"),
        scale=other.scale,
        lost=Lost(noise=other.noise, shape=other.noise_shape),
    )
