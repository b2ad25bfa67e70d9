"""Vessels that share a label, told apart by what they are connected to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from surgplan.errors import NothingToDoError
from surgplan.volume import (
    HEPATIC_VEINS,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
    box_of,
    close_mm,
)

_CAVA_RADIUS_MM = 6.5
"""Thinner than this is no vena cava of an adult, thicker no hepatic vein away from it."""

_CAVA_CORE = 0.6
_GROOVE_MM = 8.0
_TOUCH_MM = 3.0

Mask = npt.NDArray[np.bool_]


def split_cava(veins: Mask, cava: Mask, geometry: Geometry) -> tuple[Mask, Mask]:
    """Hepatic veins up to the wall of the vena cava, and the vena cava.

    Parameters
    ----------
    veins
        ``(slice, row, column)``, with or without the vena cava.
    cava
        The vena cava where it has a label of its own; where it is empty, it is what balls of 0.6
        times the largest radius reach within the veins (morphological opening).
    geometry
        Grid of both.

    Returns
    -------
    tuple
        The two masks; that of the vena cava is empty where nothing is thick enough.
    """
    if not cava.any():
        cava = _thick_part(veins, geometry)
    if cava.any():  # a label that cuts a groove into the vena cava is vena cava there
        cava = close_mm(cava, geometry, radius_mm=_GROOVE_MM)
    return veins & ~cava, cava


def _thick_part(mask: Mask, geometry: Geometry) -> Mask:
    cava = np.zeros_like(mask)
    if not mask.any():
        return cava
    box = box_of(mask, geometry)
    padded = np.pad(mask[box], 1)
    depth = ndimage.distance_transform_edt(padded, sampling=geometry.spacing_mm)
    thickest = float(depth.max())
    if thickest < _CAVA_RADIUS_MM:
        return cava
    core = max(_CAVA_CORE * thickest, 0.8 * _CAVA_RADIUS_MM)
    pieces, _ = ndimage.label(depth >= core)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    away = ndimage.distance_transform_edt(
        pieces != int(np.argmax(sizes)), sampling=geometry.spacing_mm
    )
    inner = (slice(1, -1),) * 3
    cava[box] = (padded & (away <= core))[inner]
    return cava


def separate_vessels(label_map: LabelMap, merged: Mask) -> LabelMap:
    """Divide vessels of one mask between the portal and the hepatic tree.

    Each voxel goes to the system to which the widest way through the mask leads: a watershed of
    the distance to the wall, flooded from the portal trunk and from the vena cava. Where the trees
    touch, they part at the narrowest place.

    Parameters
    ----------
    label_map
        With what is known: the portal vein (its trunk will do), and the vena cava or a part of
        the hepatic veins. What it labels already stays.
    merged
        ``(slice, row, column)`` vessels of both systems on the same grid.

    Returns
    -------
    LabelMap
        The same with portal vein and hepatic veins completed. What is connected to neither stays
        unlabelled.

    Raises
    ------
    NothingToDoError
        If the portal trunk, or vena cava and hepatic veins, are missing: nothing tells them apart.
    """
    portal = label_map.mask(PORTAL_VEIN)
    veins = label_map.mask(VENA_CAVA, HEPATIC_VEINS)
    if not portal.any() or not veins.any():
        msg = (
            "merged vessels are told apart by the portal trunk and the vena cava; label both first"
        )
        raise NothingToDoError(msg)
    everything = merged | portal | veins
    box = box_of(everything, label_map.geometry, margin_mm=_TOUCH_MM)
    spacing = label_map.geometry.spacing_mm
    depth = ndimage.distance_transform_edt(everything[box], sampling=spacing).astype(np.float32)
    seeds = np.zeros(depth.shape, dtype=np.int8)
    seeds[portal[box]] = 1
    seeds[veins[box]] = 2
    side = watershed(-depth, seeds, connectivity=np.ones((3, 3, 3)), mask=everything[box])
    return _with_sides(label_map, box, side)


def _with_sides(
    label_map: LabelMap, box: tuple[slice, slice, slice], side: npt.NDArray[np.int32]
) -> LabelMap:
    array = label_map.array.copy()
    inner = array[box]
    known = label_map.mask(PORTAL_VEIN, VENA_CAVA, HEPATIC_VEINS)[box]
    portal, hepatic = label_map.find(PORTAL_VEIN.code), label_map.find(HEPATIC_VEINS.code)
    segments = list(label_map.segments)
    if hepatic is None:
        hepatic = HEPATIC_VEINS
        segments.append(hepatic)
    for number, segment in ((1, portal), (2, hepatic)):
        if segment is not None:
            inner[(side == number) & ~known] = segment.label
    return LabelMap(array=array, geometry=label_map.geometry, segments=tuple(segments))
