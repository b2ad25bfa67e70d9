"""Noise fields and blur, on tensors ``(slice, row, column)``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F

from surgplan.errors import UsageError

_NO_BLUR = 0.2  # voxels; what is less is none


def white(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Independent unit noise."""
    return torch.randn(shape, generator=generator)


def smooth(shape: tuple[int, int, int], points: int, generator: torch.Generator) -> torch.Tensor:
    """Noise of about unit spread that varies over 1/points of the grid."""
    coarse = torch.randn((1, 1, points, points, points), generator=generator)
    return F.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0]


def blur(image: torch.Tensor, sigma_voxels: tuple[float, float, float]) -> torch.Tensor:
    """Gaussian blur, a sigma per axis; edges repeat."""
    result = image[None, None]
    for axis, sigma in enumerate(sigma_voxels):
        if sigma < _NO_BLUR:
            continue
        kernel = gaussian(sigma)
        radius = len(kernel) // 2
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        pad = [0] * 6
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = radius
        padded = F.pad(result, pad, mode="replicate")
        result = F.conv3d(padded, kernel.view(shape))
    return result[0, 0]


def gaussian(sigma_voxels: float) -> torch.Tensor:
    """Weights of a Gaussian blur along one axis, an odd number of them that add up to 1."""
    if sigma_voxels < _NO_BLUR:
        return torch.ones(1)
    radius = max(1, math.ceil(2.5 * sigma_voxels))
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (x / sigma_voxels) ** 2)
    return kernel / kernel.sum()


@dataclass(frozen=True, kw_only=True)
class NoiseShape:
    """How the noise of neighbouring voxels goes together: white noise mixed with blurred noise.

    Attributes
    ----------
    white
        Share of the variance that is white, 0 to 1.
    across_voxels, in_plane_voxels
        Standard deviation of the Gaussian that blurs the rest, across slices and in them.
    """

    white: float = 0.0
    across_voxels: float = 0.0
    in_plane_voxels: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.white <= 1 or min(self.across_voxels, self.in_plane_voxels) < 0:
            msg = f"`white` must lie in 0..1 and blurs not be negative, got {self}"
            raise UsageError(msg)

    def draw(self, shape: tuple[int, int, int], generator: torch.Generator) -> torch.Tensor:
        """Noise of unit spread and this shape."""
        blurred = blur(
            white(shape, generator),
            (self.across_voxels, self.in_plane_voxels, self.in_plane_voxels),
        )
        noise = math.sqrt(self.white) * white(shape, generator)
        noise += math.sqrt(1 - self.white) * blurred / blurred.std()
        return noise / noise.std()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as it stands in a bundle."""
        return asdict(self)
