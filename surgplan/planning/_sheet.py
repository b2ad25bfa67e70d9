"""A cut as a surface to look at: in the patient, laid flat, and coloured by its margin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import marching_cubes

from surgplan.errors import UsageError
from surgplan.planning._bezier import BezierResection
from surgplan.planning._boundary import Points
from surgplan.planning._charts import grid_of
from surgplan.planning._flatten import flattened, opened, upright
from surgplan.planning._freehand import FreehandResection
from surgplan.planning._kinds import TwoStageResection, UnionResection
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._trim import trim
from surgplan.planning._wedge import WedgeResection
from surgplan.volume import Geometry

Values = npt.NDArray[np.float64]

_FIELD_MM = 2.5
_SMOOTH = 0.8
_STEPS_MM = (0.5, 10.0)
_ASIDE_MM = 8.0


@dataclass(frozen=True, kw_only=True, eq=False)
class CutSheet:
    """The part of a cut that lies in the liver, as triangles; for looking, not for measuring.

    Attributes
    ----------
    points_mm
        ``(n, 3)`` LPS.
    triangles
        ``(m, 3)`` counter-clockwise seen from the remnant.
    flat_mm
        ``(n, 2)`` the same points on a map in millimetres, head up, seen from the resected side.
    margin_mm
        ``(n,)`` distance to the nearest tumour, 0 inside one; inf without tumours.
    """

    points_mm: Points
    triangles: npt.NDArray[np.int64]
    flat_mm: Values
    margin_mm: Values

    @property
    def is_empty(self) -> bool:
        """Whether the cut misses the liver."""
        return len(self.triangles) == 0

    def within(self, low_mm: float, high_mm: float) -> CutSheet:
        """The part whose margin lies between two values, trimmed exactly there."""
        finite = np.minimum(self.margin_mm, 1e6)
        columns = np.column_stack([self.points_mm, self.flat_mm, finite])
        triangles = self.triangles
        columns, triangles, _ = trim(columns, triangles, columns[:, 5] - low_mm)
        columns, triangles, _ = trim(columns, triangles, high_mm - columns[:, 5])
        return CutSheet(
            points_mm=columns[:, :3],
            triangles=triangles,
            flat_mm=columns[:, 3:5],
            margin_mm=columns[:, 5],
        )


def cut_sheet(
    prepared: PreparedLiver, resection: Resection, *, step_mm: float = 3.0, margins: bool = True
) -> CutSheet:
    """The cut within the liver, to look at.

    Planes, patches and freehand cuts keep their own parameters, so that a map of them does not
    jump while they are changed. Other kinds are contoured where their distance is 0, and laid flat
    by the ways along them.

    Parameters
    ----------
    prepared
        The liver.
    resection
        The cut.
    step_mm
        Size of the triangles, 0.5..10.
    margins
        Whether `margin_mm` is worked out; inf otherwise.

    Raises
    ------
    UsageError
        If the step lies outside its limits.
    """
    low, high = _STEPS_MM
    if not low <= step_mm <= high:
        msg = f"`step_mm` must lie in {low:g}..{high:g}, got {step_mm}"
        raise UsageError(msg)
    parts = tuple(_alone(resection))
    sheets = [_part(prepared, parts, number, step_mm) for number in range(len(parts))]
    sheet = _side_by_side([s for s in sheets if not s.is_empty])
    return replace(sheet, margin_mm=_margins(prepared, sheet.points_mm)) if margins else sheet


def _alone(resection: Resection) -> Iterator[Resection]:
    """The parts of a union, and each wedge by itself."""
    if isinstance(resection, UnionResection | TwoStageResection):
        for part in resection.parts:
            yield from _alone(part)
    elif isinstance(resection, WedgeResection):
        for corridor in resection.corridors:
            yield resection.only([corridor.tumour])
    else:
        yield resection


def _part(
    prepared: PreparedLiver, parts: tuple[Resection, ...], number: int, step_mm: float
) -> CutSheet:
    """One part of a union, less what the others resect anyway."""
    part = parts[number]
    surface = liver_field(prepared)
    if isinstance(part, PlaneResection | BezierResection | FreehandResection):
        grid = grid_of(part, surface.centre_mm, surface.radius_mm, step_mm)
        if grid is None:
            return _EMPTY
        triangles = _facing(grid.points_mm.reshape(-1, 3), _cells(grid.flat_mm.shape[:2]), part)
        columns = np.concatenate([grid.points_mm, grid.flat_mm], axis=-1).reshape(-1, 5)
    else:
        points, triangles = _contour(surface, part, step_mm)
        if not len(triangles):
            return _EMPTY
        triangles = _facing(points, triangles, part)
        columns = np.concatenate([points, np.zeros((len(points), 2))], axis=1)
    columns, triangles, _ = trim(columns, triangles, surface.depth_at(columns[:, :3]))
    for other in (*parts[:number], *parts[number + 1 :]):
        columns, triangles, _ = trim(columns, triangles, other.distance_mm(columns[:, :3]))
    if not len(triangles):
        return _EMPTY
    return _laid(part, columns, triangles)


def _laid(part: Resection, columns: Values, triangles: npt.NDArray[np.int64]) -> CutSheet:
    points, flat = columns[:, :3], columns[:, 3:]
    if isinstance(part, WedgeResection):
        corridor, swept = part.corridors[0], part.swept[0]
        flat = opened(
            points, triangles, np.asarray(swept.centre_mm), np.asarray(corridor.direction)
        )
    elif not flat.any():
        flat = flattened(points, triangles)
    flat = upright(flat, points, triangles)
    return CutSheet(
        points_mm=points,
        triangles=triangles,
        flat_mm=flat,
        margin_mm=np.full(len(points), np.inf),
    )


def _side_by_side(sheets: list[CutSheet]) -> CutSheet:
    """Several sheets as one; on the map they stand beside each other."""
    if not sheets:
        return _EMPTY
    flat, first, start = [], [], 0
    right = 0.0
    for sheet in sheets:
        moved = sheet.flat_mm - sheet.flat_mm.min(axis=0)
        flat.append(moved + np.array([right, 0.0]))
        right += float(np.ptp(moved[:, 0])) + _ASIDE_MM
        first.append(start)
        start += len(sheet.points_mm)
    return CutSheet(
        points_mm=np.concatenate([s.points_mm for s in sheets]),
        triangles=np.concatenate([s.triangles + n for s, n in zip(sheets, first, strict=True)]),
        flat_mm=np.concatenate(flat),
        margin_mm=np.concatenate([s.margin_mm for s in sheets]),
    )


def _margins(prepared: PreparedLiver, points_mm: Points) -> Values:
    margin = np.full(len(points_mm), np.inf)
    for shape in prepared.tumours:
        np.minimum(margin, shape.tree.query(points_mm)[0], out=margin)
        low, high = shape.boundary.points_mm.min(axis=0), shape.boundary.points_mm.max(axis=0)
        within = np.flatnonzero(((points_mm >= low) & (points_mm <= high)).all(axis=1))
        margin[within[shape.boundary.inside(points_mm[within]) > 0]] = 0.0
    return margin


@dataclass(frozen=True, kw_only=True, eq=False)
class LiverField:
    """How deep in the liver, on a thinner grid: positive inside; smooth, for drawing.

    `centre_mm` and `radius_mm` are of a ball around the liver, LPS.
    """

    geometry: Geometry
    field: npt.NDArray[np.float32]
    centre_mm: Points
    radius_mm: float

    def depth_at(self, points_mm: Points) -> Values:
        """Values ``(n,)`` at LPS points ``(n, 3)``; a half is added where all is liver."""
        index = self.geometry.to_index(points_mm).T
        depth: Values = ndimage.map_coordinates(
            self.field, index, order=1, mode="constant", cval=-0.5, output=np.float64
        )
        return depth


@lru_cache(maxsize=2)
def liver_field(prepared: PreparedLiver) -> LiverField:
    """The liver thinned out and smoothed, once for each case."""
    fine = prepared.blocks.geometry
    stride = np.maximum(1, np.round(_FIELD_MM / np.asarray(fine.spacing_mm))).astype(int)
    # Means over blocks keep what thinning alone would miss.
    mean = ndimage.uniform_filter(prepared.liver.astype(np.float32), tuple(stride.tolist()))
    thin = mean[tuple(slice(None, None, int(n)) for n in stride)]
    field = ndimage.gaussian_filter(np.pad(thin, 2), _SMOOTH) - np.float32(0.5)
    affine = fine.affine.copy()
    affine[:3, :3] *= stride
    affine[:3, 3] -= affine[:3, :3] @ (2, 2, 2)
    geometry = Geometry(shape=field.shape, affine=affine)
    points = geometry.to_lps(np.argwhere(field > 0))
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    return LiverField(geometry=geometry, field=field, centre_mm=centre, radius_mm=radius)


def _contour(
    surface: LiverField, resection: Resection, step_mm: float
) -> tuple[Points, npt.NDArray[np.int64]]:
    """Where the distance is 0, on a grid over the liver."""
    coarse = np.array(surface.geometry.shape) - 1
    extent = coarse * surface.geometry.spacing_mm
    counts = np.maximum(2, np.ceil(extent / step_mm).astype(int) + 1)
    axes = [np.linspace(0, n, c) for n, c in zip(coarse, counts, strict=True)]
    index = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    points = surface.geometry.to_lps(index.reshape(-1, 3))
    distance = np.full(len(points), 2 * step_mm)  # farther away nobody needs to know
    resection.lower(points, distance)
    distance = distance.reshape(tuple(counts.tolist()))
    if not (distance.min() < 0 < distance.max()):
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    vertices, faces, *_ = marching_cubes(distance, 0.0)
    placed = surface.geometry.to_lps(vertices * coarse / (counts - 1))
    return placed, faces.astype(np.int64)


def _cells(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Two triangles for each cell of a grid."""
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    a, b, c, d = (
        corner.ravel()
        for corner in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:])
    )
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])


def _facing(
    points_mm: Points, triangles: npt.NDArray[np.int64], resection: Resection
) -> npt.NDArray[np.int64]:
    """Triangles turned so that they face the remnant."""
    some = triangles[:: max(1, len(triangles) // 50)]
    a, b, c = (points_mm[some[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-9)[:, None]
    middle = (a + b + c) / 3
    away = resection.distance_mm(middle + normals) - resection.distance_mm(middle - normals)
    return triangles if away.sum() > 0 else triangles[:, ::-1]


_EMPTY = CutSheet(
    points_mm=np.zeros((0, 3)),
    triangles=np.zeros((0, 3), dtype=np.int64),
    flat_mm=np.zeros((0, 2)),
    margin_mm=np.zeros(0),
)
