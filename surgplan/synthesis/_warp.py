"""Random spatial warps of a patch out of a larger grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation


@dataclass(frozen=True, kw_only=True)
class WarpSettings:
    """How far a patch may be stretched, turned and bent.

    Attributes
    ----------
    log_scale
        Each axis is scaled by e^U(-log_scale, log_scale).
    rotation_deg
        Standard deviation of the rotation about each axis.
    bend_voxels
        Largest displacement of an elastic control point.
    control_points
        Fewest and most control points per axis.
    """

    log_scale: float = 0.22
    rotation_deg: float = 7.0
    bend_voxels: float = 6.0
    control_points: tuple[int, int] = (3, 7)


def sampling_grid(
    patch: tuple[int, int, int],
    centre: tuple[float, float, float],
    settings: WarpSettings,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Where each patch voxel is read from, as array indices ``(slice, row, column, 3)``."""
    scale = np.exp(rng.uniform(-settings.log_scale, settings.log_scale, 3))
    turn = Rotation.from_euler("xyz", rng.normal(0, settings.rotation_deg, 3), degrees=True)
    matrix = torch.from_numpy((turn.as_matrix() * scale).astype(np.float32))
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in patch]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) @ matrix.T
    points = int(rng.integers(settings.control_points[0], settings.control_points[1] + 1))
    reach = float(rng.uniform(0, settings.bend_voxels)) * 3 / points
    control = rng.uniform(-reach, reach, (1, 3, points, points, points)).astype(np.float32)
    bend = F.interpolate(
        torch.from_numpy(control), size=patch, mode="trilinear", align_corners=True
    )
    return grid + bend[0].permute(1, 2, 3, 0) + torch.tensor(centre, dtype=torch.float32)


def warp(array: torch.Tensor, grid: torch.Tensor, *, mode: str, outside: float) -> torch.Tensor:
    """Read ``(slice, row, column)`` at a sampling grid; ``mode`` is 'bilinear' or 'nearest'."""
    size = torch.tensor(array.shape, dtype=torch.float32)
    normalised = (2 * grid / (size - 1) - 1).flip(-1)[None]
    shifted = (array - outside)[None, None]
    return (
        F.grid_sample(shifted, normalised, mode=mode, padding_mode="zeros", align_corners=True)[
            0, 0
        ]
        + outside
    )
