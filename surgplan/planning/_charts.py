"""Cuts that have parameters of their own, as grids of points over the liver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._bezier import BezierResection
from surgplan.planning._boundary import Points
from surgplan.planning._freehand import FreehandResection
from surgplan.planning._polyline import Polyline
from surgplan.planning._resection import PlaneResection

Values = npt.NDArray[np.float64]

_COARSE_MM = 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """A regular grid over a cut: places in the patient ``(m, n, 3)`` LPS, and flat ``(m, n, 2)``.

    Both in millimetres. Flat distances are true for planes and freehand cuts; for a patch they are
    its parameters, each stretched to the mean length of the patch.
    """

    points_mm: Points
    flat_mm: Values


class Chart:
    """How two parameters in millimetres become points of a cut."""

    def __init__(self, resection: PlaneResection | BezierResection | FreehandResection) -> None:
        self._resection = resection
        self.middle_mm = np.zeros(2)
        if isinstance(resection, PlaneResection):
            self._axes = upright_axes(np.asarray(resection.normal))
        elif isinstance(resection, BezierResection):
            points = resection.control_points_mm
            legs = [np.linalg.norm(np.diff(points, axis=a), axis=-1).sum(axis=a) for a in (0, 1)]
            self._half = np.array([float(leg.mean()) / 2 for leg in legs])
        else:
            line = resection._line
            self._stops = np.concatenate([[0.0], np.cumsum(line.high[1:-1])])
            self.middle_mm = np.array([self._stops[-1] / 2, 0.0])

    def at(self, flat_mm: Values) -> Points:
        """LPS points ``(n, 3)`` of flat places ``(n, 2)``."""
        cut = self._resection
        if isinstance(cut, PlaneResection):
            plane: Points = np.asarray(cut.point_mm) + flat_mm @ self._axes
            return plane
        if isinstance(cut, BezierResection):
            u, v = (flat_mm / self._half).T
            return cut._surface.points_mm(u, v)
        return self._along(cut, cut._line, flat_mm)

    def _along(self, cut: FreehandResection, line: Polyline, flat_mm: Values) -> Points:
        """Along the path and its straight ends, then into the depth."""
        piece = np.clip(np.searchsorted(self._stops, flat_mm[:, 0]), 0, len(line.starts) - 1)
        start = np.concatenate([[0.0], self._stops])[piece]
        seen = line.starts[piece] + line.units[piece] * (flat_mm[:, 0] - start)[:, None]
        depth = np.asarray(cut.direction)
        points: Points = cut.path_mm[0] + seen @ cut._axes + flat_mm[:, 1:] * depth
        return points


def grid_of(
    resection: PlaneResection | BezierResection | FreehandResection,
    centre_mm: Values,
    radius_mm: float,
    step_mm: float,
) -> Grid | None:
    """The part of a cut within a ball, as a grid; None where it misses the ball."""
    chart = Chart(resection)
    reach = 2 * radius_mm + float(np.linalg.norm(chart.at(chart.middle_mm[None])[0] - centre_mm))
    coarse = np.arange(-reach, reach + _COARSE_MM, _COARSE_MM)
    places = np.stack(np.meshgrid(*(coarse + m for m in chart.middle_mm), indexing="ij"), -1)
    flat = places.reshape(-1, 2)
    near = np.linalg.norm(chart.at(flat) - centre_mm, axis=1) <= radius_mm + _COARSE_MM
    if not near.any():
        return None
    low, high = flat[near].min(axis=0) - _COARSE_MM, flat[near].max(axis=0) + _COARSE_MM
    axes = [
        np.arange(np.floor(a / step_mm), np.ceil(b / step_mm) + 1)
        for a, b in zip(low, high, strict=True)
    ]
    fine = np.stack(np.meshgrid(*(axis * step_mm for axis in axes), indexing="ij"), -1)
    points = chart.at(fine.reshape(-1, 2)).reshape(*fine.shape[:2], 3)
    return Grid(points_mm=points, flat_mm=fine)


def upright_axes(normal: Values) -> Values:
    """Unit vectors ``(2, 3)`` in a plane: across, and as nearly towards the head as it allows."""
    head = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.95 else np.array([0.0, -1.0, 0.0])
    up = head - (head @ normal) * normal
    up /= np.linalg.norm(up)
    axes: Values = np.stack([np.cross(up, normal), up])
    return axes
