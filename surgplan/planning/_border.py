"""A plane between parts of the liver, laid through what marks it and between what it parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from surgplan.planning._boundary import Points

_MARK_MM = 14.0
_PART_MM = 5.0
_OFFSET_MM = 20.0


@dataclass(frozen=True, kw_only=True)
class Border:
    """How a border usually runs, and how far it may turn from that.

    Attributes
    ----------
    name
        For people.
    one, other
        Numbers of the segments on the side that the normal points to, and on the other.
    normal
        The usual unit normal, LPS.
    turn, tilt
        What it costs to turn it about the body's axis, and towards or away from that axis.
    """

    name: str
    one: tuple[int, ...]
    other: tuple[int, ...]
    normal: tuple[float, float, float]
    turn: float
    tilt: float


@dataclass(frozen=True, kw_only=True, eq=False)
class BorderPlane:
    """Where a border runs in one liver: points ``x`` with ``normal @ x > offset_mm`` are `one`."""

    normal: npt.NDArray[np.float64]
    offset_mm: float

    def side_mm(self, points: Points) -> npt.NDArray[np.float64]:
        """Signed distance of points ``(n, 3)``, LPS."""
        distance: npt.NDArray[np.float64] = points @ self.normal - self.offset_mm
        return distance


def lay(
    border: Border, marks: Points, weights: npt.NDArray[np.float64], one: Points, other: Points
) -> BorderPlane | None:
    """The plane that runs through the marks and keeps the two sides apart as well as it can.

    Parameters
    ----------
    border
        How it usually runs.
    marks, weights
        Points ``(n, 3)`` on the border, such as a vein's, and how much each counts.
    one, other
        Points of the two sides, such as those of their portal branches.

    Returns
    -------
    BorderPlane or None
        None if there are neither marks nor points on both sides.
    """
    if len(marks) == 0 and (len(one) == 0 or len(other) == 0):
        return None
    usual = np.array(border.normal) / np.linalg.norm(border.normal)
    first, second = _across(usual)
    middle = (
        np.average(marks, axis=0, weights=weights)
        if len(marks)
        else (one.mean(0) + other.mean(0)) / 2
    )

    def plane(v: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
        normal = usual + v[0] * first + v[1] * second
        return normal / np.linalg.norm(normal), _OFFSET_MM * v[2]

    def cost(v: npt.NDArray[np.float64]) -> float:
        normal, offset = plane(v)
        total = float(border.turn * v[0] ** 2 + border.tilt * v[1] ** 2)
        if len(marks):
            away = ((marks - middle) @ normal - offset) / _MARK_MM
            total += float(np.average(away**2, weights=weights))
        for points, sign in ((one, 1.0), (other, -1.0)):
            if len(points):
                wrong = -sign * ((points - middle) @ normal - offset) / _PART_MM
                total += float(np.logaddexp(0.0, wrong).mean())
        return float(total)

    normal, offset = plane(minimize(cost, np.zeros(3), method="BFGS").x)
    return BorderPlane(normal=normal, offset_mm=float(normal @ middle) + offset)


def _across(normal: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Two directions across a normal: level, and up or down as far as that can be."""
    upright = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    level = np.cross(upright, normal)
    level /= np.linalg.norm(level)
    return level, np.cross(normal, level)
