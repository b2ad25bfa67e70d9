"""Training a generator: the autoencoder first, then the flow in its latent space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from surgplan.segmentation import mixed_precision
from surgplan.synthesis import (
    GeneratorSettings,
    build_autoencoder,
    build_flow,
    pack,
    training_scheduler,
    unpack,
)
from surgplan.training._checkpoint import RunState
from surgplan.training._generator_adversary import adversarial_loss, build_adversary
from surgplan.training._generator_private import private_gradients, secret_chance
from surgplan.training._generator_samples import GeneratorSample, Scan, draw_generator_sample
from surgplan.training._generator_settings import GeneratorTrainingSettings, StageSettings
from surgplan.training._team import Team

LOG_EVERY = 20
SCALE_SAMPLES = 24
_KL = 1e-5

Loss = Callable[[torch.nn.Module, GeneratorSample, torch.Generator], torch.Tensor]
Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """What tells the training of the two networks apart.

    Attributes
    ----------
    name
        Folder of its checkpoint inside the run.
    settings
        Steps, patches and learning rate.
    build
        The fresh network.
    loss
        Of one sample.
    seed_offset
        Keeps the samples of the stages apart.
    """

    name: str
    settings: StageSettings
    build: Callable[[GeneratorSettings], torch.nn.Module]
    loss: Loss
    seed_offset: int


def autoencoder_loss(
    network: torch.nn.Module, sample: GeneratorSample, generator: torch.Generator
) -> torch.Tensor:
    """Absolute error of the remainder and of its differences, and a little KL divergence."""
    device = next(network.parameters()).device
    wanted = sample.remainder.to(device)
    mu, sigma = network.encode(pack(wanted))
    noise = torch.randn(mu.shape, generator=generator).to(device)
    made = network.decode(mu + sigma * noise)
    found = unpack(made.float())
    loss = F.l1_loss(found, wanted)
    for axis in range(3):
        loss = loss + 0.3 * F.l1_loss(found.diff(dim=axis), wanted.diff(dim=axis))
    mu, sigma = mu.float(), sigma.float()
    divergence = 0.5 * (mu**2 + sigma**2 - (sigma**2).log() - 1).sum(dim=1).mean()
    total: torch.Tensor = loss + _KL * divergence
    return total


def flow_loss(autoencoder: torch.nn.Module, settings: GeneratorSettings, scale: float) -> Loss:
    """Squared error of the velocity (or noise) at a random time."""
    scheduler = training_scheduler(settings)

    def loss(
        network: torch.nn.Module, sample: GeneratorSample, generator: torch.Generator
    ) -> torch.Tensor:
        device = next(network.parameters()).device
        with torch.no_grad():
            coded, _ = autoencoder.encode(pack(sample.remainder.to(device)))
            latent = scale * coded.float()
        noise = torch.randn(latent.shape, generator=generator).to(device)
        time_step = torch.randint(0, 1000, (1,), generator=generator).to(device)
        noisy = scheduler.add_noise(original_samples=latent, noise=noise, timesteps=time_step)
        look = torch.tensor([sample.look], device=device)
        given = torch.cat([noisy, sample.condition.to(device)], dim=1)
        found = network(given, time_step, class_labels=look)
        wanted = latent - noise if settings.sampler == "flow" else noise
        return F.mse_loss(found.float(), wanted)

    return loss


def train_stage(
    stage: Stage,
    settings: GeneratorTrainingSettings,
    scans: list[Scan],
    run: Path,
    *,
    team: Team | None = None,
    progress: Progress | None = None,
) -> RunState:
    """Train one of the networks, or go on from its checkpoint in ``run``."""
    team = team or Team()
    torch.manual_seed(settings.seed + stage.seed_offset)
    state = RunState.fresh(
        stage.build(settings.network).to(team.device), learning_rate=stage.settings.learning_rate
    )
    losses: list[float] = []
    for _ in state.steps_left(
        run / stage.name,
        team,
        until=stage.settings.steps,
        checkpoint_minutes=settings.checkpoint_minutes,
    ):
        losses += _step(state, stage, settings, scans, team)
        if state.step % LOG_EVERY == 0 or state.step == stage.settings.steps:
            mean = sum(losses) / max(1, len(losses))
            state.history.append({"step": state.step, "loss": round(mean, 4)})
            losses = []
            if progress and team.leads:
                words = f"{stage.name} {state.step}, loss {mean:.3f}"
                progress(state.step / stage.settings.steps, words)
    return state


def _step(
    state: RunState,
    stage: Stage,
    settings: GeneratorTrainingSettings,
    scans: list[Scan],
    team: Team,
) -> list[float]:
    """One step of the optimiser; the loss of each of its samples."""
    state.set_rate(stage.settings.learning_rate, stage.settings.steps)
    losses = _gradients(state, stage, settings, scans, team)
    state.advance(average=settings.average)
    return losses


def _gradients(
    state: RunState,
    stage: Stage,
    settings: GeneratorTrainingSettings,
    scans: list[Scan],
    team: Team,
) -> list[float]:
    """Put the gradients of one step where the optimiser looks for them; the losses."""
    seed = settings.seed + stage.seed_offset
    device = str(next(state.network.parameters()).device)

    def loss_of(among: list[Scan], number: int) -> torch.Tensor:
        sample = draw_generator_sample(
            among, stage.settings.patches, settings.spacing_mm, seed, number
        )
        generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
        with mixed_precision(device, wanted=settings.half):
            return stage.loss(state.network, sample, generator)

    if settings.privacy is not None:
        return private_gradients(
            state.network,
            scans,
            settings.privacy,
            lambda scan: loss_of([scan], state.step),
            secret_chance(),
            team=team,
        )
    losses = []
    for number in team.share(state.step, settings.batch):
        loss = loss_of(scans, number)
        (loss / settings.batch).backward()
        losses.append(float(loss.detach()))
    team.add_up(state.network)
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    if not bool(norm.isfinite()):  # in bfloat16 on a CPU some are not a number
        state.optimiser.zero_grad(set_to_none=True)
    return [float(loss) for loss in team.together(torch.tensor(losses))]


def autoencoder_stage(settings: GeneratorTrainingSettings) -> Stage:
    """The first stage."""
    return Stage(
        name="autoencoder",
        settings=settings.autoencoder,
        build=build_autoencoder,
        loss=autoencoder_loss,
        seed_offset=0,
    )


def flow_stage(
    settings: GeneratorTrainingSettings, autoencoder: torch.nn.Module, scale: float
) -> Stage:
    """The second stage, in the latent space of the first."""
    adversarial = settings.network.sampler == "adversarial"
    return Stage(
        name=settings.network.sampler,
        settings=settings.flow,
        build=build_adversary if adversarial else build_flow,
        loss=adversarial_loss(autoencoder, scale)
        if adversarial
        else flow_loss(autoencoder, settings.network, scale),
        seed_offset=1,
    )


def latent_scale(
    autoencoder: torch.nn.Module, settings: GeneratorTrainingSettings, scans: list[Scan]
) -> float:
    """One over the spread of the latents of some samples, so that the flow sees unit spread."""
    device = next(autoencoder.parameters()).device
    spread = []
    for index in range(SCALE_SAMPLES):
        sample = draw_generator_sample(
            scans, settings.flow.patches, settings.spacing_mm, settings.seed + 2, index
        )
        with torch.no_grad():
            latent = autoencoder.encode(pack(sample.remainder.to(device)))[0]
        spread.append(float((latent**2).mean()))
    return float((sum(spread) / len(spread)) ** -0.5)
