"""Where vessels that share a label begin: the portal trunk and the vena cava."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.errors import NothingToDoError
from surgplan.planning._cava import split_cava
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    LabelMap,
    close_mm,
    distance_outside_mm,
)

_SHEATH_MM = 8.0
"""A vessel that a ball of this radius cannot reach from outside the liver lies inside."""

_TRUNK_RADIUS_MM = 3.0
"""The portal trunk of an adult is at least this thick somewhere."""

_FREE_MM = 3.0
"""The trunk runs at least this far from the vena cava somewhere outside the liver."""

_LEAD = 1.5
"""So much more than the next candidate there must be of a trunk, else nothing says which it is."""

Mask = npt.NDArray[np.bool_]


def trunks_of(label_map: LabelMap, merged: Mask) -> tuple[Mask, Mask]:
    """What surely is portal vein, and what surely is vena cava or hepatic vein.

    Labels where there are some. Else the vena cava is what surrounds the widest way up through the
    vessels, and the portal trunk is the largest vessel outside the liver and away from it.

    Raises
    ------
    NothingToDoError
        If there is no label and none can be found.
    """
    portal = label_map.mask(PORTAL_VEIN)
    veins = label_map.mask(VENA_CAVA, HEPATIC_VEINS)
    if not veins.any():
        veins = split_cava(merged & ~portal, veins, label_map.geometry)[1]
        if not veins.any():
            msg = (
                "merged vessels are told apart by the portal trunk and the vena cava, and no "
                "vessel is as thick and long as a vena cava; label the vena cava"
            )
            raise NothingToDoError(msg)
    return (portal if portal.any() else _trunk(label_map, merged & ~veins, veins)), veins


def _trunk(label_map: LabelMap, vessels: Mask, veins: Mask) -> Mask:
    """The largest vessel outside the liver that is not next to the vena cava."""
    geometry = label_map.geometry
    tissue = label_map.mask(LIVER, LIVER_TUMOUR, LIVER_CYST)
    outside = vessels & ~close_mm(tissue, geometry, radius_mm=_SHEATH_MM)
    outside &= distance_outside_mm(veins, geometry) > _FREE_MM
    pieces, count = ndimage.label(outside, structure=np.ones((3, 3, 3)))
    depth = distance_outside_mm(~vessels, geometry)
    number = np.arange(1, count + 1)
    thick = np.asarray(ndimage.maximum(depth, pieces, number)) >= _TRUNK_RADIUS_MM
    size = np.bincount(pieces.ravel(), minlength=count + 1)[1:] * thick
    order = np.argsort(-size, kind="stable")
    if not thick.any() or (thick.sum() > 1 and size[order[0]] < _LEAD * size[order[1]]):
        msg = (
            "merged vessels are told apart by the portal trunk and the vena cava, and no single "
            "vessel outside the liver is thick enough to be the portal trunk; label a piece of it "
            "as portal vein"
        )
        raise NothingToDoError(msg)
    trunk: Mask = pieces == number[order[0]]
    return trunk
