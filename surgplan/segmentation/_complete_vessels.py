"""Vessels inside the liver, followed by their contrast where the network lost them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.segmentation._name_vessels import name_vessels
from surgplan.segmentation._native import linear_weights
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    Volume,
    box_of,
    distance_outside_mm,
    smooth_inside,
)

SMOOTH_MM = 1.0
AROUND_MM = 15.0  # parenchyma is not alike everywhere
COARSE_MM = 3.0
EDGE_MM = 3.0  # at the edge of the liver, neighbours shine in
RIM_MM = 6.0  # what lights up around a lesion is no vessel
LEAN_MM = 3.0
LEAST_NOISE_RATIO = 2.5
LEAST_ML = 1.0  # of vessels, from which their contrast can be told

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def complete_vessels(
    scan: Volume,
    labels: npt.NDArray[np.uint8],
    confidence: npt.NDArray[np.float32],
    lean: npt.NDArray[np.float32],
) -> None:
    """Let portal and hepatic veins grow through voxels that contrast with the liver as they do.

    A vessel ends where the scan, smoothed over `SMOOTH_MM`, lies half-way between the parenchyma
    around and the vessels that the network found. Parenchyma beyond that, connected to a found
    vessel, becomes the kind of vein that the network leans to thereabouts; then `name_vessels`
    names all of them. The confidence of a voxel that changes is what the network left for any
    other choice. Nothing happens where half the contrast of vessels is less than
    `LEAST_NOISE_RATIO` times the spread of the parenchyma, as without contrast agent.

    Parameters
    ----------
    scan
        CT or MR; vessels may be brighter or darker than the liver.
    labels, confidence
        ``(slice, row, column)`` on the scan's grid, of the anatomy vocabulary; changed in place.
    lean
        Same shape: by how much hepatic veins score higher than the portal vein.
    """
    vessels = np.isin(labels, (PORTAL_VEIN.label, HEPATIC_VEINS.label))
    plain = labels == LIVER.label
    if vessels.sum() * scan.geometry.voxel_volume_mm3 < 1000 * LEAST_ML or not plain.any():
        return
    spacing = scan.geometry.spacing_mm
    away = _away(scan.array.astype(np.float32), plain, vessels, spacing)
    level = float(np.median(away[vessels]))
    spread = 1.4826 * float(np.median(np.abs(away[plain] - np.median(away[plain]))))
    if abs(level) / 2 < LEAST_NOISE_RATIO * spread:
        return
    lesions = np.isin(labels, (LIVER_TUMOUR.label, LIVER_CYST.label))
    free = plain & _apart(~(plain | vessels | lesions), EDGE_MM, scan.geometry)
    free &= _apart(lesions, RIM_MM, scan.geometry)
    like_them = free & (away * np.sign(level) > abs(level) / 2)
    before = labels.copy()
    new = _connected(like_them | vessels, vessels) & like_them
    hepatic = _leaning(lean, new | vessels, spacing)[new] > 0
    labels[new] = np.where(hepatic, HEPATIC_VEINS.label, PORTAL_VEIN.label)
    name_vessels(labels, lean, before == HEPATIC_VEINS.label, scan.geometry)
    changed = labels != before
    confidence[changed] = 1 - confidence[changed]


def _apart(mask: Mask, mm: float, geometry: Geometry) -> Mask:
    """Further than this from the mask; everywhere where it is empty."""
    apart = np.ones_like(mask)
    if mask.any():
        box = box_of(mask, geometry, margin_mm=mm)
        window = Geometry(shape=mask[box].shape, affine=geometry.affine)
        apart[box] = distance_outside_mm(mask[box], window) > mm
    return apart


def _connected(mask: Mask, to: Mask) -> Mask:
    pieces, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    touched = np.unique(pieces[to])
    kept: Mask = np.isin(pieces, touched[touched > 0])
    return kept


def _leaning(lean: Array, vessels: Mask, spacing: tuple[float, ...]) -> Array:
    """What the network leans to around, not finer than it has to be."""
    step = [max(1, round(LEAN_MM / 2 / s)) for s in spacing]
    coarse = tuple(slice(None, None, n) for n in step)
    sigma = [LEAN_MM / (s * n) for s, n in zip(spacing, step, strict=True)]
    return _finer(smooth_inside(lean[coarse], vessels[coarse], sigma), step, lean.shape)


def _away(image: Array, parenchyma: Mask, vessels: Mask, spacing: tuple[float, ...]) -> Array:
    """How far the smoothed scan lies from the parenchyma around; only the liver counts."""
    liver = parenchyma | vessels
    step = [max(1, round(COARSE_MM / s)) for s in spacing]
    coarse = tuple(slice(None, None, s) for s in step)
    fine = smooth_inside(image, liver, [SMOOTH_MM / s for s in spacing])
    plain = parenchyma[coarse]
    low, high = np.percentile(fine[coarse][plain], (10, 90))
    plain = plain & (fine[coarse] >= low) & (fine[coarse] <= high)
    sigma = [AROUND_MM / (s * n) for s, n in zip(spacing, step, strict=True)]
    result: Array = fine - _finer(smooth_inside(fine[coarse], plain, sigma), step, image.shape)
    return result


def _finer(coarse: Array, step: list[int], shape: tuple[int, ...]) -> Array:
    """Every so many voxels of an array back to all of them, linearly; ends repeat."""
    slices, rows, columns = (
        linear_weights(n, np.linspace(0, (m - 1) / s, m))
        for n, s, m in zip(coarse.shape, step, shape, strict=True)
    )
    planes = torch.matmul(torch.matmul(rows, torch.from_numpy(coarse)), columns.T)
    result: Array = torch.einsum("zs,src->zrc", slices, planes).numpy()
    return result
