"""Noise fields and blur, on tensors ``(slice, row, column)``."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


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
        if sigma < 0.2:
            continue
        radius = max(1, math.ceil(2.5 * sigma))
        x = torch.arange(-radius, radius + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (x / sigma) ** 2)
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        pad = [0] * 6
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = radius
        padded = F.pad(result, pad, mode="replicate")
        result = F.conv3d(padded, (kernel / kernel.sum()).view(shape))
    return result[0, 0]
