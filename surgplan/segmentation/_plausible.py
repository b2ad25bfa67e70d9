"""Which of the lesions that a network calls can be lesions of the liver."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

LEAST_TUMOUR_ML = 0.3  # a ball of 4.2 mm radius
CORE_MM = 3.0
LEAST_SHARE_IN_LIVER = 0.25

Mask = npt.NDArray[np.bool_]


def plausible_lesions(lesion: Mask, rest: Mask, spacing_mm: tuple[float, float, float]) -> Mask:
    """The part of a lesion mask that is thick enough and grows in the liver.

    Fat in a fissure and the blurred edge of the liver are darker than parenchyma too, but thin:
    what a ball of `CORE_MM` does not fit into goes (morphological opening). What is left must have
    `LEAST_TUMOUR_ML`, and a quarter of its surface must border on the rest of the liver, else it
    belongs to a neighbour.

    Parameters
    ----------
    lesion
        ``(slice, row, column)`` voxels called tumour or cyst.
    rest
        Same shape, the other voxels of the liver.
    spacing_mm
        Millimetres along (slice, row, column).
    """
    if not lesion.any():
        return lesion
    core = ndimage.distance_transform_edt(np.pad(lesion, 1), sampling=spacing_mm) > CORE_MM
    if not core.any():
        return np.zeros_like(lesion)
    inner = (slice(1, -1),) * 3
    reach = CORE_MM + max(spacing_mm)  # a voxel more, so that no lesion loses its outermost ones
    near = ndimage.distance_transform_edt(~core, sampling=spacing_mm)[inner] <= reach
    pieces, count = ndimage.label(lesion & near)
    least = LEAST_TUMOUR_ML * 1000 / float(np.prod(spacing_mm))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    around = ndimage.grey_dilation(pieces, size=(3, 3, 3)) * (pieces == 0)
    shell = np.bincount(around.ravel(), minlength=count + 1)
    in_liver = np.bincount(around[rest], minlength=count + 1)
    kept = (sizes >= least) & (in_liver >= LEAST_SHARE_IN_LIVER * np.maximum(shell, 1))
    kept[0] = False
    result: Mask = kept[pieces]
    return result
