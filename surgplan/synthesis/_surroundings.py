"""Something for a liver that was cut out to lie in."""

from __future__ import annotations

import numpy as np
import torch

from surgplan.synthesis._noise import smooth

# Fat most often, then soft organs with a look of their own, fluid, muscle, lung, bright tissue.
_NEIGHBOURS = (201, 201, 201, 203, 202, 200, 204, 220, 221, 222, 223)


def surround(
    tissue: torch.Tensor, rng: np.random.Generator, generator: torch.Generator
) -> torch.Tensor:
    """Generation labels in which unlabelled space (0) is divided among random tissues.

    For label maps that show an organ and nothing around it. ``(slice, row, column)``; labels other
    than 0 stay.
    """
    shape = (tissue.shape[0], tissue.shape[1], tissue.shape[2])
    cuts = torch.tensor([-0.8, 0.0, 0.8])
    first = torch.bucketize(smooth(shape, int(rng.integers(4, 9)), generator), cuts)
    second = torch.bucketize(smooth(shape, int(rng.integers(4, 9)), generator), cuts)
    table = torch.from_numpy(rng.choice(_NEIGHBOURS, 16)).to(tissue.dtype)
    return torch.where(tissue == 0, table[4 * first + second], tissue)
