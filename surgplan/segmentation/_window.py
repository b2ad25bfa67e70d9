"""A network run over a volume in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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

    Takes what `finished_planes` takes.

    Returns
    -------
    torch.Tensor
        ``(classes, slice, row, column)`` float32.
    """
    total: torch.Tensor | None = None
    done = 0
    for planes in finished_planes(
        image, forward, window=window, overlap=overlap, progress=progress
    ):
        if total is None:
            total = torch.empty((len(planes), *image.shape[1:]))
        total[:, done : done + planes.shape[1]] = planes
        done += planes.shape[1]
    if total is None:
        msg = "no window fits"
        raise RuntimeError(msg)
    return total


def finished_planes(
    image: torch.Tensor,
    forward: Forward,
    *,
    window: tuple[int, int, int],
    overlap: float,
    outside: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Iterator[torch.Tensor]:
    """Class scores of planes that no later window touches, from the first to the last.

    No more than the scores of one window's depth are ever held.

    Parameters
    ----------
    image
        ``(channels, slice, row, column)`` as the network sees it.
    forward
        ``(1, channels, s, r, c)`` to ``(1, classes, s, r, c)``.
    window
        Voxels per pass.
    overlap
        Share of a window that the next one covers again.
    outside
        What an image smaller than the window is padded with; None takes its least value.
    progress
        Called with the fraction done.

    Yields
    ------
    torch.Tensor
        ``(classes, some slices, row, column)`` float32, one after the other.
    """
    pad = [max(0, w - n) for w, n in zip(window, image.shape[1:], strict=True)]
    before = [p // 2 for p in pad]
    flat = [x for b, p in zip(before[::-1], pad[::-1], strict=True) for x in (b, p - b)]
    padded = F.pad(image, flat, value=float(image.min()) if outside is None else outside)
    places = [_starts(n, w, overlap) for n, w in zip(padded.shape[1:], window, strict=True)]
    inner = [slice(b, b + n) for b, n in zip(before, image.shape[1:], strict=True)]
    weight = _gaussian(window)
    open_: torch.Tensor | None = None
    norm = torch.zeros((window[0], *padded.shape[2:]))
    for n, z in enumerate(places[0]):
        for across in _across(places[1], places[2], window):
            part = padded[(slice(None), slice(z, z + window[0]), *across)]
            scores = forward(part[None])[0].float()
            if open_ is None:
                open_ = torch.zeros((len(scores), *norm.shape))
            open_[(..., *across)] += scores * weight
            norm[(..., *across)] += weight
        if open_ is None:
            return
        # What lies before the next window is done; the last one closes everything.
        closed = (places[0][n + 1] if n + 1 < len(places[0]) else z + window[0]) - z
        mine = slice(max(0, inner[0].start - z), min(closed, inner[0].stop - z))
        if mine.start < mine.stop:
            yield open_[:, mine, inner[1], inner[2]] / norm[mine, inner[1], inner[2]]
        for buffer in (open_, norm):
            kept = buffer[..., closed:, :, :].clone()
            buffer.zero_()
            buffer[..., : window[0] - closed, :, :] = kept
        if progress:
            progress((n + 1) / len(places[0]))


def _across(
    rows: list[int], columns: list[int], window: tuple[int, int, int]
) -> list[tuple[slice, slice]]:
    return [(slice(y, y + window[1]), slice(x, x + window[2])) for y in rows for x in columns]


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
