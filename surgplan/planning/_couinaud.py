"""The eight segments of Couinaud from labelled vessels and the liver alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from surgplan.errors import NothingToDoError
from surgplan.planning._border import Border, BorderPlane, lay
from surgplan.planning._boundary import Points
from surgplan.planning._hepatic_labels import MIDDLE_VEIN, RIGHT_VEIN
from surgplan.planning._portal_labels import ANTERIOR, LEFT, POSTERIOR, UMBILICAL
from surgplan.planning._vessel_tree import VesselTree
from surgplan.volume import COUINAUD, LabelMap

_CHUNK = 500_000
_NOWHERE_MM = 1e3
_BEYOND_FISSURE_MM = 8.0
"""So far to the left of the umbilical fissure the caudate lobe may reach."""

MIDDLE, RIGHT, FISSURE = "middle", "right", "umbilical fissure"
LEVEL, LEFT_LEVEL = "level", "left level"
CAUDATE_FRONT, CAUDATE_RIGHT = "front of caudate", "right of caudate"

_BORDERS = {
    MIDDLE: Border(
        name="of the left and the right liver", one=(2, 3, 4), other=(5, 6, 7, 8),
        normal=(0.64, -0.77, 0.0), turn=1.0, tilt=7.0,
    ),
    RIGHT: Border(
        name="of V, VIII and VI, VII", one=(5, 8), other=(6, 7),
        normal=(0.0, -1.0, 0.0), turn=6.0, tilt=12.0,
    ),
    FISSURE: Border(
        name="of II, III and IV", one=(2, 3), other=(4,),
        normal=(0.97, -0.24, 0.0), turn=2.0, tilt=8.0,
    ),
    LEVEL: Border(
        name="of VII, VIII and V, VI", one=(7, 8), other=(5, 6),
        normal=(0.0, 0.0, 1.0), turn=10.0, tilt=10.0,
    ),
    LEFT_LEVEL: Border(
        name="of II and III", one=(2,), other=(3,),
        normal=(0.0, 0.0, 1.0), turn=10.0, tilt=10.0,
    ),
    CAUDATE_FRONT: Border(
        name="in front of I", one=(1,), other=(4,),
        normal=(0.0, 0.98, -0.21), turn=100.0, tilt=100.0,
    ),
    CAUDATE_RIGHT: Border(
        name="of I and the right liver", one=(1,), other=(5, 6, 7, 8),
        normal=(0.98, -0.14, -0.1), turn=100.0, tilt=100.0,
    ),
}  # fmt: skip
"""The planes by which radiologists part the liver (Couinaud 1957, Bismuth 1982).

Their usual directions are means over maps of segments of 22 livers.
"""

_SIDES: dict[int, tuple[tuple[str, float], ...]] = {
    2: ((MIDDLE, 1), (FISSURE, 1), (LEFT_LEVEL, 1)),
    3: ((MIDDLE, 1), (FISSURE, 1), (LEFT_LEVEL, -1)),
    4: ((MIDDLE, 1), (FISSURE, -1)),
    5: ((MIDDLE, -1), (RIGHT, 1), (LEVEL, -1)),
    6: ((MIDDLE, -1), (RIGHT, -1), (LEVEL, -1)),
    7: ((MIDDLE, -1), (RIGHT, -1), (LEVEL, 1)),
    8: ((MIDDLE, -1), (RIGHT, 1), (LEVEL, 1)),
}


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
        Sentences for people: what the boundaries rest on, and what is missing.
    borders
        Planes by name: unit normal (LPS) and offset in mm, ``normal @ x > offset`` on the side
        that the name's first segments lie on.
    missing_borders
        Borders that nothing marks, in words.
    """

    label_map: LabelMap
    confidence: dict[str, float]
    explanation: tuple[str, ...]
    borders: Mapping[str, tuple[npt.NDArray[np.float64], float]] = field(default_factory=dict)
    missing_borders: tuple[str, ...] = ()


def couinaud_from_vessels(
    label_map: LabelMap, portal: VesselTree, hepatic: VesselTree | None
) -> CouinaudSegments:
    """Segments I to VIII by the planes that hepatic veins and portal forks mark.

    Middle and right hepatic vein and the umbilical portion of the left portal vein mark upright
    planes, the forks of the right portal vein and the umbilical portion mark level ones; each is
    moved and, a little, turned so that portal branches of its two sides come apart. The caudate
    lobe lies behind the left portal vein, to the left of a line from its beginning to the mouths
    of the hepatic veins. The body must lie as its coordinates say: +z is towards the head.

    Parameters
    ----------
    label_map
        With the liver.
    portal, hepatic
        Its trees, with names; without hepatic veins portal branches alone mark the borders.

    Raises
    ------
    NothingToDoError
        If there is no liver, or if not both halves of the liver have named portal branches.
    """
    whole = label_map.whole_liver()
    if not whole.any():
        msg = "Couinaud segments need a liver, and the label map has none; segment it first"
        raise NothingToDoError(msg)
    branches = {n: _points_of(portal, f"P{n}")[0] for n in range(1, 9)}
    found = [n for n, points in branches.items() if len(points)]
    if not set(found) & {2, 3, 4} or not set(found) & {5, 6, 7, 8}:
        msg = (
            "Couinaud segments need portal branches of the left and the right liver, and the "
            f"vessels name those of {found or 'none'}; segment the vessels farther out, or name "
            "branches by hand"
        )
        raise NothingToDoError(msg)
    planes = _planes(branches, portal, hepatic)
    array = np.zeros(label_map.array.shape, dtype=np.uint8)
    array[whole] = _numbers(label_map.geometry.to_lps(np.argwhere(whole)), planes, branches)
    missing = tuple(b.name for key, b in _BORDERS.items() if planes[key] is None)
    return CouinaudSegments(
        label_map=LabelMap(array=array, geometry=label_map.geometry, segments=COUINAUD),
        confidence={s.name: _trust(portal, f"P{s.label}") for s in COUINAUD},
        explanation=_explained(found, missing, hepatic),
        borders={k: (p.normal, p.offset_mm) for k, p in planes.items() if p is not None},
        missing_borders=missing,
    )


