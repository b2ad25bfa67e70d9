"""Changing the look of a real scan without moving anything."""

from __future__ import annotations

import numpy as np
import torch

from surgplan.synthesis._noise import blur, smooth, white


def perturb_scan(
    image: torch.Tensor,
    labels: torch.Tensor,
    rng: np.random.Generator,
    generator: torch.Generator,
    *,
    offset_hu: float = 45.0,
) -> torch.Tensor:
    """A real scan as another scanner or contrast phase could have shown it.

    Half of the time each labelled structure is shifted by its own offset (standard deviation
    ``offset_hu``), which keeps its real texture; then contrast, bias, blur and noise change.
    Shapes ``(slice, row, column)``; label 0 keeps its intensity.
    """
    shape = (image.shape[0], image.shape[1], image.shape[2])
    result = image.clone()
    if rng.random() < 0.5:
        offsets = rng.normal(0, offset_hu, 256).astype(np.float32)
        offsets[0] = 0
        shift = torch.from_numpy(offsets)[labels.long()]
        result += blur(shift, (0.5, 0.5, 0.5))
    result = result * float(rng.uniform(0.9, 1.1)) + float(rng.normal(0, 8))
    if rng.random() < 0.3:
        result += smooth(shape, int(rng.integers(2, 5)), generator) * float(rng.uniform(0, 12))
    if rng.random() < 0.3:
        across, in_plane = rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.8)
        result = blur(result, (float(across), float(in_plane), float(in_plane)))
    if rng.random() < 0.6:
        result += white(shape, generator) * float(rng.uniform(0, 22))
    return result
