"""What lies between the labelled structures of a real CT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Generation label, upper limit in HU, and the range from which its mean is drawn.
_TISSUES: tuple[tuple[int, float, tuple[float, float]], ...] = (
    (200, -300.0, (-1000.0, -900.0)),  # air
    (201, -25.0, (-120.0, -70.0)),  # fat
    (202, 20.0, (-10.0, 30.0)),  # fluid and blurred edges
    (203, 90.0, (35.0, 75.0)),  # muscle and other soft tissue
    (204, 200.0, (70.0, 190.0)),  # vessels, enhancing tissue
    (205, np.inf, (180.0, 600.0)),  # bone without label, contrast medium
)

UNLABELLED: dict[int, tuple[float, float]] = {label: band for label, _, band in _TISSUES}
"""Mean HU range per generation label of unlabelled tissue."""


def unlabelled_tissue(image_hu: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Generation labels 200..205 by Hounsfield unit, ``(slice, row, column)``."""
    limits = [limit for _, limit, _ in _TISSUES[:-1]]
    tissue: npt.NDArray[np.uint8] = (200 + np.digitize(image_hu, limits)).astype(np.uint8)
    return tissue
