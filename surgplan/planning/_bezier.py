"""A curved cut: a Bezier patch over a grid of control points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self, cast, get_args

import numpy as np
import numpy.typing as npt

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning._bezier_folds import fold_of
from surgplan.planning._bezier_start import contour_grid, plane_grid
from surgplan.planning._bezier_surface import PatchSurface
from surgplan.planning._bowl import bowl_grid
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._resection import Points, Vector, control_point, is_number
from surgplan.planning._tumours import Tumour
from surgplan.volume import LabelMap

Side = Literal["front", "back"]

_COUNTS = (2, 8)
_OUTLINE = 12
_ON_THE_CUT_MM = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class BezierResection:
    """A cut along a Bezier patch that goes on smoothly beyond its edges.

    Beyond an edge the cut leaves in the patch's own tangents and straightens, so that every point
    has a side. Two patches are equal where their points and sides are.

    Attributes
    ----------
    control_points_mm
        ``(m, n, 3)`` LPS, 2..8 either way; read-only. The corners lie on the cut, the others pull.
    resected_side
        ``"front"``: where the thumb of the right hand points when its fingers turn from the first
        axis of the grid to the second; ``"back"``: the other side.

    Raises
    ------
    UsageError
        If the grid is too small or large, a number is not finite, the side unknown, or the patch
        or its continuation folds over itself or bends more sharply than a radius of 3 mm.

    Examples
    --------
    >>> cut = BezierResection.from_plane((10, 0, 0), (2, 0, 0), size_mm=100)
    >>> cut.distance_mm(np.array([[13.0, 5, 5], [7.0, 90, 0]])).round(9)
    array([-3.,  3.])
    """

    kind: ClassVar[str] = "bezier"
    control_points_mm: Points
    resected_side: Side = "front"

    def __post_init__(self) -> None:
        points = self._checked()
        points.flags.writeable = False
        object.__setattr__(self, "control_points_mm", points)
        where = fold_of(self._surface)
        if where is not None:
            x, y, z = where
            msg = (
                "a Bezier patch must not fold over itself or bend more sharply than 3 mm, got one "
                f"that does near ({x:.0f}, {y:.0f}, {z:.0f}) mm LPS; move its points apart there"
            )
            raise UsageError(msg)

    def _checked(self) -> Points:
        """A copy of the control points, or `UsageError`."""
        points = np.array(self.control_points_mm, dtype=np.float64)
        low, high = _COUNTS
        ok = points.ndim == 3 and points.shape[2] == 3
        if not (ok and all(low <= n <= high for n in points.shape[:2])):
            msg = (
                f"`control_points_mm` must be (m, n, 3) with m and n in {low}..{high}, "
                f"got {points.shape}"
            )
            raise UsageError(msg)
        if not np.isfinite(points).all():
            msg = "`control_points_mm` must be finite numbers, got some that are not"
            raise UsageError(msg)
        if self.resected_side not in get_args(Side):
            msg = f"`resected_side` must be 'front' or 'back', got {self.resected_side!r}"
            raise UsageError(msg)
        return points

    @classmethod
    def from_plane(
        cls,
        point_mm: Vector,
        normal: Vector,
        *,
        size_mm: float = 200.0,
        grid: tuple[int, int] = (4, 4),
    ) -> Self:
        """A flat, square patch around a point; the side that the normal points to is resected.

        Raises
        ------
        UsageError
            If the normal has no length, or the size or the grid is too small.
        """
        return cls(control_points_mm=plane_grid(point_mm, normal, size_mm, grid))

    @classmethod
    def from_contour(
        cls, contour_mm: Points, *, resected_mm: Vector, grid: tuple[int, int] = (4, 4)
    ) -> Self:
        """A patch that spans a closed contour, such as one drawn on the surface of the liver.

        Parameters
        ----------
        contour_mm
            ``(k, 3)`` LPS in drawing order; the last point joins the first.
        resected_mm
            A point that is to be resected, such as the middle of a tumour.
        grid
            Control points either way; more follow a contour more closely.

        Raises
        ------
        UsageError
            If the contour is too short or straight, or the patch misses it by more than 10 mm,
            or `resected_mm` lies on the patch.
        """
        cut = cls(control_points_mm=contour_grid(contour_mm, grid))
        height = float(cut.distance_mm(np.array([resected_mm], dtype=np.float64))[0])
        if not abs(height) > _ON_THE_CUT_MM:
            msg = (
                f"`resected_mm` must lie to one side of the patch, got {resected_mm} "
                f"at {height:.2f} mm from it; choose a point further away"
            )
            raise UsageError(msg)
        return cut if height < 0 else cut.other_side()

    @classmethod
    def around_tumours(
        cls,
        label_map: LabelMap,
        tumours: Sequence[Tumour],
        margin_mm: float,
        *,
        grid: tuple[int, int] = (4, 4),
    ) -> Self:
        """A bowl that goes around some tumours of a label map, open to the liver's surface.

        Of the bowls that keep the margin everywhere, about the one that takes the least liver.

        Raises
        ------
        NothingToDoError
            If there is no tumour among `tumours`, or no liver.
        ScanMismatchError
            If a tumour is not of this label map.
        UsageError
            If the margin lies outside 0.5..50 mm, or the grid is smaller than 3 x 3.
        """
        return cls.on(prepare(label_map), [t.id for t in tumours], margin_mm, grid=grid)

    @classmethod
    def on(
        cls,
        prepared: PreparedLiver,
        tumours: Sequence[int],
        margin_mm: float,
        *,
        grid: tuple[int, int] = (4, 4),
    ) -> Self:
        """As `around_tumours`, for a liver made ready before and tumours by id."""
        return cls(control_points_mm=bowl_grid(prepared, tumours, margin_mm, grid))

    def other_side(self) -> Self:
        """The same patch with its other side resected."""
        side: Side = "back" if self.resected_side == "front" else "front"
        return type(self)(control_points_mm=self.control_points_mm, resected_side=side)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BezierResection):
            return NotImplemented
        same_side = self.resected_side == other.resected_side
        return same_side and np.array_equal(self.control_points_mm, other.control_points_mm)

    def __hash__(self) -> int:
        return hash((self.control_points_mm.tobytes(), self.resected_side))

    def distance_mm(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)`` to the patch and its continuation.

        By Newton's method from the nearest of many seeds: exact to rounding near the cut, and
        within 0.1 mm where two parts of the cut are about equally near.
        """
        height = self._surface.height_mm(points_mm)
        return -height if self.resected_side == "front" else height

    def lower(self, points_mm: Points, distance_mm: npt.NDArray[np.float64]) -> None:
        """Lower given distances ``(n,)`` in place where this patch's are smaller."""
        np.minimum(distance_mm, self.distance_mm(points_mm), out=distance_mm)

    def to_dict(self) -> dict[str, Any]:
        """Kind, control points and side."""
        return {
            "kind": self.kind,
            "control_points_mm": self.control_points_mm.tolist(),
            "resected_side": self.resected_side,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """The patch of `to_dict`; the label map plays no part.

        Raises
        ------
        CorruptFileError
            If a value is missing or does not fit.
        """
        rows, side = data.get("control_points_mm"), data.get("resected_side")
        if not _is_grid(rows) or not isinstance(side, str):
            msg = (
                "a Bezier resection needs `control_points_mm`, rows of points of three numbers, "
                f"and `resected_side`, a word, got {str(rows)[:60]!r} and {side!r}; "
                "save the plan again"
            )
            raise CorruptFileError(msg)
        points = np.array(rows, dtype=np.float64)
        try:
            return cls(control_points_mm=points, resected_side=cast(Side, side))
        except UsageError as e:
            msg = f"the file's Bezier resection cannot be used: {e}"
            raise CorruptFileError(msg) from e

    def markups(self) -> list[dict[str, Any]]:
        """The control points, row by row, and the patch's edge as a closed curve."""
        rows, columns = self.control_points_mm.shape[:2]
        names = [f"{i + 1}-{j + 1}" for i in range(rows) for j in range(columns)]
        return [
            _markup("Fiducial", names, self.control_points_mm.reshape(-1, 3)),
            _markup("ClosedCurve", [], self._edge_mm()),
        ]

    def _edge_mm(self) -> Points:
        """Points ``(k, 3)`` around the patch."""
        ahead = np.linspace(-1.0, 1.0, _OUTLINE, endpoint=False)
        one = np.ones(_OUTLINE)
        u = np.concatenate([ahead, one, -ahead, -one])
        v = np.concatenate([-one, ahead, one, -ahead])
        return self._surface.points_mm(u, v)

    @cached_property
    def _surface(self) -> PatchSurface:
        return PatchSurface.of(self.control_points_mm)


def _is_grid(rows: Any) -> bool:
    """Whether a JSON value is a list of equally long lists of points."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        return False
    points = [point for row in rows for point in row]
    numbers = all(isinstance(p, list) and len(p) == 3 and all(map(is_number, p)) for p in points)
    return numbers and len({len(row) for row in rows}) == 1


def _markup(kind: str, names: Sequence[str], points_mm: Points) -> dict[str, Any]:
    labels = names or [f"edge-{i + 1}" for i in range(len(points_mm))]
    points = []
    for number, (label, (x, y, z)) in enumerate(zip(labels, points_mm, strict=True), start=1):
        points.append(control_point(str(number), label, (float(x), float(y), float(z))))
    return {
        "type": kind,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": points,
    }
