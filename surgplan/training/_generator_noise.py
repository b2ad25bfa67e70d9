"""The shape of measured noise: how far neighbours go together, and which mix does likewise."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from surgplan.synthesis import NoiseShape, gaussian

LAGS = 3
"""Neighbours up to so many voxels apart are compared."""

ACROSS, IN_PLANE = (0,), (1, 2)
_WHITE = np.linspace(0, 1, 41)
_BLURS = np.arange(0.3, 3.01, 0.05)

Array = npt.NDArray[np.float64]


class Neighbours:
    """Products of values up to `LAGS` voxels apart, added up patch by patch."""

    def __init__(self) -> None:
        self.products = np.zeros((2, LAGS))  # across slices, in them
        self.squares = np.zeros((2, LAGS))

    def add(self, values: npt.NDArray[np.float32], counts: npt.NDArray[np.bool_]) -> None:
        """Pairs of a patch ``(slice, row, column)`` of which both count."""
        for row, axes in enumerate((ACROSS, IN_PLANE)):
            for axis, lag in product(axes, range(1, LAGS + 1)):
                value, count = np.moveaxis(values, axis, 0), np.moveaxis(counts, axis, 0)
                both = count[lag:] & count[:-lag]
                a, b = value[lag:][both], value[:-lag][both]
                self.products[row, lag - 1] += float((a * b).sum())
                self.squares[row, lag - 1] += float((a**2 + b**2).sum()) / 2

    @property
    def known(self) -> bool:
        """Whether anything was counted."""
        return bool((self.squares > 0).all())

    @property
    def correlation(self) -> Array:
        """``(2, LAGS)``: across slices, and in them."""
        return self.products / np.maximum(self.squares, 1e-9)

    def shape(self) -> NoiseShape:
        """The mix of white and blurred noise whose neighbours correlate most nearly alike."""
        if not self.known:
            return NoiseShape(white=1.0)
        blurred = np.array([_correlation(sigma) for sigma in _BLURS])
        # misfit of each share of white and each blur: (share, blur), across and in the plane
        across, in_plane = (
            (((1 - _WHITE)[:, None, None] * blurred - row) ** 2).sum(axis=-1)
            for row in self.correlation
        )
        share = int((across.min(axis=1) + in_plane.min(axis=1)).argmin())
        return NoiseShape(
            white=round(float(_WHITE[share]), 3),
            across_voxels=round(float(_BLURS[across[share].argmin()]), 2),
            in_plane_voxels=round(float(_BLURS[in_plane[share].argmin()]), 2),
        )


def _correlation(sigma_voxels: float) -> Array:
    """Of white noise after a blur, neighbours 1 to `LAGS` voxels apart."""
    kernel = gaussian(sigma_voxels).numpy().astype(np.float64)
    whole = np.correlate(kernel, kernel, mode="full")
    middle = len(kernel) - 1
    found = np.zeros(LAGS)
    reach = min(LAGS, len(whole) - 1 - middle)
    found[:reach] = whole[middle + 1 : middle + 1 + reach] / whole[middle]
    return found
