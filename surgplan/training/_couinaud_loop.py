"""The training loop for Couinaud's segments: one liver a step, checkpoints, validation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from surgplan.segmentation import build_network, mixed_precision
from surgplan.training._checkpoint import RunState
from surgplan.training._couinaud_samples import (
    CouinaudSample,
    draw_couinaud_sample,
    plain_sample,
)
from surgplan.training._couinaud_settings import CouinaudSettings
from surgplan.training._couinaud_sources import Liver, load_livers
from surgplan.training._team import Team, joined
from surgplan.volume import COUINAUD

LOG_EVERY = 25

log = logging.getLogger(__name__)


def train_couinaud_network(
    settings: CouinaudSettings,
    data: Path,
    run: Path,
    *,
    device: str = "cpu",
    progress: Callable[[float, str], None] | None = None,
) -> RunState:
    """Train, or go on from the checkpoint in ``run``; parameters as in `train`."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    with joined(device) as team:
        return _train(settings, data, run, team, progress)


def _train(
    settings: CouinaudSettings,
    data: Path,
    run: Path,
    team: Team,
    progress: Callable[[float, str], None] | None,
) -> RunState:
    livers, held = load_livers(settings, data)
    state = _fresh_state(settings, team.device)
    losses: list[float] = []
    for _ in state.steps_left(
        run, team, until=settings.steps, checkpoint_minutes=settings.checkpoint_minutes
    ):
        losses += _step(state, livers, settings, team)
        if state.step % LOG_EVERY == 0:
            words = f"step {state.step} loss {sum(losses) / len(losses):.3f}"
            losses = []
            if progress and team.leads:
                progress(state.step / settings.steps, words)
        if state.step % settings.validate_every == 0 or state.step == settings.steps:
            state.history.append(_validated(state, held, settings))
            log.info("%s", state.history[-1])
    return state


def segment_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy plus soft Dice over the segments present, inside the liver alone.

    Parameters
    ----------
    logits
        ``(segments, slice, row, column)``.
    target
        ``(slice, row, column)``: 0 to 7, -1 where nothing is known.
    """
    known = target >= 0
    scores, wanted = logits.float()[:, known], target[known]
    p = F.softmax(scores, dim=0)
    is_one = F.one_hot(wanted, logits.shape[0]).T.float()
    size = is_one.sum(1)
    dice = (2 * (p * is_one).sum(1) + 1) / (p.sum(1) + size + 1)
    return F.cross_entropy(scores.T, wanted) + 1 - dice[size > 0].mean()


def _fresh_state(settings: CouinaudSettings, device: str) -> RunState:
    torch.manual_seed(settings.seed)
    return RunState.fresh(
        build_network(settings.network).to(device),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )


def _step(
    state: RunState, livers: list[Liver], settings: CouinaudSettings, team: Team
) -> list[float]:
    """One step of the optimiser; the loss of each of its samples."""
    state.set_rate(settings.learning_rate, settings.steps)
    losses = [
        _gradients(state, draw_couinaud_sample(livers, settings, number), settings, team.device)
        for number in team.share(state.step, settings.batch)
    ]
    team.add_up(state.network)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.advance(average=settings.average)
    return [float(loss) for loss in team.together(torch.tensor(losses))]


def _gradients(
    state: RunState, sample: CouinaudSample, settings: CouinaudSettings, device: str
) -> float:
    """Add a sample's share of the mean gradient; its loss."""
    with mixed_precision(device):
        logits = state.network(sample.image[None].to(device))[0]
    loss = segment_loss(logits, sample.target.to(device))
    (loss / settings.batch).backward()
    return float(loss.detach())


def _validated(state: RunState, held: list[Liver], settings: CouinaudSettings) -> dict[str, object]:
    """Mean Dice of the averaged weights on the livers held out, by segment."""
    row: dict[str, object] = {"step": state.step}
    for key, vessels in (("without vessels", False), ("with vessels", True)):
        dice = torch.stack([_dice(state, plain_sample(v, settings, vessels=vessels)) for v in held])
        row[key] = {s.name: round(float(dice[:, s.label - 1].nanmean()), 3) for s in COUINAUD} | {
            "mean": round(float(dice.nanmean()), 3)
        }
    return row


def _dice(state: RunState, sample: CouinaudSample) -> torch.Tensor:
    device = next(state.averaged.parameters()).device
    with torch.no_grad(), mixed_precision(str(device)):
        found = state.averaged(sample.image[None].to(device))[0].argmax(0).cpu()
    known = sample.target >= 0
    dice = []
    for number in range(8):
        a, b = (found == number) & known, sample.target == number
        size = float(a.sum() + b.sum())
        dice.append(2 * float((a & b).sum()) / size if size else float("nan"))
    return torch.tensor(dice)
