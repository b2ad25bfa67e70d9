"""From class scores on the network's grid to labels on the scan's own grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from surgplan.volume import Geometry

STEPS = 256


def labels_on(
    logits: torch.Tensor,
    source: Geometry,
    target: Geometry,
    *,
    temperature: float,
    progress: Callable[[float], None] | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Most likely class and its probability per voxel of a finer grid with the same axes.

    Scores are interpolated linearly, plane by plane, so that boundaries fall between the voxels of
    the coarse grid and no full stack of soft maps is ever held.

    Parameters
    ----------
    logits
        ``(classes, slice, row, column)`` on ``source``.
    source, target
        Grids whose array axes are parallel and point the same way.
    temperature
        Scores are divided by this before they become probabilities.

    Returns
    -------
    labels
        ``(slice, row, column)`` uint8 on ``target``.
    confidence
        Same shape, float32 in 0..1, in steps of 1/256, so that it compresses on disk.
    """
    start = source.to_index(target.to_lps((0, 0, 0)))
    end = source.to_index(target.to_lps(np.asarray(target.shape) - 1))
    weights = [
        _weights(n, a, b, m)
        for n, a, b, m in zip(logits.shape[1:], start, end, target.shape, strict=True)
    ]
    labels = np.empty(target.shape, dtype=np.uint8)
    confidence = np.empty(target.shape, dtype=np.float32)
    rows, columns = weights[1], weights[2].T.contiguous()
    # Rows and columns first for each coarse plane would hold too much; one fine plane at a time.
    for k in range(target.shape[0]):
        near = torch.nonzero(weights[0][k]).flatten()
        plane = torch.einsum("n,cnrs->crs", weights[0][k][near], logits[:, near])
        scores = torch.matmul(torch.matmul(rows, plane), columns)
        best, index = scores.max(dim=0)
        labels[k] = index.numpy().astype(np.uint8)
        spread = torch.exp((scores - best) / temperature).sum(dim=0)
        confidence[k] = (torch.round(STEPS / spread) / STEPS).numpy()
        if progress and k % 8 == 0:
            progress(k / target.shape[0])
    return labels, confidence


def _weights(coarse: int, start: float, end: float, fine: int) -> torch.Tensor:
    """Linear interpolation along one axis as a matrix ``(fine, coarse)``; ends repeat."""
    position = np.clip(np.linspace(start, end, fine), 0, coarse - 1)
    low = np.minimum(position.astype(int), max(0, coarse - 2))
    share = position - low
    matrix = np.zeros((fine, coarse), dtype=np.float32)
    at = np.arange(fine)
    matrix[at, low] += 1 - share
    if coarse > 1:
        matrix[at, low + 1] += share
    return torch.from_numpy(matrix)
