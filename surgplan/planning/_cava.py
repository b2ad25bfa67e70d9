"""The vena cava, told apart from the hepatic veins that open into it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from surgplan.planning._skeleton import Skeleton, skeleton_of
from surgplan.volume import Geometry, close_mm

_CAVA_RADIUS_MM = 6.5
_CAVA_LENGTH_MM = 40.0
"""The vena cava of an adult is at least this thick somewhere, and this long behind the liver."""

_THICK_END = 0.45
_NARROW_MM = 2.0
"""No vena cava is thinner anywhere, but a way through the liver's vessels from a thick end is."""

_FLAT, _WALL_MM, _WIDEST_MM = 1.6, 1.0, 22.0
"""A flat vena cava is wider than the largest ball in it by up to this factor, and one voxel."""

_GROOVE_MM = 8.0
_COARSE_MM = 2.0
_WAY_MM = 1.5
"""The way through the vena cava needs no finer voxels."""

_SHAVING_MM = 9.0
"""Pieces of vein that stay this near to the vena cava are bits of its wall."""

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
    way = _tallest_way(skeleton, ends)
    if not way:
        return cava
    index = np.argwhere(veins)
    away, near = cKDTree(skeleton.points_mm[way]).query(
        geometry.to_lps(index), distance_upper_bound=_WIDEST_MM
    )
    reach = np.append(_FLAT * radius[way] + _WALL_MM, 0.0)[near]  # beyond the bound: no place
    cava[tuple(index[away <= reach].T)] = True
    return cava


def _tallest_way(skeleton: Skeleton, ends: npt.NDArray[np.int64]) -> list[int]:
    """Places from the highest of some ends to the lowest, without a narrow place; empty if none."""
    height, graph = skeleton.points_mm[:, 2], skeleton.graph()
    order = ends[np.argsort(height[ends], kind="stable")].tolist()
    pairs = [(low, high) for n, low in enumerate(order) for high in order[n + 1 :]]
    for low, high in sorted(pairs, key=lambda pair: height[pair[0]] - height[pair[1]]):
        if height[high] - height[low] < _CAVA_LENGTH_MM:
            break
        before = csgraph.dijkstra(graph, indices=low, return_predecessors=True)[1]
        way = [high]
        while before[way[-1]] >= 0:
            way.append(int(before[way[-1]]))
        if way[-1] == low and skeleton.radius_mm[way].min() >= _NARROW_MM:
            return way
    return []


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
