"""Smoothing that does not look outside a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def smooth_inside(
    image: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
    sigma_voxels: float | Sequence[float],
) -> npt.NDArray[np.float32]:
    """Gaussian mean of the voxels of a mask; far from the mask it means nothing.

    Parameters
    ----------
    image, mask
        ``(slice, row, column)``.
    sigma_voxels
        One for all axes, or one for each.
    """
    share = ndimage.gaussian_filter(mask.astype(np.float32), sigma_voxels)
    total = ndimage.gaussian_filter(np.where(mask, image, 0).astype(np.float32), sigma_voxels)
    result: npt.NDArray[np.float32] = total / np.maximum(share, 1e-3)
    return result
