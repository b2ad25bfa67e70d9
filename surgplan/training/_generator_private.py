"""Differentially private training: no single scan moves the weights by more than the noise hides.

Each step every scan takes part or not by a coin of its own (Poisson sampling); the gradient of one
patch of it is clipped; noise is added to their sum (Abadi et al. 2016,
https://doi.org/10.1145/2976749.2978318). The unit that is protected is a scan.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from surgplan.errors import MissingExtraError, UsageError
from surgplan.training._team import Team

if TYPE_CHECKING:
    from surgplan.training._generator_samples import Scan


@dataclass(frozen=True, kw_only=True)
class PrivacySettings:
    """How well scans are protected.

    Attributes
    ----------
    noise
        Standard deviation of the noise, in units of `clip`.
    clip
        Largest norm of the gradient of one scan.
    rate
        Chance of a scan to take part in a step, for the scan with the largest weight.
    delta
        Chance with which the promise may fail; should be far below one over the number of scans.
    """

    noise: float = 1.0
    clip: float = 1.0
    rate: float = 0.5
    delta: float = 1e-5

    def __post_init__(self) -> None:
        if min(self.noise, self.clip) <= 0 or not 0 < self.rate <= 1 or not 0 < self.delta < 1:
            msg = f"`noise` and `clip` must be above 0, `rate` and `delta` in 0..1, got {self}"
            raise UsageError(msg)

    def epsilon(self, steps: int) -> float:
        """What is promised after so many steps, by the accountant of Opacus (Rényi divergence)."""
        try:
            from opacus.accountants import RDPAccountant
        except ImportError as e:
            feature = "private training"
            raise MissingExtraError(feature, "privacy") from e
        accountant = RDPAccountant()
        accountant.history = [(self.noise, self.rate, steps)]
        return float(accountant.get_epsilon(self.delta))


def secret_chance() -> torch.Generator:
    """Chance that nobody can repeat: who knows the noise can take it away again."""
    return torch.Generator().manual_seed(secrets.randbits(63))


def private_gradients(
    network: torch.nn.Module,
    scans: Sequence[Scan],
    settings: PrivacySettings,
    loss: Callable[[Scan], torch.Tensor],
    chance: torch.Generator,
    *,
    team: Team | None = None,
) -> list[float]:
    """Put the private gradients of one step where an optimiser looks for them; the losses.

    Parameters
    ----------
    network
        Its parameters get gradients.
    scans
        All of them; each takes part by chance.
    settings
        Clip, noise and rate.
    loss
        Of one patch of a scan.
    chance
        Decides who takes part, and the noise; from `secret_chance` outside tests.
    team
        Processes that share the scans; one of them adds the noise.
    """
    team = team or Team()
    parameters = [p for p in network.parameters() if p.requires_grad]
    total = [torch.zeros_like(p) for p in parameters]
    heaviest = max(s.weight for s in scans)
    rates = [settings.rate * s.weight / heaviest for s in scans]
    losses = []
    for number in range(team.rank, len(scans), team.size):
        if float(torch.rand((), generator=chance)) >= rates[number]:
            continue
        value = loss(scans[number])
        gradients = torch.autograd.grad(value, parameters, allow_unused=True)
        losses.append(float(value.detach()))
        _add_clipped(total, gradients, settings.clip)
    for parameter, gradient in zip(parameters, total, strict=True):
        parameter.grad = gradient
        if team.leads:
            noise = torch.randn(gradient.shape, generator=chance).to(gradient.device)
            gradient.add_(settings.noise * settings.clip * noise)
        gradient.div_(sum(rates))
    team.add_up(network)
    return losses


def _add_clipped(
    total: list[torch.Tensor], gradients: Sequence[torch.Tensor | None], clip: float
) -> None:
    """Add a gradient of at most the norm ``clip``; one that is not a number adds nothing."""
    known = [torch.zeros_like(t) if g is None else g for t, g in zip(total, gradients, strict=True)]
    norm = torch.stack([g.float().norm() for g in known]).norm()
    if not bool(norm.isfinite()):
        return
    share = min(1.0, clip / max(float(norm), 1e-12))
    for into, gradient in zip(total, known, strict=True):
        into.add_(gradient, alpha=share)
