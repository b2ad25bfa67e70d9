"""A network run over a volume in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from surgplan.segmentation._engine import Forward

SIGMA_SCALE = 0.125
LEAST_WEIGHT = 1e-3


def sliding_logits(
    image: torch.Tensor,
    forward: Forward,
    *,
    window: tuple[int, int, int],
    overlap: float,
    progress: Callable[[float], None] | None = None,
) -> torch.Tensor:
    """Class scores of a whole volume, blended with Gaussian weights as MONAI's inferer does.

    Parameters
    ----------
    image
        ``(channels, slice, row, column)`` as the network sees it; where smaller than the window,
        padded with its least value.
    forward
        ``(1, channels, s, r, c)`` to ``(1, classes, s, r, c)``.
    window
        Voxels per pass.
    overlap
        Share of a window that the next one covers again.
    progress
        Called with the fraction done.

    Returns
    -------
    torch.Tensor
        ``(classes, slice, row, column)`` float32.
    """
    pad = [max(0, w - n) for w, n in zip(window, image.shape[1:], strict=True)]
    before = [p // 2 for p in pad]
    flat = [x for b, p in zip(before[::-1], pad[::-1], strict=True) for x in (b, p - b)]
    padded = F.pad(image, flat, value=float(image.min()))
    places = [_starts(n, w, overlap) for n, w in zip(padded.shape[1:], window, strict=True)]
    weight = _gaussian(window)
    total: torch.Tensor | None = None
    done, count = 0, len(places[0]) * len(places[1]) * len(places[2])
    norm = torch.zeros(padded.shape[1:])
    for z in places[0]:
        for y in places[1]:
            for x in places[2]:
                box = (
                    slice(z, z + window[0]), slice(y, y + window[1]), slice(x, x + window[2])
                )  # fmt: skip
                scores = forward(padded[(slice(None), *box)][None])[0].float()
                if total is None:
                    total = torch.zeros((scores.shape[0], *padded.shape[1:]))
                total[(slice(None), *box)] += scores * weight
                norm[box] += weight
                done += 1
                if progress:
                    progress(done / count)
    if total is None:
        msg = "no window fits"
        raise RuntimeError(msg)
    inner = tuple(slice(b, b + n) for b, n in zip(before, image.shape[1:], strict=True))
    return (total / norm)[(slice(None), *inner)]


def window_count(shape: tuple[int, ...], window: tuple[int, int, int], overlap: float) -> int:
    """How many windows a volume takes."""
    sides = [len(_starts(max(n, w), w, overlap)) for n, w in zip(shape, window, strict=True)]
    return sides[0] * sides[1] * sides[2]


def _starts(size: int, window: int, overlap: float) -> list[int]:
    step = max(1, int(window * (1 - overlap)))
    count = int(np.ceil((size - window) / step)) + 1
    return [min(i * step, size - window) for i in range(count)]


def _gaussian(window: tuple[int, int, int]) -> torch.Tensor:
    weight = torch.ones(window)
    for axis, n in enumerate(window):
        x = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
        shape = [1, 1, 1]
        shape[axis] = n
        weight = weight * torch.exp(-0.5 * (x / (SIGMA_SCALE * n)) ** 2).view(shape)
    return weight.clamp_min(LEAST_WEIGHT)
