"""Interpolated scores, block by block, of those classes alone that can matter there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Span = tuple[int, int]

BLOCK = (16, 64, 64)
NEGLIGIBLE = 6.0
"""A class that stays this far below another has less than 1/400 of its probability."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Interpolation:
    """Linear interpolation from a coarse grid to a finer, parallel one.

    Attributes
    ----------
    axes
        One matrix ``(fine, coarse)`` per array axis.
    """

    axes: tuple[torch.Tensor, torch.Tensor, torch.Tensor]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the finer grid."""
        slices, rows, columns = (len(matrix) for matrix in self.axes)
        return slices, rows, columns

    def blocks(self, start: int, stop: int) -> Iterator[tuple[tuple[slice, ...], list[slice]]]:
        """Boxes of the finer grid between two slices, and the coarse boxes around each."""
        spans = [_spans(start, stop, BLOCK[0])]
        spans += [_spans(0, n, b) for n, b in zip(self.shape[1:], BLOCK[1:], strict=True)]
        around = [
            [_support(m, *s) for s in every] for m, every in zip(self.axes, spans, strict=True)
        ]
        for z, near_z in zip(spans[0], around[0], strict=True):
            for y, near_y in zip(spans[1], around[1], strict=True):
                for x, near_x in zip(spans[2], around[2], strict=True):
                    yield (slice(*z), slice(*y), slice(*x)), [near_z, near_y, near_x]

    def apply(
        self, scores: torch.Tensor, box: tuple[slice, ...], around: list[slice]
    ) -> torch.Tensor:
        """Scores ``(classes, ...)`` of a coarse box on a box of the finer grid."""
        slices, rows, columns = (
            matrix[fine, near] for matrix, fine, near in zip(self.axes, box, around, strict=True)
        )
        flat = scores.flatten(2)
        deep = torch.matmul(slices, flat).unflatten(2, scores.shape[2:])
        return torch.matmul(torch.matmul(rows, deep), columns.T)


def relevant_classes(
    scores: torch.Tensor, winner: npt.NDArray[np.uint8], temperature: float
) -> torch.Tensor:
    """Classes that can be the most likely one, or matter to its probability, between the voxels.

    An interpolated score is a mean of those around it, so a class that lies below another one, or
    below the mean of several, at every voxel around lies below it in between.

    Parameters
    ----------
    scores
        ``(classes, slice, row, column)``.
    winner
        ``(slice, row, column)``, the class with the highest score.
    temperature
        Scores are divided by this before they become probabilities.

    Returns
    -------
    torch.Tensor
        Rising class numbers.
    """
    flat = scores.flatten(1)
    winners = torch.from_numpy(np.flatnonzero(np.bincount(winner.ravel())))
    rivals = flat[winners]
    if len(winners) > 1:
        rivals = torch.cat([rivals, rivals.mean(dim=0, keepdim=True)])
    closest = (flat[:, None] - rivals[None]).amax(dim=2).amin(dim=1)
    kept = closest > -NEGLIGIBLE * temperature
    kept[winners] = True
    return torch.nonzero(kept).flatten()


def _spans(start: int, stop: int, step: int) -> list[Span]:
    return [(a, min(a + step, stop)) for a in range(start, stop, step)]


def _support(matrix: torch.Tensor, start: int, stop: int) -> slice:
    """The coarse indices that a span of fine ones is made of."""
    used = torch.nonzero(matrix[start:stop].sum(dim=0)).flatten()
    return slice(int(used[0]), int(used[-1]) + 1)
