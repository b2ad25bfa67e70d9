"""A cut along a path drawn on the liver, straight into the depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning._polyline import Polyline
from surgplan.planning._resection import Points, Vector, control_point, is_number, vector_of
from surgplan.volume import LabelMap

_LEAST_MM = 1e-3
_SHOWN_MM = 100.0


@dataclass(frozen=True, kw_only=True, eq=False)
class FreehandResection:
    """A cut through an open path, along one direction for all of it, without end either way.

    Seen along the direction, as by a surgeon who looks that way into the liver, what lies to the
    left of the path is resected. Both ends go on straight, the way of the path's last 10 mm.

    Attributes
    ----------
    path_mm
        ``(k, 3)`` LPS in drawing order, 2 points or more; read-only.
    direction
        Into the depth; any length but 0, kept as a unit vector.

    Raises
    ------
    UsageError
        If a number is not finite, the direction has no length, or the path, seen along the
        direction, has no length or crosses itself, its straight ends included.

    Examples
    --------
    >>> cut = FreehandResection(path_mm=np.array([[0.0, 0, 0], [50, 0, 0]]), direction=(0, 0, -1))
    >>> cut.distance_mm(np.array([[10.0, 3, -40], [90.0, -5, 0]]))
    array([-3.,  5.])
    """

    kind: ClassVar[str] = "freehand"
    path_mm: Points
    direction: Vector

    def __post_init__(self) -> None:
        path, direction = self._checked()
        path.flags.writeable = False
        object.__setattr__(self, "path_mm", path)
        object.__setattr__(self, "direction", tuple(float(v) for v in direction))
        seen = path @ self._axes.T
        if np.linalg.norm(np.ptp(seen, axis=0)) < _LEAST_MM:
            msg = (
                f"a path must have a length when seen along {self.direction}, got none; "
                "choose a direction across it"
            )
            raise UsageError(msg)
        crossing = self._line.crossing()
        if crossing is not None:
            x, y, z = path[crossing]
            msg = (
                "a path and its straight ends must not cross themselves when seen along the "
                f"direction, got a crossing near ({x:.0f}, {y:.0f}, {z:.0f}) mm LPS; draw it "
                "again, with its ends apart"
            )
            raise UsageError(msg)

    def _checked(self) -> tuple[Points, Points]:
        """Path and unit direction, or `UsageError`."""
        path = np.array(self.path_mm, dtype=np.float64)
        direction = np.array(self.direction, dtype=np.float64)
        if path.ndim != 2 or path.shape[1] != 3 or len(path) < 2 or not np.isfinite(path).all():
            msg = f"`path_mm` must be (k, 3) finite numbers, 2 points or more, got {path.shape}"
            raise UsageError(msg)
        ok = direction.shape == (3,) and np.isfinite(direction).all() and direction.any()
        if not ok:
            msg = f"`direction` must be three finite numbers, not all zero, got {self.direction}"
            raise UsageError(msg)
        length = float(np.linalg.norm(direction))
        if abs(length - 1) > 1e-12:  # a unit vector stays as it is, so that a replay is exact
            direction = direction / length
        return path, direction

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FreehandResection):
            return NotImplemented
        return self.direction == other.direction and np.array_equal(self.path_mm, other.path_mm)

    def __hash__(self) -> int:
        return hash((self.path_mm.tobytes(), self.direction))

    def distance_mm(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)``; exact."""
        points = np.asarray(points_mm, dtype=np.float64)
        return -self._line.left_mm((points - self.path_mm[0]) @ self._axes.T)

    def lower(self, points_mm: Points, distance_mm: npt.NDArray[np.float64]) -> None:
        """Lower given distances ``(n,)`` in place where this cut's are smaller."""
        np.minimum(distance_mm, self.distance_mm(points_mm), out=distance_mm)

    def to_dict(self) -> dict[str, Any]:
        """Kind, path and direction."""
        return {
            "kind": self.kind,
            "path_mm": self.path_mm.tolist(),
            "direction": list(self.direction),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """The cut of `to_dict`; the label map plays no part.

        Raises
        ------
        CorruptFileError
            If a value is missing or does not fit.
        """
        path, direction = data.get("path_mm"), vector_of(data, "direction")
        points = path if isinstance(path, list) else []
        ok = all(isinstance(p, list) and len(p) == 3 and all(map(is_number, p)) for p in points)
        if not points or not ok:
            msg = (
                "a freehand resection needs `path_mm`, points of three numbers, "
                f"got {str(path)[:60]!r}; save the plan again"
            )
            raise CorruptFileError(msg)
        try:
            return cls(path_mm=np.array(points, dtype=np.float64), direction=direction)
        except UsageError as e:
            msg = f"the file's freehand resection cannot be used: {e}"
            raise CorruptFileError(msg) from e

    def markups(self) -> list[dict[str, Any]]:
        """The path as a curve, and a line of 100 mm from its middle into the depth."""
        middle = self.path_mm[len(self.path_mm) // 2]
        ends = np.stack([middle, middle + _SHOWN_MM * np.asarray(self.direction)])
        return [
            {
                "type": kind,
                "coordinateSystem": "LPS",
                "coordinateUnits": "mm",
                "controlPoints": [
                    control_point(str(number), label, (float(x), float(y), float(z)))
                    for number, (x, y, z) in enumerate(points, start=1)
                ],
            }
            for kind, label, points in (("Curve", "path", self.path_mm), ("Line", "depth", ends))
        ]

    @cached_property
    def _axes(self) -> npt.NDArray[np.float64]:
        """Unit vectors ``(2, 3)`` to the right and up, for eyes that look along the direction."""
        depth = np.asarray(self.direction)
        right = np.cross(depth, np.eye(3)[int(np.argmin(np.abs(depth)))])
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(right, depth)])

    @cached_property
    def _line(self) -> Polyline:
        return Polyline.of((self.path_mm - self.path_mm[0]) @ self._axes.T)
