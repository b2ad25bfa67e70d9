"""Where a vessel tree begins: the portal trunk, and the mouths of the hepatic veins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._rooted import APART, ROOT, Rooted, rooted_at
from surgplan.planning._skeleton import Skeleton

_MOUTH_MM = 4.0
"""A vein opens into the vena cava where so little is between its wall and the cava's."""

_LOST_MM, _LONG_MM = 30.0, 100.0
"""Vessels so long in all whose end lies so near to the vena cava have lost their last piece to it.

On a scan whose vena cava or veins near it were not found whole.
"""

_APART_MM = 6.0
"""Mouths that are nearer to each other along the veins are one."""

_FEEDER_MM = 15.0
"""Vessels that meet the trunk outside the liver are feeders from this length on."""


def portal_root(skeleton: Skeleton, inside: npt.NDArray[np.bool_]) -> Rooted:
    """The portal tree from its root on, without its feeders.

    The trunk is the largest piece that hangs on the part spanned by the ends inside the liver. Its
    root is where it first divides outside the liver (the confluence), or its end. Without a trunk,
    the root is the thickest end.

    Parameters
    ----------
    skeleton
        Of the portal mask.
    inside
        ``(n,)``, whether each place lies in the liver.
    """
    chosen = _largest_piece(skeleton, inside)
    thickest = _thickest_end(skeleton, chosen)
    whole = rooted_at(skeleton, [thickest])
    trunk = _trunk(whole, inside & chosen)
    root = trunk[-1] if trunk else thickest
    tree = rooted_at(skeleton, [root])
    parent = tree.parent
    if trunk:
        along = np.zeros(len(parent), dtype=bool)
        along[trunk] = True
        parent = parent.copy()
        for kid in np.flatnonzero((parent == root) & ~along):
            parent[_below(tree, int(kid))] = APART
    return Rooted(skeleton=skeleton, parent=parent)


def hepatic_forest(skeleton: Skeleton, cava_mm: Points) -> Rooted:
    """The hepatic veins from their mouths on the vena cava on, without the rims of mouths.

    Roots are also the likeliest end of each piece that is long and nearly reaches the vena cava;
    the thickest end of the largest piece if nothing comes near it.

    Parameters
    ----------
    skeleton
        Of the hepatic veins without the vena cava.
    cava_mm
        Wall of the vena cava, ``(n, 3)`` LPS mm; may be empty.
    """
    if len(cava_mm):
        away = cKDTree(cava_mm).query(skeleton.points_mm)[0] - skeleton.radius_mm
        roots = _one_each(skeleton, np.flatnonzero(away <= _MOUTH_MM), away)
        roots += _lost_mouths(skeleton, roots, away)
        if roots:
            return _without_rims(rooted_at(skeleton, roots), away <= _MOUTH_MM)
    everywhere = np.ones(len(skeleton.points_mm), dtype=bool)
    return rooted_at(skeleton, [_thickest_end(skeleton, _largest_piece(skeleton, everywhere))])


def _without_rims(rooted: Rooted, at_cava: npt.NDArray[np.bool_]) -> Rooted:
    """Without short ends that come back to the vena cava: they are the rim of a mouth, no veins."""
    kids, parent = rooted.kids(), rooted.parent.copy()
    for leaf in np.flatnonzero((kids == 0) & (parent >= 0) & at_cava):
        path = rooted.path_up(int(leaf), kids >= 2)
        steps = np.diff(rooted.skeleton.points_mm[path], axis=0)
        if kids[path[-1]] >= 2 and np.linalg.norm(steps, axis=1).sum() <= _APART_MM:
            parent[path[:-1]] = APART
    return Rooted(skeleton=rooted.skeleton, parent=parent)


def _lost_mouths(skeleton: Skeleton, roots: list[int], away: npt.NDArray[np.float64]) -> list[int]:
    """For each long piece without a root the end with the shortest way over its radius to go."""
    count, piece = csgraph.connected_components(skeleton.graph())
    ends = skeleton.points_mm[skeleton.edges]
    steps = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    length = np.bincount(piece[skeleton.edges[:, 0]], steps, minlength=count)
    way = away / _end_radius(skeleton)
    way[(np.bincount(skeleton.edges.ravel(), minlength=len(away)) > 1) | (away > _LOST_MM)] = np.inf
    lost = []
    for number in np.setdiff1d(np.flatnonzero(length >= _LONG_MM), piece[roots]):
        own = np.flatnonzero(piece == number)
        place = int(own[np.argmin(way[own])])
        if np.isfinite(way[place]):
            lost.append(place)
    return lost


def _one_each(
    skeleton: Skeleton, near: npt.NDArray[np.int64], away: npt.NDArray[np.float64]
) -> list[int]:
    """The nearest place of each group of places that lie close to each other."""
    graph = skeleton.graph()
    degree = np.bincount(skeleton.edges.ravel(), minlength=len(away))
    piece = csgraph.connected_components(graph)[1]
    roots: list[int] = []
    for place in near[np.lexsort((away[near], degree[near] > 1))]:  # ends first, then the nearest
        if roots:
            reach = csgraph.dijkstra(graph, indices=roots, min_only=True, limit=_group_mm(skeleton))
            inner = degree[place] > 1 and piece[place] in piece[roots]
            if inner or np.isfinite(reach[place]):
                continue
        roots.append(int(place))
    return roots


