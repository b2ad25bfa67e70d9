"""Where a sheet passes through a slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surgplan.planning import CutSheet

Points = npt.NDArray[np.float64]


def crossing(sheet: CutSheet, axis: int, at_mm: float) -> tuple[Points, npt.NDArray[np.float64]]:
    """Straight pieces in which a sheet meets a slice.

    Parameters
    ----------
    sheet
        Of a cut.
    axis, at_mm
        The slice: 0, 1, 2 for x, y, z in LPS, and where it lies.

    Returns
    -------
    ends, margin_mm
        ``(k, 2, 3)`` LPS, and ``(k,)`` the mean margin of each piece.
    """
    corners = sheet.points_mm[sheet.triangles]
    height = corners[:, :, axis] - at_mm
    height = np.where(height == 0, 1e-9, height)
    ahead = np.roll(height, -1, axis=1)
    crossed = (height > 0) != (ahead > 0)
    cut = crossed.sum(axis=1) == 2
    share = np.where(crossed, height / np.where(crossed, height - ahead, 1.0), 0.0)
    margins = np.minimum(sheet.margin_mm, 1e6)[sheet.triangles]
    places = np.concatenate([corners, margins[:, :, None]], axis=2)
    met = places + share[:, :, None] * (np.roll(places, -1, axis=1) - places)
    pieces = met[cut][crossed[cut]].reshape(-1, 2, 4)
    pieces[:, :, axis] = at_mm
    return pieces[:, :, :3], pieces[:, :, 3].mean(axis=1)


def ribbon(
    sheet: CutSheet, axis: int, at_mm: float, width_mm: float
) -> tuple[Points, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The same as a flat ribbon that lies in the slice.

    Returns
    -------
    points_mm, triangles, margin_mm
        ``(n, 3)`` LPS, ``(m, 3)``, and ``(n,)`` constant along each straight piece.
    """
    ends, margin = crossing(sheet, axis, at_mm)
    along = ends[:, 1] - ends[:, 0]
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    ends = ends + np.stack([-along, along], axis=1) * width_mm / 4  # no gaps at bends
    across = np.cross(along, np.eye(3)[axis]) * width_mm / 2
    sides = [ends[:, 0] - across, ends[:, 0] + across, ends[:, 1] + across, ends[:, 1] - across]
    points = np.stack(sides, axis=1).reshape(-1, 3)
    first = 4 * np.arange(len(margin))[:, None]
    triangles = np.concatenate([first + (0, 1, 2), first + (0, 2, 3)])  # noqa: RUF005 (sums)
    return points, triangles, np.repeat(margin, 4)
