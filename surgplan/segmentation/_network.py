"""The networks that may be built, from plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from surgplan.errors import ModelIntegrityError


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """A U-Net after nnU-Net's plan (MONAI's `DynUNet`).

    Attributes
    ----------
    classes
        Output channels, background included.
    filters
        Channels per level; each level below the first halves the resolution.
    channels
        Input channels: 1, the image, or those of `liver_view`.
    """

    classes: int
    filters: tuple[int, ...] = (16, 32, 64, 96, 128)
    channels: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(self.filters))
        if self.classes < 2 or len(self.filters) < 2 or min(*self.filters, self.channels) < 1:
            msg = f"a network needs two classes and two levels at least, got {self}"
            raise ModelIntegrityError(msg)

    @property
    def multiple(self) -> int:
        """Every side of a patch must be a multiple of this."""
        return int(2 ** (len(self.filters) - 1))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as it stands in a bundle."""
        return asdict(self)


def build_network(settings: NetworkSettings) -> torch.nn.Module:
    """The network with fresh weights: ``(batch, channels, ...)`` to ``(batch, classes, ...)``."""
    from monai.networks.nets import DynUNet  # here: monai takes seconds to import

    levels = len(settings.filters)
    network: torch.nn.Module = DynUNet(
        spatial_dims=3,
        in_channels=settings.channels,
        out_channels=settings.classes,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=list(settings.filters),
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"negative_slope": 0.01}),
    )
    return network
