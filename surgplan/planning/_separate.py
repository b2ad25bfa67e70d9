"""Vessels that share a label, told apart by what they are connected to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csgraph
from scipy.spatial import cKDTree
from skimage.segmentation import watershed

from surgplan.errors import NothingToDoError
from surgplan.planning._skeleton import skeleton_of
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
_CAVA_LENGTH_MM = 40.0
"""The vena cava of an adult is at least this thick somewhere, and this long behind the liver."""

_THICK_END = 0.45
_FLAT, _WALL_MM, _WIDEST_MM = 1.6, 1.0, 22.0
"""A flat vena cava is wider than the largest ball in it by up to this factor, and one voxel."""

_GROOVE_MM = 8.0
_COARSE_MM = 2.0
_WAY_MM = 1.5
"""The way through the vena cava needs no finer voxels."""

_SHAVING_MM = 9.0
"""Pieces of vein that stay this near to the vena cava are bits of its wall."""

_TOUCH_MM = 3.0

Mask = npt.NDArray[np.bool_]


def split_cava(veins: Mask, cava: Mask, geometry: Geometry) -> tuple[Mask, Mask]:
    """Hepatic veins up to the wall of the vena cava, and the vena cava.

    Parameters
    ----------
    veins
        ``(slice, row, column)``, with or without the vena cava.
    cava
        The vena cava where it has a label of its own; where it is empty, it is what surrounds the
        widest way through the veins from the lowest to the highest of their thick ends.
    geometry
        Grid of both.

    Returns
    -------
    tuple
        The two masks; that of the vena cava is empty where no way is thick and long enough.
    """
    if cava.any():  # a label that cuts a groove into the vena cava is vena cava there
        cava = close_mm(cava, geometry, radius_mm=_GROOVE_MM)
        return veins & ~cava, cava
    cava = _widest_way(veins, geometry) if veins.any() else cava
    if cava.any():
        veins = _reaching_out(veins & ~cava, cava, geometry)
    return veins, cava


def _widest_way(veins: Mask, geometry: Geometry) -> Mask:
    """What of a mask surrounds its widest way from below to above."""
    cava = np.zeros_like(veins)
    every = [max(1, round(_WAY_MM / s)) for s in geometry.spacing_mm]
    coarse = veins[:: every[0], :: every[1], :: every[2]]
    if not coarse.any():
        return cava
    affine = geometry.affine.copy()
    affine[:3, :3] *= every
    skeleton = skeleton_of(coarse, Geometry(shape=coarse.shape, affine=affine), gap_mm=0.0)
    degree = np.bincount(skeleton.edges.ravel(), minlength=len(skeleton.radius_mm))
    radius = skeleton.radius_mm
    ends = np.flatnonzero((degree <= 1) & (radius >= _THICK_END * radius.max()))
    height = skeleton.points_mm[:, 2]
    if radius.max() < _CAVA_RADIUS_MM or len(ends) < 2 or np.ptp(height[ends]) < _CAVA_LENGTH_MM:
        return cava
    low, high = int(ends[np.argmin(height[ends])]), int(ends[np.argmax(height[ends])])
    before = csgraph.dijkstra(skeleton.graph(), indices=low, return_predecessors=True)[1]
    way = [high]
    while before[way[-1]] >= 0:
        way.append(int(before[way[-1]]))
    if way[-1] != low:
        return cava
    index = np.argwhere(veins)
    away, near = cKDTree(skeleton.points_mm[way]).query(
        geometry.to_lps(index), distance_upper_bound=_WIDEST_MM
    )
    reach = np.append(_FLAT * radius[way] + _WALL_MM, 0.0)[near]  # beyond the bound: no place
    cava[tuple(index[away <= reach].T)] = True
    return cava


def _reaching_out(veins: Mask, cava: Mask, geometry: Geometry) -> Mask:
    """Without the shavings of the vena cava's wall."""
    pieces, count = ndimage.label(veins, structure=np.ones((3, 3, 3)))
    every = tuple(slice(None, None, max(1, round(_COARSE_MM / s))) for s in geometry.spacing_mm)
    wall = cKDTree(geometry.to_lps(np.argwhere(cava[every]) * [s.step for s in every]))
    index = np.argwhere(veins[every]) * [s.step for s in every]
    far = np.zeros(count + 1)
    if len(index):
        number = pieces[tuple(index.T)]
        np.maximum.at(far, number, wall.query(geometry.to_lps(index))[0])
    kept: Mask = (far >= _SHAVING_MM)[pieces] & veins
    return kept


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
