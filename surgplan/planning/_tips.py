"""The ends of centrelines, followed on to the ends of their vessels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surgplan.planning._lines import Lines, Places, Values

_LOOK_BACK_STEPS = 5
"""From so many places back an end's direction is taken."""

_REACH_RADII, _REACH_MM = 3.0, 3.0
"""Thinning draws the end of a line back by no more than so many radii and so many mm."""

_FORWARD = 0.5
_TURN = 0.3
_AHEAD = 0.1

_STEPS = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
_STEPS = _STEPS[np.abs(_STEPS).any(axis=1)]
_UNITS = _STEPS / np.linalg.norm(_STEPS, axis=1)[:, None]


def followed(lines: Lines, depth: npt.NDArray[np.float32], step_mm: float) -> Lines:
    """Lines whose ends go on, along the middle, to where the mask ends.

    Thinning draws ends back from the wall by a radius and more, so that a cut through the last
    millimetres of a vessel would not meet its line. Voxels added take the radius of the end that
    they carry on.

    Parameters
    ----------
    lines
        In the middle of what is solid.
    depth
        ``(slice, row, column)`` to the wall in mm, positive inside, on cubes; not inside at the
        edge of the grid.
    step_mm
        Edge of a cube.
    """
    index, radius_mm = lines.index, lines.radius_mm
    taken = np.zeros(depth.shape, dtype=bool)
    taken[tuple(index.T)] = True
    links = _links(lines.edges, len(index))
    for end in np.flatnonzero([len(near) == 1 for near in links]).tolist():
        steps = int((_REACH_RADII * radius_mm[end] + _REACH_MM) / step_mm)
        added = _on(index[end], _way(index, links, end), depth, taken, steps)
        places = np.append(end, len(lines.index) + np.arange(len(added)))
        lines = lines.with_more(
            added,
            np.full(len(added), radius_mm[end]),
            np.stack([places[:-1], places[1:]], axis=1),
        )
    return lines


def _links(edges: Places, count: int) -> list[list[int]]:
    """The places next to each place."""
    links: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges.tolist():
        links[a].append(b)
        links[b].append(a)
    return links


def _way(index: Places, links: list[list[int]], end: int) -> Values:
    """Unit vector in which a line arrives at its end, in voxels."""
    before, here = end, links[end][0]
    for _ in range(_LOOK_BACK_STEPS - 1):
        on = [place for place in links[here] if place != before]
        if len(on) != 1:
            break
        before, here = here, on[0]
    way = (index[end] - index[here]).astype(np.float64)
    unit: Values = way / np.linalg.norm(way)
    return unit


def _on(
    start: Places,
    way: Values,
    depth: npt.NDArray[np.float32],
    taken: npt.NDArray[np.bool_],
    steps: int,
) -> Places:
    """Voxels ``(k, 3)`` on from an end, each the deepest ahead, up to the wall or another line."""
    here, found = start, []
    for _ in range(steps):
        near = here + _STEPS
        place = tuple(near.T)
        forward = _UNITS @ way
        ahead = forward >= _FORWARD
        inside = ahead & (depth[place] > 0)
        if (taken[place] & ahead).any() or not inside.any():
            break
        best = int(np.argmax(np.where(inside, depth[place] + _AHEAD * forward, -np.inf)))
        here = near[best]
        taken[tuple(here)] = True
        found.append(here)
        way = (1 - _TURN) * way + _TURN * _UNITS[best]
        way = way / np.linalg.norm(way)
    return np.array(found, dtype=np.int64).reshape(-1, 3)