Planes = dict[str, BorderPlane | None]
Marks = tuple[Points, npt.NDArray[np.float64]]

_NONE: Marks = (np.empty((0, 3)), np.empty(0))


def _points_of(tree: VesselTree, label: str) -> Marks:
    """Points of the branches of a name, thick ones counting more."""
    points, owner, radius = tree.samples(1.0)
    own = np.isin(owner, tree.labelled(label))
    return points[own], radius[own] ** 2


def _planes(branches: dict[int, Points], portal: VesselTree, hepatic: VesselTree | None) -> Planes:
    umbilical = _points_of(portal, UMBILICAL)
    left = _points_of(portal, LEFT)
    veins = {v: _points_of(hepatic, v) if hepatic else _NONE for v in (MIDDLE_VEIN, RIGHT_VEIN)}
    marks: dict[str, Marks] = {
        MIDDLE: veins[MIDDLE_VEIN],
        RIGHT: veins[RIGHT_VEIN],
        FISSURE: umbilical,
        LEVEL: _even(_forks(portal)),
        LEFT_LEVEL: _even(umbilical[0]),
        CAUDATE_FRONT: _even(left[0]),
        CAUDATE_RIGHT: _even(_beside_cava(portal, hepatic)),
    }
    return {
        key: lay(
            border, *marks[key], _joined(branches, border.one), _joined(branches, border.other)
        )
        for key, border in _BORDERS.items()
    }


def _joined(branches: dict[int, Points], numbers: tuple[int, ...]) -> Points:
    return np.concatenate([np.empty((0, 3)), *(branches[n] for n in numbers)])


def _even(points: Points) -> Marks:
    return points, np.ones(len(points))


def _forks(portal: VesselTree) -> Points:
    """Where the anterior and the posterior branch of the right portal vein begin."""
    starts = [
        b.points_mm[0]
        for b in portal.branches
        if b.label in (ANTERIOR, POSTERIOR)
        and b.parent is not None
        and portal.branches[b.parent].label != b.label
    ]
    return np.array(starts).reshape(-1, 3)


def _beside_cava(portal: VesselTree, hepatic: VesselTree | None) -> Points:
    """Half way from the beginning of the left portal vein to the mouths of the hepatic veins."""
    left = portal.labelled(LEFT)
    if not left or hepatic is None:
        return np.empty((0, 3))
    mouths = np.mean([hepatic.branches[i].points_mm[0] for i in hepatic.roots], axis=0)
    middle: Points = ((portal.branches[left[0]].points_mm[0] + mouths) / 2)[None]
    return middle


def _numbers(points: Points, planes: Planes, branches: dict[int, Points]) -> npt.NDArray[np.uint8]:
    """Number of the segment for each point: that whose borders it violates least."""
    numbers = np.zeros(len(points), dtype=np.uint8)
    for first in range(0, len(points), _CHUNK):
        part = points[first : first + _CHUNK]
        sides = {k: p.side_mm(part) for k, p in planes.items() if p is not None}
        least = np.full(len(part), np.inf)
        own = numbers[first : first + _CHUNK]
        for number, borders in _SIDES.items():
            cost = np.zeros(len(part))
            for key, sign in borders:
                if key in sides:
                    cost += np.clip(-sign * sides[key], 0.0, None)
                elif not _joined(branches, _side_of(key, sign)).size:
                    cost += _NOWHERE_MM  # nothing tells the two apart: all goes to the other
            better = cost < least
            own[better], least[better] = number, cost[better]
        own[_is_caudate(sides, len(part))] = 1
    return numbers


def _side_of(key: str, sign: float) -> tuple[int, ...]:
    return _BORDERS[key].one if sign > 0 else _BORDERS[key].other


def _is_caudate(sides: dict[str, npt.NDArray[np.float64]], count: int) -> npt.NDArray[np.bool_]:
    if not {CAUDATE_FRONT, CAUDATE_RIGHT, FISSURE} <= set(sides):
        return np.zeros(count, dtype=bool)
    inside: npt.NDArray[np.bool_] = (sides[CAUDATE_FRONT] > 0) & (sides[CAUDATE_RIGHT] > 0)
    return inside & (sides[FISSURE] < _BEYOND_FISSURE_MM)


def _trust(portal: VesselTree, label: str) -> float:
    own = [portal.branches[i] for i in portal.labelled(label)]
    length = sum(b.length_mm for b in own)
    return sum(b.confidence * b.length_mm for b in own) / length if length else 0.0


def _explained(
    found: list[int], missing: tuple[str, ...], hepatic: VesselTree | None
) -> tuple[str, ...]:
    names = {s.label: s.name for s in COUINAUD}
    lines = ["Borders are planes through hepatic veins and forks of the portal vein."]
    lines += [
        f"There is no {vein}, so that its border rests on portal branches alone."
        for vein in (MIDDLE_VEIN, RIGHT_VEIN)
        if hepatic is None or not hepatic.labelled(vein)
    ]
    lines += [f"Nothing marks the border {border}." for border in missing]
    lines += [f"No portal branch of {names[n]} was found." for n in names if n not in found]
    return tuple(lines)