def _group_mm(skeleton: Skeleton) -> float:
    return _APART_MM + 2 * float(np.percentile(skeleton.radius_mm, 95))


def _largest_piece(skeleton: Skeleton, counted: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Places of the connected piece with most volume among the counted places."""
    count, piece = csgraph.connected_components(skeleton.graph())
    weight = np.bincount(piece, counted * skeleton.radius_mm**2, minlength=count)
    chosen: npt.NDArray[np.bool_] = piece == int(np.argmax(weight))
    return chosen


def _thickest_end(skeleton: Skeleton, among: npt.NDArray[np.bool_]) -> int:
    degree = np.bincount(skeleton.edges.ravel(), minlength=len(among))
    ends = np.flatnonzero(among & (degree <= 1))
    return int(ends[np.argmax(_end_radius(skeleton)[ends])])


def _end_radius(skeleton: Skeleton) -> npt.NDArray[np.float64]:
    """Radii ``(n,)`` mm, where an end is as thick as what leads to it."""
    radius = skeleton.radius_mm.copy()
    for a, b in ((0, 1), (1, 0)):
        np.maximum.at(radius, skeleton.edges[:, a], skeleton.radius_mm[skeleton.edges[:, b]])
    return radius


def _trunk(whole: Rooted, inside: npt.NDArray[np.bool_]) -> list[int]:
    """Places from the liver's part of the tree out along the trunk; empty where there is none."""
    skeleton = whole.skeleton
    kids = whole.kids()
    leaves = np.flatnonzero((kids == 0) & whole.reached | (whole.parent == ROOT))
    core = _spanned(whole, leaves[inside[leaves]])
    if not core.any():
        return []
    pieces = rooted_at(skeleton, np.flatnonzero(core).tolist())
    outer = whole.reached & ~core
    weight = _behind(pieces, np.where(outer, skeleton.radius_mm**2, 0.0))
    starts = np.flatnonzero(outer & (pieces.parent >= 0))
    starts = starts[core[pieces.parent[starts]]]
    if len(starts) == 0:
        return []
    start = int(starts[np.argmax(weight[starts])])
    return _out_along(pieces, start, inside)


def _out_along(pieces: Rooted, start: int, inside: npt.NDArray[np.bool_]) -> list[int]:
    """From a place outwards, along the only long way, up to where there are two."""
    length = _depth(pieces)
    trunk = [int(pieces.parent[start]), start]
    below: dict[int, list[int]] = {}
    for child in np.flatnonzero(pieces.parent >= 0):
        below.setdefault(int(pieces.parent[child]), []).append(int(child))
    while kids := below.get(trunk[-1], []):
        long = [k for k in kids if length[k] >= _FEEDER_MM]
        if len(long) >= 2 and not inside[trunk[-1]]:
            break
        trunk.append(max(kids, key=lambda k: float(length[k])))
    return trunk


def _spanned(whole: Rooted, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Places of the smallest subtree that holds all these ends."""
    marks = np.zeros(len(whole.parent))
    marks[ends] = 1
    behind = _behind(whole, marks)
    return (behind > 0) & ((behind < len(ends)) | (marks > 0) | _fork(whole, behind, len(ends)))


def _fork(whole: Rooted, behind: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.bool_]:
    """The one place that has all ends behind it while none of its followers has."""
    all_behind = behind == count
    has_such_kid = np.zeros(len(behind), dtype=bool)
    inner = np.flatnonzero(all_behind & (whole.parent >= 0))
    has_such_kid[whole.parent[inner]] = True
    fork: npt.NDArray[np.bool_] = all_behind & ~has_such_kid
    return fork


def _top_down(rooted: Rooted) -> list[int]:
    below: dict[int, list[int]] = {}
    for child in np.flatnonzero(rooted.parent >= 0):
        below.setdefault(int(rooted.parent[child]), []).append(int(child))
    order = [int(r) for r in np.flatnonzero(rooted.parent == ROOT)]
    for place in order:
        order += below.get(place, [])
    return order


def _behind(rooted: Rooted, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums over each place and all behind it."""
    total = values.astype(np.float64)
    for place in reversed(_top_down(rooted)):
        above = rooted.parent[place]
        if above >= 0:
            total[above] += total[place]
    return total


def _depth(rooted: Rooted) -> npt.NDArray[np.float64]:
    """Longest way from each place outwards, mm."""
    depth = np.zeros(len(rooted.parent))
    points = rooted.skeleton.points_mm
    for place in reversed(_top_down(rooted)):
        above = rooted.parent[place]
        if above >= 0:
            step = float(np.linalg.norm(points[place] - points[above]))
            depth[above] = max(depth[above], depth[place] + step)
    return depth


def _below(rooted: Rooted, start: int) -> list[int]:
    marks = np.zeros(len(rooted.parent), dtype=bool)
    marks[start] = True
    for place in _top_down(rooted):
        above = rooted.parent[place]
        if above >= 0 and marks[above]:
            marks[place] = True
    return [int(i) for i in np.flatnonzero(marks)]
