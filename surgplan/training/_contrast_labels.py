"""Labels for what stands out inside a labelled liver of a contrast-enhanced scan."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import MCP_Geometric

from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_TUMOUR, larger_pieces, smooth_inside

DARK_HU = -22.0
BRIGHT_HU = 20.0
AROUND_MM = 15.0  # vessels are brighter than the parenchyma around, which is not alike everywhere
RIM_MM = 8.0  # what lights up around a lesion is no vessel
EDGE_MM = 5.0  # at the edge of the liver, fat makes voxels dark
LEAST_LESION_ML = 2.0
LEAST_VESSEL_ML = 0.2


def label_by_contrast(
    image_hu: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    spacing_mm: float,
    seeds: Mapping[int, npt.NDArray[np.int64]] | None = None,
) -> npt.NDArray[np.uint8]:
    """Dark lesions as tumour and bright vessels as veins, inside the parenchyma.

    A portal-phase scan with a liver label teaches what real lesions and vessels look like, though
    nobody drew them: the scan, smoothed over 2 mm without looking outside the liver, lies
    `DARK_HU` below the parenchyma's median, or, smoothed over 1 mm, `BRIGHT_HU` above the
    parenchyma around it.

    Parameters
    ----------
    image_hu, labels
        ``(slice, row, column)`` on one isotropic grid; labels of the anatomy vocabulary.
    spacing_mm
        Of that grid.
    seeds
        Label to the indices ``(n, 3)`` of places in vessels of that kind: a vessel takes the
        label of the seed that is nearest along vessels, and one without a seed stays parenchyma.
        Without seeds all vessels are hepatic veins, and the source should merge the two kinds.
    """
    liver = labels == LIVER.label
    result = labels.copy()
    if not liver.any():
        return result
    median = float(np.median(image_hu[liver]))
    dark = liver & (smooth_inside(image_hu, liver, 2.0 / spacing_mm) < median + DARK_HU)
    reach = max(1, round(EDGE_MM / spacing_mm))
    least_lesion = LEAST_LESION_ML * 1000 / spacing_mm**3
    inner = dark & ndimage.binary_erosion(liver, iterations=reach)
    core = larger_pieces(inner, voxels=least_lesion)
    if core.any():
        result[dark & ndimage.binary_dilation(core, iterations=reach)] = LIVER_TUMOUR.label
    bright = _bright(image_hu, liver, median, spacing_mm)
    bright &= ~_within(result == LIVER_TUMOUR.label, RIM_MM / spacing_mm)
    if seeds is None:
        result[bright] = HEPATIC_VEINS.label
    else:
        result = np.where(bright, _by_seeds(bright, seeds, LIVER.label), result)
    return result


def _bright(
    image: npt.NDArray[np.float32], liver: npt.NDArray[np.bool_], median: float, spacing_mm: float
) -> npt.NDArray[np.bool_]:
    fine = smooth_inside(image, liver, 1.0 / spacing_mm)
    plain = liver & (np.abs(fine - median) < 2 * BRIGHT_HU)
    around = smooth_inside(image, plain, AROUND_MM / spacing_mm)
    inner = ndimage.binary_erosion(liver, iterations=max(1, round(3.0 / spacing_mm)))
    least_vessel = LEAST_VESSEL_ML * 1000 / spacing_mm**3
    return larger_pieces(inner & (fine > around + BRIGHT_HU), voxels=least_vessel)


def _within(mask: npt.NDArray[np.bool_], voxels: float) -> npt.NDArray[np.bool_]:
    if not mask.any():
        return mask
    near: npt.NDArray[np.bool_] = ndimage.distance_transform_edt(~mask) <= voxels
    return near


def _by_seeds(
    vessel: npt.NDArray[np.bool_], seeds: Mapping[int, npt.NDArray[np.int64]], otherwise: int
) -> npt.NDArray[np.uint8]:
    """The label of the seed that is nearest along the vessels."""
    cost = np.where(vessel, 1.0, np.inf)
    nearest = np.full(vessel.shape, np.inf)
    result = np.full(vessel.shape, otherwise, dtype=np.uint8)
    inside = np.argwhere(vessel)
    for label, places in seeds.items():
        starts = [inside[np.argmin(((inside - at) ** 2).sum(1))] for at in places]
        far, _ = MCP_Geometric(cost).find_costs([tuple(int(i) for i in s) for s in starts])
        result[far < nearest] = label
        nearest = np.minimum(nearest, far)
    return result
