"""Fat at the rim of the liver, which a coarse network takes for liver, given back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.segmentation._postprocess import LIVER_WITH_VEINS
from surgplan.volume import (
    LIVER,
    Volume,
    distance_outside_mm,
)

FAT_HU = -100.0
RIM_MM = 4.0
SMOOTH_MM = 0.7
LEAST_NOISE_RATIO = 2.0


def give_back_fat(
    scan: Volume, labels: npt.NDArray[np.uint8], confidence: npt.NDArray[np.float32]
) -> None:
    """Take parenchyma out of the liver's rim that lies nearer to fat than to liver.

    The half level between a structure and what surrounds it is where its outline lies (partial
    volume), and fat has the same Hounsfield units in every patient. Nothing happens in MR, nor
    where the spread of the parenchyma is too large for a half level.

    Parameters
    ----------
    scan
        The image.
    labels, confidence
        ``(slice, row, column)`` on the scan's grid, of the anatomy vocabulary; changed in place.
        What is no liver any more is background, with the confidence that was left for it.
    """
    plain = labels == LIVER.label
    if scan.modality != "CT" or not plain.any():
        return
    image = scan.array.astype(np.float32)
    liver_hu = float(np.median(image[plain]))
    half_hu = (liver_hu + FAT_HU) / 2
    sigma = [SMOOTH_MM / s for s in scan.geometry.spacing_mm]
    smooth = ndimage.gaussian_filter(image, sigma)
    spread = 1.4826 * float(np.median(np.abs(smooth[plain] - liver_hu)))
    if liver_hu - half_hu < LEAST_NOISE_RATIO * spread:
        return
    outside = ~np.isin(labels, [s.label for s in LIVER_WITH_VEINS])
    fat = plain & (smooth < half_hu)
    fat &= distance_outside_mm(outside, scan.geometry) <= RIM_MM if outside.any() else False
    labels[fat] = 0
    confidence[fat] = 1 - confidence[fat]
