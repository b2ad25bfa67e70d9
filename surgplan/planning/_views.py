"""Where to look while a cut is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgplan.planning._front import BOWL, CutFront, Values
from surgplan.planning._resection import Vector

_AROUND = 0.06
_ASIDE = 0.3
_INTO = 0.7
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera.

    Attributes
    ----------
    point_mm
        Where it looks, LPS.
    direction
        Unit vector in which it looks: along the cut, into the opening.
    up
        Unit vector that is up in the picture.
    """

    point_mm: Vector
    direction: Vector
    up: Vector


def views_of(front: CutFront, towards_start: Values, moments: Values) -> tuple[View, ...]:
    """A camera for each moment; it follows the front without jumps.

    Parameters
    ----------
    front
        Of the cut.
    towards_start
        ``(3,)`` unit vector to where cutting begins; the camera stands on this side.
    moments
        ``(n,)`` progress, 0..1.
    """
    ways = _ways(front, towards_start)[front.part]
    views = []
    for moment in moments:
        near = front.area_mm2 * np.exp(-(((front.progress - moment) / _AROUND) ** 2))
        near /= near.sum()
        views.append(_view(near @ front.points_mm, near @ ways))
    return tuple(views)


def _ways(front: CutFront, towards_start: Values) -> Values:
    """Where to look in each part, ``(parts, 3)``.

    Slantwise into a bowl, so that its wall is seen; else in line with the cut, a little from the
    side, so that both walls are.
    """
    ways = np.zeros((front.parts, 3))
    for part, facing in enumerate(front.facing()):
        length = float(np.linalg.norm(facing))
        unit = facing / max(length, 1e-9)
        within = towards_start - (towards_start @ unit) * unit
        along = -within / max(float(np.linalg.norm(within)), 0.1)
        ways[part] = unit + _INTO * along if length < BOWL else _ASIDE * unit + along
    return ways


def _view(point: Values, direction: Values) -> View:
    ahead = direction / np.linalg.norm(direction)
    up = _UP - (_UP @ ahead) * ahead
    if np.linalg.norm(up) < 0.1:
        up = np.cross(ahead, (1.0, 0.0, 0.0))
    up /= np.linalg.norm(up)
    return View(point_mm=_vector(point), direction=_vector(ahead), up=_vector(up))


def _vector(values: Values) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
