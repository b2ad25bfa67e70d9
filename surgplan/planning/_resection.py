"""What a resection is, and the plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from surgplan.errors import CorruptFileError, UsageError
from surgplan.volume import LabelMap

Points = npt.NDArray[np.float64]
Vector = tuple[float, float, float]

_SHEET_MM = 200.0


@runtime_checkable
class Resection(Protocol):
    """A signed distance in LPS millimetres: negative is resected, positive stays, 0 is the cut.

    Volumes, margins and cuts all follow from `distance_mm`. It must be right in sign everywhere,
    exact near the cut, and change by at most about 1 mm per millimetre (a slack of 1 mm is
    granted), so that whole blocks of liver can be judged by their middle.
    """

    kind: ClassVar[str]

    def distance_mm(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)``."""
        ...

    def lower(self, points_mm: Points, distance_mm: npt.NDArray[np.float64]) -> None:
        """Lower given distances ``(n,)`` in place where this resection's are smaller.

        The same as a minimum with `distance_mm`, but free to skip points that stay as they are.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to build it again, with its kind, as JSON values."""
        ...

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """Built again; kinds that follow the anatomy take it from the label map."""
        ...

    def markups(self) -> list[dict[str, Any]]:
        """Markups of 3D Slicer that show it, in LPS."""
        ...


@dataclass(frozen=True, kw_only=True)
class PlaneResection:
    """A flat cut: the side that the normal points to is resected.

    Attributes
    ----------
    point_mm
        A point on the plane, LPS.
    normal
        Direction towards the resected side; any length but 0, kept as a unit vector.

    Raises
    ------
    UsageError
        If a number is not finite or the normal has no length.

    Examples
    --------
    >>> cut = PlaneResection(point_mm=(10, 0, 0), normal=(2, 0, 0))
    >>> cut.distance_mm(np.array([[13.0, 5, 5], [7.0, 0, 0]]))
    array([-3.,  3.])
    """

    kind: ClassVar[str] = "plane"
    point_mm: Vector
    normal: Vector

    def __post_init__(self) -> None:
        point = np.asarray(self.point_mm, dtype=np.float64)
        normal = np.asarray(self.normal, dtype=np.float64)
        ok = point.shape == normal.shape == (3,)
        if not (ok and np.isfinite(point).all() and np.isfinite(normal).all() and normal.any()):
            msg = (
                "`point_mm` and `normal` must be three finite numbers, the normal not zero, "
                f"got {self.point_mm} and {self.normal}"
            )
            raise UsageError(msg)
        length = float(np.linalg.norm(normal))
        if abs(length - 1) > 1e-12:  # a unit normal stays as it is, so that a replay is exact
            normal = normal / length
        object.__setattr__(self, "point_mm", tuple(float(v) for v in point))
        object.__setattr__(self, "normal", tuple(float(v) for v in normal))

    def distance_mm(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)``; exact."""
        points = np.asarray(points_mm, dtype=np.float64)
        (px, py, pz), (nx, ny, nz) = self.point_mm, self.normal
        distance: npt.NDArray[np.float64] = (
            (px - points[..., 0]) * nx + (py - points[..., 1]) * ny + (pz - points[..., 2]) * nz
        )
        return distance

    def lower(self, points_mm: Points, distance_mm: npt.NDArray[np.float64]) -> None:
        """Lower given distances ``(n,)`` in place where this plane's are smaller."""
        np.minimum(distance_mm, self.distance_mm(points_mm), out=distance_mm)

    def to_dict(self) -> dict[str, Any]:
        """Kind, point and normal."""
        return {"kind": self.kind, "point_mm": list(self.point_mm), "normal": list(self.normal)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """The plane of `to_dict`; the label map plays no part.

        Raises
        ------
        CorruptFileError
            If a value is missing or no vector of three numbers.
        """
        point, normal = vector_of(data, "point_mm"), vector_of(data, "normal")
        return cls(point_mm=point, normal=normal)

    def markups(self) -> list[dict[str, Any]]:
        """A plane markup of 200 mm that faces the resected side."""
        return [
            {
                "type": "Plane",
                "coordinateSystem": "LPS",
                "coordinateUnits": "mm",
                "planeType": "pointNormal",
                "sizeMode": "absolute",
                "size": [_SHEET_MM, _SHEET_MM, 0.0],
                "center": list(self.point_mm),
                "normal": list(self.normal),
                "controlPoints": [control_point("1", "cut", self.point_mm)],
            }
        ]


def takes(resection: Resection, points_mm: Points) -> npt.NDArray[np.bool_]:
    """Which of ``(n, 3)`` LPS points are resected, ``(n,)``; quicker than their distances."""
    distance = np.zeros(len(points_mm))
    resection.lower(points_mm, distance)
    resected: npt.NDArray[np.bool_] = distance < 0
    return resected


def control_point(number: str, label: str, position_mm: Vector) -> dict[str, Any]:
    """A control point of a Slicer markup, LPS."""
    return {
        "id": number,
        "label": label,
        "position": list(position_mm),
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": "defined",
    }


def vector_of(data: Mapping[str, Any], name: str) -> Vector:
    """Three finite numbers by name, or `CorruptFileError`."""
    value = data.get(name)
    numbers = isinstance(value, list | tuple) and len(value) == 3
    if numbers and all(is_number(v) for v in value or ()):
        x, y, z = (float(v) for v in value or ())
        return x, y, z
    msg = f"a resection needs `{name}` as three numbers, got {value!r}; save the plan again"
    raise CorruptFileError(msg)


def is_number(value: object) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
