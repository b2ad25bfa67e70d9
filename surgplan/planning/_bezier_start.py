"""Control points to begin with: those of a plane, and those of a contour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import comb

from surgplan.errors import UsageError
from surgplan.planning._boundary import Points
from surgplan.planning._resection import PlaneResection, Vector

Values = npt.NDArray[np.float64]

_ALONG = 256
_BEYOND = 1.1
_STIFFNESS = 1e-3
_THINNEST_MM = 5.0
_MISS_MM = 10.0


def plane_grid(point_mm: Vector, normal: Vector, size_mm: float, grid: tuple[int, int]) -> Points:
    """Control points ``(m, n, 3)`` of a flat square whose front the normal points to."""
    plane = PlaneResection(point_mm=point_mm, normal=normal)
    if not (np.isfinite(size_mm) and size_mm > 0):
        msg = f"`size_mm` of a patch must be more than 0, got {size_mm}"
        raise UsageError(msg)
    unit = np.asarray(plane.normal)
    along = np.cross(unit, np.eye(3)[int(np.argmin(np.abs(unit)))])
    along /= np.linalg.norm(along)
    axes = np.stack([along, np.cross(unit, along), unit])
    half = (size_mm / 2, size_mm / 2)
    return height_grid(np.asarray(plane.point_mm), axes, half, np.zeros(checked(grid)))


def contour_grid(contour_mm: Points, grid: tuple[int, int]) -> Points:
    """Control points ``(m, n, 3)`` of the smoothest height field through a closed contour.

    Over the contour's own plane, a tenth larger than the contour; least squares with a weak
    stiffness, so that the middle spans what the contour says about its rim.
    """
    contour = np.asarray(contour_mm, dtype=np.float64)
    if contour.ndim != 2 or contour.shape[1] != 3 or len(contour) < 3:
        msg = f"`contour_mm` must be (k, 3) with 3 points or more, got {contour.shape}"
        raise UsageError(msg)
    if not np.isfinite(contour).all():
        msg = "`contour_mm` must be finite numbers, got some that are not"
        raise UsageError(msg)
    points = _evenly(contour)
    centre = points.mean(axis=0)
    _, spread, axes = np.linalg.svd(points - centre, full_matrices=False)
    if spread[1] / np.sqrt(len(points)) < _THINNEST_MM / 2:
        msg = f"a contour must enclose an area, got one less than {_THINNEST_MM:g} mm wide"
        raise UsageError(msg)
    axes[2] = np.cross(axes[0], axes[1])
    local = (points - centre) @ axes.T
    middle = (local.min(axis=0) + local.max(axis=0)) / 2 * (1, 1, 0)
    local -= middle
    half = _BEYOND * np.abs(local[:, :2]).max(axis=0)
    heights, miss = _fitted(local / (*half, 1.0), checked(grid))
    if miss > _MISS_MM:
        msg = (
            f"a patch must follow its contour within {_MISS_MM:g} mm, got {miss:.1f} mm; "
            "use a larger `grid` or a contour nearer to a plane"
        )
        raise UsageError(msg)
    return height_grid(centre + middle @ axes, axes, (half[0], half[1]), heights)


def height_grid(
    centre_mm: Values, axes: Values, half_mm: tuple[float, float], heights_mm: Values
) -> Points:
    """Control points of a height field over a rectangle.

    Parameters
    ----------
    centre_mm
        Middle of the rectangle, LPS.
    axes
        ``(3, 3)`` unit vectors as rows: along the rectangle's sides, and up; right-handed.
    half_mm
        Half its sides.
    heights_mm
        ``(m, n)`` of the control points.
    """
    a, b = (h * np.linspace(-1.0, 1.0, n) for h, n in zip(half_mm, heights_mm.shape, strict=True))
    local = np.stack([*np.meshgrid(a, b, indexing="ij"), heights_mm], axis=-1)
    points: Points = np.asarray(centre_mm) + local @ axes
    return points


def checked(grid: tuple[int, int], least: int = 2) -> tuple[int, int]:
    """A number of control points either way, or `UsageError` where one is too small."""
    if len(grid) != 2 or min(grid) < least:
        msg = f"`grid` must be two numbers of {least} or more control points, got {grid}"
        raise UsageError(msg)
    return int(grid[0]), int(grid[1])


def _evenly(contour: Points) -> Points:
    """Points ``(n, 3)`` evenly along a closed contour."""
    closed = np.concatenate([contour, contour[:1]])
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0.0, way[-1], _ALONG, endpoint=False)
    return np.stack([np.interp(at, way, closed[:, axis]) for axis in range(3)], axis=1)


def _fitted(local: Points, grid: tuple[int, int]) -> tuple[Values, float]:
    """Heights ``(m, n)`` of control points over -1..1, and the largest miss in mm."""
    by_a, by_b = (_bernstein(local[:, axis], n) for axis, n in enumerate(grid))
    meets = np.einsum("ki,kj->kij", by_a, by_b).reshape(len(local), -1)
    bends = [
        np.kron(np.diff(np.eye(grid[0]), n=2, axis=0), np.eye(grid[1])),
        np.kron(np.eye(grid[0]), np.diff(np.eye(grid[1]), n=2, axis=0)),
    ]
    stiff = np.sqrt(_STIFFNESS * len(local)) * np.concatenate(bends)
    wanted = np.concatenate([local[:, 2], np.zeros(len(stiff))])
    heights = np.linalg.lstsq(np.concatenate([meets, stiff]), wanted, rcond=None)[0]
    miss = float(np.abs(meets @ heights - local[:, 2]).max())
    return heights.reshape(grid), miss


def _bernstein(at: Values, count: int) -> Values:
    """Bernstein polynomials over -1..1, ``(n, count)``."""
    k = np.arange(count)
    share = (at[:, None] + 1) / 2
    values: Values = comb(count - 1, k) * share**k * (1 - share) ** (count - 1 - k)
    return values
