"""Vessels that share a label, told apart by what they are connected to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from surgplan.planning._vessel_seeds import trunks_of
from surgplan.volume import (
    HEPATIC_VEINS,
    PORTAL_VEIN,
    VENA_CAVA,
    LabelMap,
    Segment,
    box_of,
)

_TOUCH_MM = 3.0

Mask = npt.NDArray[np.bool_]


def separate_vessels(label_map: LabelMap, merged: Mask) -> LabelMap:
    """Divide vessels of one mask between the portal and the hepatic tree.

    Each voxel goes to the system to which the widest way through the mask leads: a watershed of
    the distance to the wall, flooded from the portal trunk and from the vena cava. Where the trees
    touch, they part at the narrowest place.

    Parameters
    ----------
    label_map
        With the liver and with what is known: the portal vein (its trunk will do), and the vena
        cava or a part of the hepatic veins. What it labels already stays. An unlabelled vena cava
        is found by its width, an unlabelled portal trunk outside the liver.
    merged
        ``(slice, row, column)`` vessels of both systems on the same grid.

    Returns
    -------
    LabelMap
        The same with portal vein, hepatic veins and vena cava completed. What is connected to
        none of them stays as it is.

    Raises
    ------
    NothingToDoError
        If the portal trunk, or vena cava and hepatic veins, are neither labelled nor found:
        nothing tells them apart.
    """
    portal, veins = trunks_of(label_map, merged)
    everything = merged | portal | veins
    box = box_of(everything, label_map.geometry, margin_mm=_TOUCH_MM)
    spacing = label_map.geometry.spacing_mm
    depth = ndimage.distance_transform_edt(everything[box], sampling=spacing).astype(np.float32)
    seeds = np.zeros(depth.shape, dtype=np.int8)
    seeds[portal[box]] = 1
    seeds[veins[box]] = 2
    side = watershed(-depth, seeds, connectivity=np.ones((3, 3, 3)), mask=everything[box])
    labelled = label_map.mask(VENA_CAVA, HEPATIC_VEINS)
    known = label_map.mask(PORTAL_VEIN) | labelled
    found = [
        (PORTAL_VEIN, (side == 1) & ~known[box]),
        (HEPATIC_VEINS, (side == 2) & ~known[box]),
    ]
    if not labelled.any():
        found.append((VENA_CAVA, veins[box]))
    return _with_parts(label_map, box, found)


def _with_parts(
    label_map: LabelMap, box: tuple[slice, slice, slice], found: list[tuple[Segment, Mask]]
) -> LabelMap:
    array, segments = label_map.array.copy(), list(label_map.segments)
    for segment, part in found:
        own = label_map.find(segment.code)
        if own is None:
            own = segment
            segments.append(own)
        array[box][part] = own.label
    return LabelMap(array=array, geometry=label_map.geometry, segments=tuple(segments))
