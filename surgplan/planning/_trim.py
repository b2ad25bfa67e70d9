"""Triangles trimmed to where a value is positive."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Triangles = npt.NDArray[np.int64]


def trim(columns: Values, triangles: Triangles, value: Values) -> tuple[Values, Triangles, Values]:
    """Cut triangles where a value passes zero, and drop what is not positive.

    Parameters
    ----------
    columns
        ``(n, c)`` anything known at each vertex, such as its place; linear along edges.
    triangles
        ``(m, 3)``.
    value
        ``(n,)``.

    Returns
    -------
    columns, triangles, value
        Of what is left, without vertices that nothing uses. Neighbours share the new vertices.
    """
    inside = value > 0
    count = inside[triangles].sum(axis=1)
    one = _turned(triangles[count == 1], inside)
    two = _turned(triangles[count == 2], ~inside)
    edges = np.concatenate([one[:, [0, 1]], one[:, [0, 2]], two[:, [0, 1]], two[:, [0, 2]]])
    pairs, which = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    number = which.ravel() + len(value)
    p, q, r, s = np.split(number, np.cumsum([len(one), len(one), len(two)]))
    kept = np.concatenate(
        [
            triangles[count == 3],
            np.stack([one[:, 0], p, q], axis=1),
            np.stack([r, two[:, 1], two[:, 2]], axis=1),
            np.stack([r, two[:, 2], s], axis=1),
        ]
    )
    a, b = value[pairs].T
    share = (a / np.where(a == b, 1.0, a - b))[:, None]
    crossing = columns[pairs[:, 0]] * (1 - share) + columns[pairs[:, 1]] * share
    used, renumbered = np.unique(kept, return_inverse=True)
    everything = np.concatenate([columns, crossing])
    values = np.concatenate([value, np.zeros(len(pairs))])
    return everything[used], renumbered.reshape(-1, 3), values[used]


def _turned(triangles: Triangles, first: npt.NDArray[np.bool_]) -> Triangles:
    """Triangles with one chosen vertex each, turned so that it comes first."""
    at = np.argmax(first[triangles], axis=1)
    return np.take_along_axis(triangles, (at[:, None] + np.arange(3)) % 3, axis=1)
