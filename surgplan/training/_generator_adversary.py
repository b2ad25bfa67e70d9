"""For comparison: latents made in one pass, trained against a critic of the decoded image."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from surgplan.synthesis import CLASSES, GeneratorSettings, build_flow, pack, unpack
from surgplan.training._generator_samples import GeneratorSample

_CRITIC_CHANNELS = 24
_EXTRA = 2  # mean image and thickness, as in the condition


def build_adversary(settings: GeneratorSettings) -> torch.nn.ModuleDict:
    """Fresh ``maker``, which is what gets shipped, and ``critic``: one module, so one checkpoint.

    The maker is the flow's network in a single pass, noise and condition in, latent out. The critic
    is MONAI's `PatchDiscriminator` of remainders, as blocks of 2 x 2 x 2 voxels, beside their
    condition.
    """
    from monai.networks.nets import PatchDiscriminator  # here: monai takes seconds to import

    critic = PatchDiscriminator(
        spatial_dims=3,
        channels=_CRITIC_CHANNELS,
        in_channels=8 + len(CLASSES) + _EXTRA,
        num_layers_d=2,
        kernel_size=3,
        norm="INSTANCE",
    )
    return torch.nn.ModuleDict({"maker": build_flow(settings), "critic": critic})


def adversarial_loss(
    autoencoder: torch.nn.Module, scale: float
) -> Callable[[torch.nn.ModuleDict, GeneratorSample, torch.Generator], torch.Tensor]:
    """Least squares (Mao et al. 2017, https://arxiv.org/abs/1611.04076), both sides at once.

    The real side is what the autoencoder keeps of a remainder, so that the critic judges how
    latents were made and not what no latent can carry.
    """
    autoencoder.requires_grad_(requires_grad=False)

    def loss(
        network: torch.nn.ModuleDict, sample: GeneratorSample, generator: torch.Generator
    ) -> torch.Tensor:
        maker, critic = network["maker"], network["critic"]
        device = next(maker.parameters()).device
        given = sample.condition.to(device)
        with torch.no_grad():
            latent, _ = autoencoder.encode(pack(sample.remainder.to(device)))
            real = autoencoder.decode(latent).float()
        noise = torch.randn(latent.shape, generator=generator).to(device)
        start = torch.zeros(1, dtype=torch.long, device=device)
        look = torch.tensor([sample.look], device=device)
        made = maker(torch.cat([noise, given], dim=1), start, class_labels=look)
        fake = autoencoder.decode(made.float() / scale).float()
        beside = F.interpolate(given, scale_factor=2)
        frozen = {k: v.detach() for k, v in critic.named_parameters()}
        seen = torch.cat([fake, beside], dim=1)
        fooled = torch.func.functional_call(critic, frozen, (seen,))[-1]
        judged = [critic(torch.cat([x, beside], dim=1))[-1] for x in (real, fake.detach())]
        total: torch.Tensor = (
            (fooled.float() - 1).square().mean()
            + ((judged[0].float() - 1).square().mean() + judged[1].float().square().mean()) / 2
            + _spread_error(unpack(fake), unpack(real))
        )
        return total

    return loss


def _spread_error(made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """How far brightness and its differences spread too much or too little; keeps a maker awake."""
    errors = [(made.std() - real.std()).abs()]
    errors += [(made.diff(dim=a).std() - real.diff(dim=a).std()).abs() for a in range(3)]
    return torch.stack(errors).mean()
