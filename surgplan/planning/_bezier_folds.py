"""Whether a patch folds over itself, so that its sides would say nothing."""

from __future__ import annotations

import numpy as np

from surgplan.planning._bezier_surface import PatchSurface, Values
from surgplan.planning._resection import Vector

_SHARPEST_MM = 3.0
_HAIR_MM = 1e-6
_REACH_MM = 250.0
_LEAST_SINE = 0.02
_STEP = 2


def fold_of(surface: PatchSurface) -> Vector | None:
    """Where a patch or its continuation folds, within 250 mm of the patch, LPS; None if nowhere.

    A ball of 3 mm that touches the surface must not touch it anywhere else, on either side: then
    the surface neither crosses itself nor bends more sharply. And the normal may not turn over
    from one seed to the next.
    """
    rows, columns = (len(axis) for axis in surface.seed_axes())
    seed = np.arange(rows * columns).reshape(rows, columns)[::_STEP, ::_STEP]
    shape, seed = seed.shape, seed.ravel()
    u, v, jet = surface.seeded[0][seed], surface.seeded[1][seed], surface.seeded[2].take(seed)
    patch = (np.abs(u) <= 1) & (np.abs(v) <= 1)
    size = np.linalg.norm(jet.at[:, patch], axis=0).max()
    close = np.linalg.norm(jet.at, axis=0) <= size + _REACH_MM
    lengths = np.linalg.norm(jet.u, axis=0) * np.linalg.norm(jet.v, axis=0)
    area = np.linalg.norm(np.cross(jet.u, jet.v, axis=0), axis=0)
    bad = close & ~(area > _LEAST_SINE * lengths)
    normals = jet.normals
    if not bad.any():
        bad = close & _turns_over(normals.reshape(3, *shape))
    if not bad.any():
        for side in (_SHARPEST_MM, -_SHARPEST_MM):
            off = (jet.at + side * normals).T
            ask = np.flatnonzero(close)
            nearest = surface.seed_tree.query(
                off[ask], distance_upper_bound=_SHARPEST_MM + _HAIR_MM
            )
            ask = ask[nearest[1] != seed[ask]]  # else clear: its own seed, 3 mm away
            height = surface.height_mm(off[ask] + surface.centre_mm) * np.sign(side)
            bad[ask] |= height < 0.9 * _SHARPEST_MM
    if not bad.any():
        return None
    x, y, z = (float(c) for c in jet.at[:, int(np.argmax(bad))] + surface.centre_mm)
    return x, y, z


def _turns_over(normals: Values) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which seeds of a grid ``(3, rows, columns)`` have a next one that faces the other way."""
    turned = np.zeros(normals.shape[1:], dtype=bool)
    turned[:-1] |= (normals[:, :-1] * normals[:, 1:]).sum(axis=0) <= 0
    turned[:, :-1] |= (normals[:, :, :-1] * normals[:, :, 1:]).sum(axis=0) <= 0
    return turned.ravel()
