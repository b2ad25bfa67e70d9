"""From class scores on the network's grid to labels on the scan's own grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from surgplan.segmentation._blocks import BLOCK, Interpolation, relevant_classes
from surgplan.volume import Geometry

STEPS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """Where labels and confidence are written.

    Attributes
    ----------
    labels, confidence
        ``(slice, row, column)`` on the scan's grid.
    left_out
        A box that is filled from elsewhere later.
    """

    labels: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float32]
    left_out: tuple[slice, slice, slice] | None = None

    def leaves(self, box: tuple[slice, ...]) -> bool:
        """Whether a box lies wholly in the one that is left out."""
        if self.left_out is None:
            return False
        pairs = zip(box, self.left_out, strict=True)
        return all(b.start <= a.start and a.stop <= b.stop for a, b in pairs)


def labels_on(
    logits: torch.Tensor,
    source: Geometry,
    target: Geometry,
    *,
    temperature: float,
    out: Canvas | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Most likely class and its probability per voxel of a finer grid with the same axes.

    Scores are interpolated linearly, block by block, so that boundaries fall between the voxels
    of the coarse grid and no full stack of soft maps is ever held.

    Parameters
    ----------
    logits
        ``(classes, slice, row, column)`` on ``source``.
    source, target
        Grids whose array axes are parallel and point the same way.
    temperature
        Scores are divided by this before they become probabilities.
    out
        Arrays to fill instead of new ones.

    Returns
    -------
    labels
        ``(slice, row, column)`` uint8 on ``target``.
    confidence
        Same shape, float32 in 0..1, in steps of 1/256, so that it compresses on disk.
    """
    whole = iter((logits,))
    return labels_of_planes(whole, source, target, temperature=temperature, out=out)


def labels_of_planes(
    planes: Iterator[torch.Tensor],
    source: Geometry,
    target: Geometry,
    *,
    temperature: float,
    out: Canvas | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """The same as `labels_on` of scores that come some slices at a time and are not kept.

    Parameters
    ----------
    planes
        ``(classes, some slices, row, column)``, from the first slice of ``source`` to its last.
    source, target, temperature, out, progress
        As `labels_on` takes them.
    """
    between = Interpolation(axes=interpolation(source, target))
    out = out or Canvas(
        labels=np.empty(target.shape, dtype=np.uint8),
        confidence=np.empty(target.shape, dtype=np.float32),
    )
    labels, confidence = out.labels, out.confidence
    made_of = [torch.nonzero(row).flatten() for row in between.axes[0]]
    last_needed = np.array([int(coarse[-1]) for coarse in made_of])
    held, winners, first, done = torch.empty(0), np.empty(0, dtype=np.uint8), 0, 0
    for part in planes:
        best = part.argmax(dim=0).to(torch.uint8).numpy()
        winners = best if held.numel() == 0 else np.concatenate([winners, best])
        held = part if held.numel() == 0 else torch.cat([held, part], dim=1)
        ready = int(np.searchsorted(last_needed, first + held.shape[1]))
        for start in range(done, ready, BLOCK[0]):
            stop = min(start + BLOCK[0], ready)
            with _one_thread():
                for box, around in between.blocks(start, stop):
                    if out.leaves(box):
                        continue
                    near = (slice(around[0].start - first, around[0].stop - first), *around[1:])
                    classes = relevant_classes(held[:, *near], winners[near], temperature)
                    scores = held[:, *near][classes]
                    labels[box], confidence[box] = _choice(
                        classes, scores, between, box, around, temperature
                    )
            if progress:
                progress(stop / target.shape[0])
        done = ready
        if done < len(made_of):
            spent = int(made_of[done][0]) - first
            held, first = held[:, spent:].clone() if spent else held, first + spent
            winners = winners[spent:]
    return labels, confidence


@contextmanager
def _one_thread() -> Iterator[None]:
    """For small tensors, where threads wait for each other longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _choice(
    classes: torch.Tensor,
    near: torch.Tensor,
    between: Interpolation,
    box: tuple[slice, ...],
    around: list[slice],
    temperature: float,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Labels and confidence of one block; single numbers where one class alone can be there."""
    if len(classes) == 1:
        return classes.numpy().astype(np.uint8), np.ones(1, dtype=np.float32)
    scores = between.apply(near, box, around)
    best, index = scores.max(dim=0)
    spread = torch.exp((scores - best) / temperature).sum(dim=0)
    sure = torch.round(STEPS / spread) / STEPS
    return classes.to(torch.uint8)[index].numpy(), sure.numpy()


def scores_on(logits: torch.Tensor, source: Geometry, target: Geometry) -> torch.Tensor:
    """Scores ``(classes, slice, row, column)`` interpolated linearly on a parallel grid."""
    slices, rows, columns = interpolation(source, target)
    along_slices = torch.einsum("zs,nsrc->nzrc", slices, logits)
    return torch.matmul(torch.matmul(rows, along_slices), columns.T)


def interpolation(
    source: Geometry, target: Geometry
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Linear interpolation between parallel grids: a matrix ``(target, source)`` per axis."""
    slices, rows, columns = (
        linear_weights(n, at) for n, at in zip(source.shape, places(source, target), strict=True)
    )
    return slices, rows, columns


def places(source: Geometry, target: Geometry) -> list[npt.NDArray[np.float64]]:
    """Per axis, where the voxels of a parallel grid lie, as indices of the source."""
    start = source.to_index(target.to_lps((0, 0, 0)))
    end = source.to_index(target.to_lps(np.asarray(target.shape) - 1))
    return [np.linspace(a, b, n) for a, b, n in zip(start, end, target.shape, strict=True)]


def linear_weights(coarse: int, places: npt.NDArray[np.float64]) -> torch.Tensor:
    """Linear interpolation along one axis as a matrix ``(fine, coarse)``; ends repeat."""
    fine, position = len(places), np.clip(places, 0, coarse - 1)
    low = np.minimum(position.astype(int), max(0, coarse - 2))
    share = position - low
    matrix = np.zeros((fine, coarse), dtype=np.float32)
    at = np.arange(fine)
    matrix[at, low] += 1 - share
    if coarse > 1:
        matrix[at, low + 1] += share
    return torch.from_numpy(matrix)
