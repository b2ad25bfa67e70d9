"""The colours of margins, the same on the cut, on slices and on the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Band:
    """Distances to the nearest tumour that share a colour (red, green, blue, 0..1)."""

    word: str
    low_mm: float
    high_mm: float
    colour: tuple[float, float, float]


BANDS: tuple[Band, ...] = (
    Band(word="< 1 mm", low_mm=-1.0, high_mm=1.0, colour=(0.80, 0.05, 0.20)),
    Band(word="1–5 mm", low_mm=1.0, high_mm=5.0, colour=(0.96, 0.48, 0.10)),
    Band(word="5–10 mm", low_mm=5.0, high_mm=10.0, colour=(1.00, 0.86, 0.25)),
    Band(word="> 10 mm", low_mm=10.0, high_mm=1e7, colour=(0.36, 0.75, 0.87)),
)
"""Told apart with impaired colour vision too: from dark red over yellow to light blue."""


def band_of(margin_mm: Values) -> npt.NDArray[np.int64]:
    """Which band margins ``(...)`` fall into; inf, where there is no tumour, into the last."""
    edges = [band.low_mm for band in BANDS[1:]]
    return np.searchsorted(edges, np.nan_to_num(margin_mm, posinf=1e6), side="right")


def colours_of(margin_mm: Values) -> npt.NDArray[np.float32]:
    """``(..., 3)`` colours of margins ``(...)``."""
    return np.array([band.colour for band in BANDS], dtype=np.float32)[band_of(margin_mm)]
