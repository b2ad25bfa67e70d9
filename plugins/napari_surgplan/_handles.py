"""Points by which a cut is held: where they lie, and what becomes of the cut when one is moved."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surgplan.planning import (
    BezierResection,
    FreehandResection,
    PlaneResection,
    Resection,
    TwoStageResection,
    UnionResection,
    WedgeResection,
)
from surgplan.volume import LabelMap

Points = npt.NDArray[np.float64]

_LEAST_MM = 1.0
_GAIN = 1.3  # control points pull the surface only in part


@dataclass(frozen=True, kw_only=True, eq=False)
class Handle:
    """A point to take hold of.

    Attributes
    ----------
    point_mm
        ``(3,)`` LPS.
    word
        What moving it does.
    part
        Which part of a union, or stage, it belongs to; 0 for other kinds.
    number
        Its place among the handles of the part.
    """

    point_mm: Points
    word: str
    part: int = 0
    number: int = 0


def handles_of(resection: Resection, *, reach_mm: float = 50.0) -> tuple[Handle, ...]:
    """The handles of a cut; none where a kind has nothing to hold.

    Parameters
    ----------
    resection
        The cut.
    reach_mm
        How far from its middle the handles lie that tilt a plane.
    """
    if isinstance(resection, UnionResection | TwoStageResection):
        return tuple(
            replace(handle, part=part)
            for part, piece in enumerate(resection.parts)
            for handle in handles_of(piece, reach_mm=reach_mm)
        )
    if isinstance(resection, PlaneResection):
        return _plane_handles(resection, reach_mm)
    if isinstance(resection, BezierResection):
        points, words = resection.control_points_mm.reshape(-1, 3), "bend the cut"
    elif isinstance(resection, FreehandResection):
        points, words = resection.path_mm, "move the path"
    elif isinstance(resection, WedgeResection):
        points, words = _ways_out(resection), "turn the way out"
    else:
        return ()
    return tuple(Handle(point_mm=p, word=words, number=n) for n, p in enumerate(points))


def moved(
    resection: Resection,
    handle: Handle,
    to_mm: Points,
    label_map: LabelMap,
    *,
    reach_mm: float = 50.0,
) -> Resection:
    """The cut after a handle was moved.

    Raises
    ------
    UsageError
        If the cut would fold over itself; the words say where.
    """
    if isinstance(resection, UnionResection | TwoStageResection):
        parts = list(resection.parts)
        inner = replace(handle, part=0)
        parts[handle.part] = moved(parts[handle.part], inner, to_mm, label_map, reach_mm=reach_mm)
        if isinstance(resection, TwoStageResection):
            return replace(resection, first=parts[0], second=parts[1])
        return UnionResection(parts=tuple(parts))
    if isinstance(resection, PlaneResection):
        return _moved_plane(resection, handle.number, to_mm, reach_mm)
    if isinstance(resection, BezierResection):
        points = resection.control_points_mm.copy()
        points.reshape(-1, 3)[handle.number] = to_mm
        return BezierResection(control_points_mm=points, resected_side=resection.resected_side)
    if isinstance(resection, FreehandResection):
        path = resection.path_mm.copy()
        path[handle.number] = to_mm
        return FreehandResection(path_mm=path, direction=resection.direction)
    if isinstance(resection, WedgeResection):
        return _turned_wedge(resection, handle.number, to_mm, label_map)
    return resection


def pulled(resection: Resection, at_mm: Points, by_mm: Points) -> Resection | None:
    """The cut after it was taken hold of at a point, not at a handle; None where it cannot be.

    A plane moves as a whole, a curved cut bends around the point, a path moves there.
    """
    if isinstance(resection, PlaneResection):
        return replace(resection, point_mm=_xyz(np.asarray(resection.point_mm) + by_mm))
    if isinstance(resection, BezierResection):
        points = resection.control_points_mm
        away = np.linalg.norm(points - at_mm, axis=-1)
        width = np.sort(away.ravel())[min(4, away.size - 1)]
        share = np.exp(-((away / max(float(width), _LEAST_MM)) ** 2))
        share /= share.max()
        return BezierResection(
            control_points_mm=points + _GAIN * share[..., None] * by_mm,
            resected_side=resection.resected_side,
        )
    if isinstance(resection, FreehandResection):
        off = resection.path_mm - at_mm
        depth = np.asarray(resection.direction)
        away = np.linalg.norm(off - (off @ depth)[:, None] * depth, axis=1)
        path = resection.path_mm.copy()
        path[int(np.argmin(away))] += by_mm - (by_mm @ depth) * depth
        return FreehandResection(path_mm=path, direction=resection.direction)
    return None


def _plane_handles(plane: PlaneResection, reach_mm: float) -> tuple[Handle, ...]:
    middle = np.asarray(plane.point_mm)
    arms = _arms(plane) * reach_mm
    points = (middle, *(middle + sign * arm for arm in arms for sign in (1, -1)))
    words = ("move the cut", *["tilt the cut"] * 4)
    return tuple(
        Handle(point_mm=p, word=w, number=n)
        for n, (p, w) in enumerate(zip(points, words, strict=True))
    )


def _moved_plane(
    plane: PlaneResection, number: int, to_mm: Points, reach_mm: float
) -> PlaneResection:
    if number == 0:
        return replace(plane, point_mm=_xyz(to_mm))
    normal, middle = np.asarray(plane.normal), np.asarray(plane.point_mm)
    arm = _arms(plane)[(number - 1) // 2] * (1 if number % 2 else -1)
    rise = float((to_mm - middle) @ normal)
    along = max(float((to_mm - middle) @ arm), reach_mm / 4)
    return replace(plane, normal=_xyz(normal * along - arm * rise))


def _arms(plane: PlaneResection) -> Points:
    """Two directions in a plane: one as nearly towards the head as it allows, and one across."""
    normal = np.asarray(plane.normal)
    up = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.9 else np.array([0.0, -1.0, 0.0])
    up -= (up @ normal) * normal
    up /= np.linalg.norm(up)
    return np.stack([up, np.cross(normal, up)])


def _ways_out(wedge: WedgeResection) -> Points:
    ends = [
        np.asarray(swept.centre_mm) + np.asarray(corridor.direction) * corridor.end_mm
        for corridor, swept in zip(wedge.corridors, wedge.swept, strict=True)
    ]
    return np.array(ends)


def _turned_wedge(
    wedge: WedgeResection, number: int, to_mm: Points, label_map: LabelMap
) -> WedgeResection:
    data = wedge.to_dict()
    way = to_mm - np.asarray(wedge.swept[number].centre_mm)
    length = float(np.linalg.norm(way))
    if length < _LEAST_MM:
        return wedge
    row = data["corridors"][number]
    row["direction"], row["end_mm"] = (way / length).tolist(), max(length, row["end_mm"])
    return WedgeResection.from_dict(data, label_map)


def _xyz(point: Points) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])
