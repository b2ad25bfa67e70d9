"""Labels for what stands out inside a labelled liver of a contrast-enhanced scan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_TUMOUR

DARK_HU = -22.0
BRIGHT_HU = 28.0
EDGE_MM = 5.0  # at the edge of the liver, fat makes voxels dark
LEAST_LESION_ML = 2.0
LEAST_VESSEL_ML = 0.2


def label_by_contrast(
    image_hu: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], spacing_mm: float
) -> npt.NDArray[np.uint8]:
    """Dark lesions as tumour and bright vessels as hepatic veins, inside the parenchyma.

    A portal-phase scan with a liver label teaches what real lesions and vessels look like, though
    nobody drew them: the scan, smoothed over 2 mm (vessels: 1 mm) without looking outside the
    liver, lies `DARK_HU` below or `BRIGHT_HU` above the parenchyma's median. Which vein it is
    cannot be told this way; the source should merge portal and hepatic veins.

    Parameters
    ----------
    image_hu, labels
        ``(slice, row, column)`` on one isotropic grid; labels of the anatomy vocabulary.
    spacing_mm
        Of that grid.
    """
    liver = labels == LIVER.label
    result = labels.copy()
    if not liver.any():
        return result
    median = float(np.median(image_hu[liver]))
    least_lesion = LEAST_LESION_ML * 1000 / spacing_mm**3
    least_vessel = LEAST_VESSEL_ML * 1000 / spacing_mm**3
    dark = liver & (_smooth_inside(image_hu, liver, 2.0 / spacing_mm) < median + DARK_HU)
    inner = ndimage.binary_erosion(liver, iterations=max(1, round(3.0 / spacing_mm)))
    bright = inner & (_smooth_inside(image_hu, liver, 1.0 / spacing_mm) > median + BRIGHT_HU)
    result[_at_least(bright, least_vessel)] = HEPATIC_VEINS.label
    reach = max(1, round(EDGE_MM / spacing_mm))
    core = _at_least(dark & ndimage.binary_erosion(liver, iterations=reach), least_lesion)
    if core.any():
        result[dark & ndimage.binary_dilation(core, iterations=reach)] = LIVER_TUMOUR.label
    return result


def _smooth_inside(
    image: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_], sigma: float
) -> npt.NDArray[np.float32]:
    share = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    smoothed = ndimage.gaussian_filter(np.where(mask, image, 0).astype(np.float32), sigma)
    result: npt.NDArray[np.float32] = smoothed / np.maximum(share, 1e-3)
    return result


def _at_least(mask: npt.NDArray[np.bool_], voxels: float) -> npt.NDArray[np.bool_]:
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept: npt.NDArray[np.bool_] = (sizes >= voxels)[pieces]
    return kept
