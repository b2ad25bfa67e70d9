"""The eight segments of Couinaud from labelled vessels and the liver alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.errors import NothingToDoError
from surgplan.planning._boundary import Points
from surgplan.planning._hepatic_labels import RIGHT_VEIN
from surgplan.planning._skeleton import along_axis
from surgplan.planning._vessel_tree import VesselTree
from surgplan.volume import COUINAUD, Geometry, LabelMap, box_of

_COARSE_MM = 2.5
_PULL = 1.0
"""A mm on the wrong side of a vein's plane counts as so many mm of way to a branch."""

_PULL_LIMIT_MM = 25.0
_FAR_MM = 1e3
_STRAIGHT_MM = 70.0
"""So far from its mouth a vein runs in the plane between sectors."""

_PLANES: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ((RIGHT_VEIN, (6, 7), (5, 8)),)
"""Veins, with the segments behind them and those in front.

The middle and the left vein bend out of any plane near their mouths: on phantoms of known segments
their planes make the boundaries of I, II and IV worse than portal branches alone.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class CouinaudSegments:
    """Couinaud's segments of a liver, and how well they are founded.

    Attributes
    ----------
    label_map
        `COUINAUD` on the grid of the vessels' label map; its union is the whole liver.
    confidence
        By segment name, 0 to 1: how sure the names of its portal branches are; 0 if it has none.
    explanation
        Sentences for people: what each boundary rests on, and what is missing.
    """

    label_map: LabelMap
    confidence: dict[str, float]
    explanation: tuple[str, ...]


def couinaud_from_vessels(
    label_map: LabelMap, portal: VesselTree, hepatic: VesselTree
) -> CouinaudSegments:
    """Segments I to VIII from the portal branches and the plane of the right hepatic vein.

    Each voxel goes to the segment whose portal branch is nearest; between V, VIII and VI, VII a mm
    on the wrong side of the plane through the right hepatic vein counts as a mm of way.

    Parameters
    ----------
    label_map
        With the liver.
    portal, hepatic
        Its trees, with names.

    Raises
    ------
    NothingToDoError
        If there is no liver, or if not both halves of the liver have named portal branches.
    """
    whole = label_map.whole_liver()
    if not whole.any():
        msg = "Couinaud segments need a liver, and the label map has none; segment it first"
        raise NothingToDoError(msg)
    ends = {n: _points_of(portal, f"P{n}") for n in range(1, 9)}
    found = [n for n, points in ends.items() if len(points)]
    if not set(found) & {2, 3, 4} or not set(found) & {5, 6, 7, 8}:
        msg = (
            "Couinaud segments need portal branches of the left and the right liver, and the "
            f"vessels name those of {found or 'none'}; segment the vessels farther out, or name "
            "branches by hand"
        )
        raise NothingToDoError(msg)
    planes = {vein: plane for vein, _, _ in _PLANES if (plane := _plane(hepatic, vein))}
    box = box_of(whole, label_map.geometry)
    start, stop = [s.start for s in box], [s.stop for s in box]
    window = label_map.geometry.window((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    array = np.zeros(label_map.array.shape, dtype=np.uint8)
    array[box][whole[box]] = _cheapest(window, ends, planes)[whole[box]]
    return CouinaudSegments(
        label_map=LabelMap(array=array, geometry=label_map.geometry, segments=COUINAUD),
        confidence={s.name: _trust(portal, f"P{s.label}") for s in COUINAUD},
        explanation=_explained(found, planes),
    )


Plane = tuple[Points, Points]
"""A point and a unit normal, LPS, to the left or forward."""


def _points_of(tree: VesselTree, label: str) -> Points:
    points, owner, _ = tree.samples(1.0)
    named = np.array([b.label == label for b in tree.branches])
    own: Points = points[named[owner]]
    return own


def _plane(hepatic: VesselTree, vein: str) -> Plane | None:
    """Plane through a vein and its mouth; None without the vein.

    Thick and near points weigh most, since tributaries leave the plane.
    """
    own = hepatic.labelled(vein)
    if not own:
        return None
    points, owner, radius = hepatic.samples(1.0)
    mine = np.isin(owner, own)
    points, radius = points[mine], radius[mine]
    mouth = hepatic.branches[own[0]].points_mm[0]
    near = np.linalg.norm(points - mouth, axis=1) <= _STRAIGHT_MM
    weight = (radius[near] ** 3)[:, None]
    offset = points[near] - mouth
    if len(offset) < 3:
        return None
    normal = np.linalg.eigh((offset * weight).T @ offset)[1][:, 0]
    towards = np.array([1.0, -1.0, 0.0])  # left and forward
    return mouth, normal * (1.0 if normal @ towards >= 0 else -1.0)


def _cheapest(
    geometry: Geometry, ends: dict[int, Points], planes: dict[str, Plane]
) -> npt.NDArray[np.uint8]:
    """Number of the segment with the least cost at each voxel; costs are blended from 2.5 mm."""
    steps = [max(s, _COARSE_MM) for s in geometry.spacing_mm]
    coarse = geometry.with_spacing((steps[0], steps[1], steps[2]))
    nodes = coarse.to_lps(np.argwhere(np.ones(coarse.shape, dtype=bool)))
    corners = coarse.to_index(geometry.to_lps(np.array([(0, 0, 0), geometry.shape]) - [[0], [1]]))
    at = [np.linspace(a, b, n) for a, b, n in zip(*corners, geometry.shape, strict=True)]
    least = np.full(geometry.shape, np.inf, dtype=np.float32)
    best = np.zeros(geometry.shape, dtype=np.uint8)
    for number, points in ends.items():
        if len(points) == 0:
            continue
        cost = cKDTree(points).query(nodes)[0] + _pull(nodes, number, planes)
        field = cost.astype(np.float32).reshape(coarse.shape)
        for axis in range(3):
            field = along_axis(field, axis, at[axis])
        best[field < least] = number
        np.minimum(least, field, out=least)
    return best


def _pull(nodes: Points, number: int, planes: dict[str, Plane]) -> npt.NDArray[np.float64]:
    """Cost of lying on the wrong side of the planes for a segment, in mm."""
    cost = np.zeros(len(nodes))
    for vein, behind, before in _PLANES:
        if vein not in planes or number not in (*behind, *before):
            continue
        point, normal = planes[vein]
        side = (nodes - point) @ normal  # > 0 left or in front
        wrong = side if number in behind else -side
        cost += _PULL * np.clip(wrong, 0.0, _PULL_LIMIT_MM)
    return cost


def _trust(portal: VesselTree, label: str) -> float:
    own = [portal.branches[i] for i in portal.labelled(label)]
    length = sum(b.length_mm for b in own)
    return sum(b.confidence * b.length_mm for b in own) / length if length else 0.0


def _explained(found: list[int], planes: dict[str, Plane]) -> tuple[str, ...]:
    names = {s.label: s.name for s in COUINAUD}
    lines = ["Each voxel goes to the nearest portal branch of a segment."]
    lines += [f"The plane of the {vein} pulls the boundary to itself." for vein in planes]
    lines += [
        f"There is no {vein}, so that its boundary rests on portal branches alone."
        for vein, _, _ in _PLANES
        if vein not in planes
    ]
    lines += [
        f"No portal branch of {names[n]} was found; it is empty." for n in names if n not in found
    ]
    return tuple(lines)
