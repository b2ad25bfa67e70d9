"""Smooth centrelines, and their radius from the wall of the mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._tube_fit import Wall, lumen, tube_radii
from surgplan.volume import Geometry

_STEP_MM = 1.0
_SMOOTH_PLACES = 5
_WINDOW = 2
"""A radius is the median over the wall next to a point and to so many points on either side."""

_LEAST_WALL = 6
_THICK = 2.0
_OWN_WALL, _OWN_WALL_MM = 1.5, 1.5
"""Wall farther away than this many rough radii, and so many mm, is that of another vessel."""

Mask = npt.NDArray[np.bool_]


def smooth_line(points: Points) -> Points:
    """A line of voxels without its stairs, at steps of at most 1 mm; its ends stay in place."""
    line = points.astype(np.float64)
    for _ in range(2):
        if len(line) > 2:
            size = min(_SMOOTH_PLACES, len(line))
            inner = ndimage.uniform_filter1d(line, size, axis=0, mode="nearest")
            line = np.concatenate([line[:1], inner[1:-1], line[-1:]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    stops = np.linspace(0, along[-1], max(2, int(np.ceil(along[-1] / _STEP_MM)) + 1))
    return np.stack([np.interp(stops, along, line[:, a]) for a in range(3)], axis=1)


def shortened(line: Points, by_mm: float) -> Points:
    """A line ``(k, 3)`` without its last millimetres, never less than half of it."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    stop = max(along[-1] - by_mm, along[-1] / 2)
    end = [np.interp(stop, along, line[:, a]) for a in range(3)]
    return np.concatenate([line[along < stop], [end]])


def wall_points(mask: Mask, geometry: Geometry, opens_into: Mask | None = None) -> Points:
    """LPS points ``(n, 3)`` half-way between face neighbours of which one is in the mask.

    Their distances to the axis of a tube scatter evenly about its radius. Faces between thick
    slices say little about a thin vessel and are left out: the others lie on its wall wherever a
    slice cuts it. Where the mask opens into another one there is no wall.
    """
    spacing = geometry.spacing_mm
    kinds, start = lumen(mask, geometry, opens_into)
    found = []
    for axis in range(3):
        if spacing[axis] > _THICK * min(spacing):
            continue
        step = np.argwhere(np.abs(np.diff(kinds, axis=axis)) == 1).astype(np.float64)
        step[:, axis] += 0.5
        found.append(step + start)
    return geometry.to_lps(np.concatenate(found))


def calibres(
    lines: Sequence[Points],
    parents: Sequence[int | None],
    fallback: Sequence[npt.NDArray[np.float64]],
    wall: Points,
    thick: Wall | None = None,
    *,
    opens: bool = False,
) -> list[npt.NDArray[np.float64]]:
    """Radius at each point of each line.

    Parameters
    ----------
    lines
        Centrelines ``(k, 3)`` LPS mm, parents first.
    parents
        Place of each line's parent.
    fallback
        Radius ``(k,)`` where too little wall is near, as inside another vessel.
    wall
        `wall_points` of the mask.
    thick
        The same wall where slices are thick: there tubes are fitted to it.
    opens
        Whether the roots open into a wider vessel: a line may begin at the rim of its mouth, where
        one side of the wall is near and the other far.
    """
    counts = [len(line) for line in lines]
    distance, near = cKDTree(np.concatenate(list(lines))).query(wall)
    own_wall = distance <= _OWN_WALL * np.concatenate(list(fallback))[near] + _OWN_WALL_MM
    distance, near = distance[own_wall], near[own_wall]
    order = np.argsort(near, kind="stable")
    distance, near = distance[order], near[order]
    first = np.concatenate([[0], np.cumsum(counts)])
    own: list[npt.NDArray[np.float64]] = []
    for number in range(len(lines)):
        places = np.arange(first[number], first[number + 1])
        low = np.searchsorted(near, np.maximum(places - _WINDOW, first[number]), "left")
        high = np.searchsorted(near, np.minimum(places + _WINDOW, first[number + 1] - 1), "right")
        own.append(np.array([
            np.median(distance[a:b]) if b - a >= _LEAST_WALL else r
            for a, b, r in zip(low, high, fallback[number], strict=True)
        ]))  # fmt: skip
    if thick is not None:
        own = tube_radii(lines, own, fallback, thick)
    radii: list[npt.NDArray[np.float64]] = []
    for line, above, radius in zip(lines, parents, own, strict=True):
        mouth = float(np.median(radius)) if opens else 0.0
        inside = mouth if above is None else float(radii[above][-1])
        radii.append(_outside_parent(line, radius, inside))
    return radii


def _outside_parent(
    line: Points, radius: npt.NDArray[np.float64], inside_mm: float
) -> npt.NDArray[np.float64]:
    """Radius as beyond so many mm, where the line still runs inside its parent or its mouth."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    hidden = along < min(inside_mm, along[-1] / 2)
    if hidden.any():
        radius = np.where(hidden, radius[np.argmax(~hidden)], radius)
    return radius
