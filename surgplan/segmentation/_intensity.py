"""Voxel values to what the network sees."""

from __future__ import annotations

import torch

from surgplan.volume import Modality

CT_WINDOW_HU = (-200.0, 300.0)


def normalise(image: torch.Tensor, modality: Modality) -> torch.Tensor:
    """Scale an image to -1..1.

    CT: Hounsfield units clipped to `CT_WINDOW_HU`. MR: the 1st to the 99th percentile of the
    voxels that are not background (0), clipped.
    """
    return scale(image.float(), *limits(image, modality))


def limits(image: torch.Tensor, modality: Modality) -> tuple[float, float]:
    """The values that `normalise` maps to -1 and to 1."""
    return CT_WINDOW_HU if modality == "CT" else percentiles(image[image != 0])


def scale(image: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Map ``low`` to -1 and ``high`` to 1, clipped."""
    return ((image - low) / max(high - low, 1e-6)).clamp(0, 1) * 2 - 1


def percentiles(values: torch.Tensor) -> tuple[float, float]:
    """The 1st and the 99th percentile, from at most a million evenly spread values."""
    if values.numel() == 0:
        return 0.0, 1.0
    step = max(1, values.numel() // 1_000_000)
    sample = values.flatten()[::step].float().sort().values
    last = len(sample) - 1
    return float(sample[round(0.01 * last)]), float(sample[round(0.99 * last)])
