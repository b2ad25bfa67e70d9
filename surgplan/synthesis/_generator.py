"""The networks of the generator: an autoencoder of what class means leave over, and a flow in it.

An image is the mean brightness of each class (`mean_image`) plus a remainder: texture, noise and
everything that labels do not say. The autoencoder packs the remainder four-fold in each direction;
a rectified flow (Liu et al. 2023, https://arxiv.org/abs/2209.03003) makes new remainders that fit
a label map. So a structure has the Hounsfield units that it was given, whatever the networks do.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F

from surgplan.errors import ModelIntegrityError
from surgplan.synthesis._classes import CLASSES

FACTOR = 4
"""Voxels per latent voxel, a side."""

STEPS = 1000
"""Time steps that the flow and the diffusion are trained with."""

SAMPLERS = ("flow", "ddpm", "adversarial")

LOOKS = ("native", "arterial", "portal", "delayed", "MR")
"""What a scan may look like: contrast phases of CT, and MR."""

REMAINDER_HU = 60.0
_LARGEST = 4.0
_EXTRA = 2  # mean image, thickness of slices


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings:
    """How large the networks are.

    Attributes
    ----------
    latent
        Channels of a latent voxel.
    code
        Channels of the autoencoder at half and at quarter resolution.
    flow
        Channels of the flow's levels.
    sampler
        ``'flow'`` (rectified flow); for comparison ``'ddpm'`` (noise prediction) or
        ``'adversarial'`` (one pass, trained against a critic).
    """

    latent: int = 4
    code: tuple[int, int] = (32, 64)
    flow: tuple[int, ...] = (48, 96)
    sampler: str = "flow"

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", tuple(self.code))
        object.__setattr__(self, "flow", tuple(self.flow))
        widths = (*self.code, *self.flow)
        if self.sampler not in SAMPLERS or any(n < 8 or n % 8 for n in widths):
            known = ", ".join(SAMPLERS)
            msg = f"widths must be multiples of 8 and `sampler` one of {known}, got {self}"
            raise ModelIntegrityError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as it stands in a bundle."""
        return asdict(self)


def build_autoencoder(settings: GeneratorSettings) -> torch.nn.Module:
    """MONAI's `AutoencoderKL` on blocks of 2 x 2 x 2 voxels, ``(batch, 8, s, r, c)`` in and out."""
    from monai.networks.nets import AutoencoderKL  # here: monai takes seconds to import

    network: torch.nn.Module = AutoencoderKL(
        spatial_dims=3,
        in_channels=8,
        out_channels=8,
        num_res_blocks=1,
        channels=settings.code,
        attention_levels=(False, False),
        latent_channels=settings.latent,
        norm_num_groups=8,
        with_encoder_nonlocal_attn=False,
        with_decoder_nonlocal_attn=False,
    )
    return network


def build_flow(settings: GeneratorSettings) -> torch.nn.Module:
    """MONAI's `DiffusionModelUNet`: noisy latent and condition in, velocity (or noise) out."""
    from monai.networks.nets import DiffusionModelUNet

    levels = len(settings.flow)
    network: torch.nn.Module = DiffusionModelUNet(
        spatial_dims=3,
        in_channels=settings.latent + len(CLASSES) + _EXTRA,
        out_channels=settings.latent,
        num_res_blocks=1,
        channels=settings.flow,
        attention_levels=(False,) * levels,
        norm_num_groups=8,
        num_head_channels=8,
        num_class_embeds=len(LOOKS),
        use_flash_attention=True,  # the same numbers without a matrix of all pairs of voxels
    )
    return network


def pack(image: torch.Tensor) -> torch.Tensor:
    """``(s, r, c)`` to ``(1, 8, s/2, r/2, c/2)``: each block of 2 x 2 x 2 voxels as channels."""
    s, r, c = (n // 2 for n in image.shape)
    blocks = image.view(s, 2, r, 2, c, 2).permute(1, 3, 5, 0, 2, 4)
    return blocks.reshape(1, 8, s, r, c)


def unpack(blocks: torch.Tensor) -> torch.Tensor:
    """The inverse of `pack`."""
    _, _, s, r, c = blocks.shape
    return blocks.view(2, 2, 2, s, r, c).permute(3, 0, 4, 1, 5, 2).reshape(2 * s, 2 * r, 2 * c)


def remainder(image: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """What is left of an image after its mean image, as the autoencoder sees it."""
    return ((image - means) / REMAINDER_HU).clamp(-_LARGEST, _LARGEST)


def condition(
    classes: torch.Tensor, means: torch.Tensor, thickness_mm: float, voxel_mm: float
) -> torch.Tensor:
    """What the flow is told, ``(1, channels, s/4, r/4, c/4)``.

    Parameters
    ----------
    classes
        Shares of the classes in each latent voxel, from `one_hot`.
    means
        ``(s, r, c)`` mean image.
    thickness_mm, voxel_mm
        Thickness of the slices, and voxel size.
    """
    small = F.avg_pool3d(means[None], FACTOR) / 200
    ratio = torch.tensor(thickness_mm / voxel_mm).log()
    return torch.cat([classes, small, ratio.expand_as(small)])[None]


def training_scheduler(settings: GeneratorSettings) -> Any:
    """How noise is mixed in, in training and in sampling."""
    from monai.networks.schedulers import DDPMScheduler, RFlowScheduler

    if settings.sampler == "flow":
        return RFlowScheduler(num_train_timesteps=STEPS, use_discrete_timesteps=True)
    return DDPMScheduler(
        num_train_timesteps=STEPS, schedule="scaled_linear_beta", clip_sample=False
    )
