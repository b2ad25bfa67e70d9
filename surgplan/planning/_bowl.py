"""A bowl around tumours, as the control points of a patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from surgplan.errors import NothingToDoError, ScanMismatchError, UsageError
from surgplan.planning._bezier_start import Values, checked, height_grid
from surgplan.planning._bezier_surface import PatchSurface
from surgplan.planning._blocks import OUTSIDE
from surgplan.planning._boundary import Points
from surgplan.planning._corridor import capsule_points, corridor_of
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._tumours import TumourShape

_MARGIN_MM = (0.5, 50.0)
_CURVATURES_PER_MM = 1 / np.geomspace(7.0, 200.0, 16)
_DIRECTIONS = 400
_CLEARANCE_MM = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class _Frame:
    """Where a bowl stands: middle of the tumours, and axes as rows, across twice and out."""

    centre_mm: Values
    axes: Values

    def local(self, points_mm: Points) -> Points:
        local: Points = (points_mm - self.centre_mm) @ self.axes.T
        return local


def bowl_grid(
    prepared: PreparedLiver, tumours: Sequence[int], margin_mm: float, grid: tuple[int, int]
) -> Points:
    """Control points ``(m, n, 3)`` of a paraboloid that keeps a margin around tumours.

    It opens the way that the wedges around the tumours take, on average. What it takes is convex,
    so that a margin around the corners of the tumours' hull is one around the tumours. Of 16 x 16
    pairs of curvatures, the one that takes the least liver.
    """
    low, high = _MARGIN_MM
    if not low <= margin_mm <= high:
        msg = f"`margin_mm` of a bowl must lie in {low:g}..{high:g}, got {margin_mm}"
        raise UsageError(msg)
    grid = checked(grid, least=3)
    shapes = _chosen(prepared, tumours)
    boundary = np.concatenate([shape.boundary.points_mm for shape in shapes])
    hull = boundary[ConvexHull(boundary).vertices]
    frame = _frame(prepared, shapes, hull, margin_mm)
    local = frame.local(hull)
    bends, depth, top = _tightest(prepared, frame, local, margin_mm)
    to_the_top = np.sqrt(2 * np.maximum(top - depth, 10.0) / bends)
    half = np.maximum(to_the_top, np.abs(local[:, :2]).max(axis=0) + margin_mm)
    heights = sum(
        np.expand_dims(b * h**2 / 2 * bernstein_square(n), axis)
        for b, h, n, axis in zip(bends, half, grid, (1, 0), strict=True)
    )
    bottom = frame.centre_mm + depth * frame.axes[2]
    points = height_grid(bottom, frame.axes, (half[0], half[1]), np.asarray(heights))
    wanted_mm = margin_mm + _CLEARANCE_MM
    while (lacking := wanted_mm - PatchSurface.of(points).height_mm(hull).min()) > 0:
        points = points - (lacking + _CLEARANCE_MM) * frame.axes[2]
    return points


def _chosen(prepared: PreparedLiver, wanted: Sequence[int]) -> list[TumourShape]:
    if not wanted:
        msg = "a bowl needs at least one tumour, got none; mark one, or take a plane"
        raise NothingToDoError(msg)
    by_id = {shape.tumour.id: shape for shape in prepared.tumours}
    missing = sorted(set(wanted) - set(by_id))
    if missing:
        msg = (
            f"a bowl needs its tumours in the label map, which has {sorted(by_id)} "
            f"and not {missing}; use the label map that they are from"
        )
        raise ScanMismatchError(msg)
    return [by_id[number] for number in sorted(set(wanted))]


def _frame(
    prepared: PreparedLiver, shapes: Sequence[TumourShape], hull: Points, margin_mm: float
) -> _Frame:
    """Out along the mean of the tumours' ways out; across along the longer extent of the hull."""
    capsule = capsule_points(prepared)
    ways = np.array([corridor_of(prepared, s, capsule, margin_mm).direction for s in shapes])
    out = ways.sum(axis=0)
    if np.linalg.norm(out) < 0.5:  # they point away from each other: follow the largest
        out = ways[0]
    out = out / np.linalg.norm(out)
    centre = hull.mean(axis=0)
    across = (hull - centre) - np.outer((hull - centre) @ out, out)
    first = np.linalg.svd(across, full_matrices=False)[2][0]
    axes = np.stack([first, np.cross(out, first), out])
    local = (hull - centre) @ axes.T
    middle = (local.min(axis=0) + local.max(axis=0)) / 2
    return _Frame(centre_mm=centre + middle @ axes, axes=axes)


def _tightest(
    prepared: PreparedLiver, frame: _Frame, hull: Points, margin_mm: float
) -> tuple[Values, float, float]:
    """Curvatures ``(2,)``, depth of the bottom and height of the liver of the tightest bowl."""
    inward = _lower_half()
    around = hull[np.argmax(hull @ inward.T, axis=0)] + margin_mm * inward
    blocks = prepared.blocks
    liver = frame.local(blocks.centre_mm)
    weights = blocks.counts[:, :OUTSIDE].sum(axis=1)
    pairs = np.stack(np.meshgrid(_CURVATURES_PER_MM, _CURVATURES_PER_MM), -1).reshape(-1, 2) / 2
    depths = np.array([(around[:, 2] - around[:, :2] ** 2 @ bend).min() for bend in pairs])
    taken = [
        weights[liver[:, 2] - liver[:, :2] ** 2 @ bend > depth].sum()
        for bend, depth in zip(pairs, depths, strict=True)
    ]
    best = int(np.argmin(taken))
    return 2 * pairs[best], float(depths[best]), float(liver[:, 2].max())


def _lower_half() -> Points:
    """Directions ``(n, 3)`` spread evenly over the half-sphere that points in."""
    count = np.arange(_DIRECTIONS) + 0.5
    down = count / _DIRECTIONS
    turn = np.pi * (1 + np.sqrt(5)) * count
    across = np.sqrt(1 - down**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), -down], axis=1)


def bernstein_square(count: int) -> Values:
    """Bernstein coefficients of the square over -1..1, ``(count,)``."""
    degree = count - 1
    k = np.arange(count, dtype=np.float64)
    square: Values = 4 * k * (k - 1) / (degree * (degree - 1)) - 4 * k / degree + 1
    return square
