"""Texture in numbers, without any network: first-order statistics and grey-level co-occurrence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kurtosis, skew

from surgplan.errors import UsageError

LOWEST_HU, BIN_HU, BINS = -150.0, 25.0, 16
"""Grey levels: the first begins at the lowest, the last has no end."""

DISTANCES = (1, 2, 4)
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)

Array = npt.NDArray[np.float64]


def texture_features(patches: Sequence[npt.NDArray[Any]]) -> Array:
    """Radiomic features of patches of CT, ``(n, 27)``.

    Of voxels above -150 HU: mean, spread, skewness, kurtosis and five quantiles; then for
    neighbours 1, 2 and 4 voxels apart along the three axes contrast, dissimilarity, correlation,
    energy, homogeneity and entropy of the co-occurrence of grey levels of 25 HU (Haralick 1973,
    https://doi.org/10.1109/TSMC.1973.4309314; names as in the IBSI,
    https://doi.org/10.1148/radiol.2020191145).

    Raises
    ------
    UsageError
        If a patch shows air alone.
    """
    return np.array([_features(np.asarray(patch, dtype=np.float64)) for patch in patches])


def _features(patch: Array) -> list[float]:
    body = patch > LOWEST_HU
    if body.sum() < 2:
        msg = f"a patch without two voxels above {LOWEST_HU:g} HU has no texture"
        raise UsageError(msg)
    grey = np.clip((patch - LOWEST_HU) // BIN_HU, 0, BINS - 1).astype(np.int64)
    seen = np.minimum(patch[body], LOWEST_HU + BINS * BIN_HU)
    first = [seen.mean(), seen.std(), skew(seen), kurtosis(seen), *np.quantile(seen, _QUANTILES)]
    pairs = [x for d in DISTANCES for x in _haralick(_co_occurrence(grey, body, d))]
    return [float(x) for x in np.nan_to_num([*first, *pairs])]


def _co_occurrence(grey: npt.NDArray[np.int64], body: npt.NDArray[np.bool_], apart: int) -> Array:
    """Share of each pair of grey levels, ``(BINS, BINS)``, either way round."""
    counts = np.zeros(BINS * BINS)
    for axis in range(3):
        ends = [np.s_[:-apart], np.s_[apart:]]
        one, other = (tuple(e if a == axis else np.s_[:] for a in range(3)) for e in ends)
        both = body[one] & body[other]
        pair = grey[one][both] * BINS + grey[other][both]
        counts += np.bincount(pair, minlength=BINS * BINS)
    table = counts.reshape(BINS, BINS)
    total = table + table.T
    shares: Array = total / max(1.0, float(total.sum()))
    return shares


def _haralick(shares: Array) -> list[float]:
    row, column = np.mgrid[:BINS, :BINS]
    away = np.abs(row - column)
    middle = (row * shares).sum()
    spread = ((row - middle) ** 2 * shares).sum()
    known = shares[shares > 0]
    return [
        (away**2 * shares).sum(),
        (away * shares).sum(),
        ((row - middle) * (column - middle) * shares).sum() / max(float(spread), 1e-9),
        (shares**2).sum(),
        (shares / (1 + away**2)).sum(),
        -(known * np.log2(known)).sum(),
    ]
