"""The training loop: one sample a step, checkpoints, a running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch

from surgplan.segmentation import build_network, find_model, load_network, mixed_precision
from surgplan.training._checkpoint import RunState
from surgplan.training._curves import write_curves
from surgplan.training._loss import grouped_loss
from surgplan.training._samples import Sample, draw_sample
from surgplan.training._settings import TrainingSettings
from surgplan.training._sources import Source, load_sources
from surgplan.training._start import start_from
from surgplan.training._team import Team, joined
from surgplan.volume import ANATOMY

LOG_EVERY = 20
SHOWN = ("liver parenchyma", "liver tumour", "portal vein", "hepatic veins")


def train(
    settings: TrainingSettings,
    data: Path,
    run: Path,
    *,
    device: str = "cpu",
    progress: Callable[[float, str], None] | None = None,
) -> RunState:
    """Train, or go on from the checkpoint in ``run``.

    Parameters
    ----------
    settings
        The run.
    data
        Folder that the sources' paths are relative to.
    run
        Folder of the checkpoint; made where missing.
    device
        ``'cpu'``, ``'cuda'``, ...; processes started by torchrun share the work, see `joined`.
    progress
        Called with the fraction done and a line of words.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    with joined(device) as team:
        return _train(settings, data, run, team, progress)


def _train(
    settings: TrainingSettings,
    data: Path,
    run: Path,
    team: Team,
    progress: Callable[[float, str], None] | None,
) -> RunState:
    sources = [s for one in settings.sources for s in load_sources(one, data, settings.spacing_mm)]
    state = _fresh_state(settings, team.device)
    window: list[torch.Tensor] = []
    for _ in state.steps_left(
        run,
        team,
        until=settings.steps,
        checkpoint_minutes=settings.checkpoint_minutes,
        saved=lambda: write_curves(state.history, run),
    ):
        window.append(_step(state, sources, settings, team))
        if state.step % LOG_EVERY == 0 or state.step == settings.steps:
            state.history.append(_summary(state, torch.cat(window)))
            window = []
            if progress and team.leads:
                progress(state.step / settings.steps, _words(state))
    return state


def _fresh_state(settings: TrainingSettings, device: str) -> RunState:
    torch.manual_seed(settings.seed)
    network = build_network(settings.network).to(device)
    if settings.start is not None:
        start_from(network, load_network(find_model(settings.start)))
    return RunState.fresh(
        network, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay
    )


def _step(
    state: RunState, sources: list[Source], settings: TrainingSettings, team: Team
) -> torch.Tensor:
    """One step of the optimiser; a row for each sample: its loss, then its Dice per class."""
    state.set_rate(settings.learning_rate, settings.steps)
    shown = [
        _gradients(state, draw_sample(sources, settings, number), settings, team.device)
        for number in team.share(state.step, settings.batch)
    ]
    team.add_up(state.network)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.advance(average=settings.average)
    return team.together(torch.stack(shown))


def _gradients(
    state: RunState, sample: Sample, settings: TrainingSettings, device: str
) -> torch.Tensor:
    """Add a sample's share of the mean gradient; its loss and its Dice per class."""
    with mixed_precision(device):
        logits = state.network(sample.image[None].to(device))[0]
    emphasis = torch.tensor([1.0] + [settings.emphasis.get(s.name, 1.0) for s in ANATOMY])
    loss, dice = grouped_loss(
        logits,
        sample.target.to(device),
        sample.group.to(device),
        emphasis.to(device),
        balance=settings.balance * (1 - state.step / settings.steps),
    )
    (loss / settings.batch).backward()
    return torch.cat([loss.detach()[None].float(), dice.float()])


def _summary(state: RunState, window: torch.Tensor) -> dict[str, object]:
    loss, dice = window[:, 0].mean(), window[:, 1:].nanmean(dim=0)
    row: dict[str, object] = {"step": state.step, "loss": round(float(loss), 4)}
    for segment in ANATOMY:
        value = float(dice[segment.label])
        if not math.isnan(value):
            row[segment.name] = round(value, 3)
    return row


def _words(state: RunState) -> str:
    row = state.history[-1]
    shown = [
        f"{k} {row[k]}"
        for k in ("liver parenchyma", "liver tumour", "portal vein", "hepatic veins")
        if k in row
    ]
    return f"step {row['step']} loss {row['loss']} Dice " + ", ".join(shown)
