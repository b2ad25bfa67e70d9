"""The vessels that a resection divides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._corridor import in_liver
from surgplan.planning._perfusion import Perfusion
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection, Vector
from surgplan.planning._territories import SAMPLE_MM
from surgplan.planning._tree_nodes import Mask, Places
from surgplan.planning._vessel_tree import VesselSystem

DividedAt = Literal["cut", "liver surface"]

LEAST_DIAMETER_MM = 2.0
"""Vessels from this diameter on are named to people."""

_HOMING_STEPS = 8
_STEP_MM = 0.2

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class VesselCut:
    """A vessel that has to be divided.

    Attributes
    ----------
    system, branch, label, order
        Which tree, the place of the branch in it, its name (empty if unnamed) and order.
    at
        ``'cut'``: its centreline crosses the cut inside the liver. ``'liver surface'``: it enters
        what is resected from outside the liver, so that it is divided before it enters.
    diameter_mm
        Of the vessel at that place.
    angle_deg
        Between its course and the normal of the cut, 0 (straight through) to 90 (along the cut).
    point_mm
        Where, LPS.
    downstream_ml
        Liver that it serves from there on, on both sides of the cut.
    """

    system: VesselSystem
    branch: int
    label: str
    order: int
    at: DividedAt
    diameter_mm: float
    angle_deg: float
    point_mm: Vector
    downstream_ml: float

    @property
    def name(self) -> str:
        """Its label, or its system and order where it has none."""
        vein = "portal" if self.system == "portal" else "hepatic"
        return self.label or f"{vein} vein branch of order {self.order}"


def vessels_cut(prepared: PreparedLiver, resection: Resection) -> tuple[VesselCut, ...]:
    """Where the centrelines of both vessel trees meet a resection.

    Every place in the liver at which a centreline passes through the cut is one; places on one
    branch that are nearer to each other than the vessel is wide are the same. Where the cut's
    continuation meets vessels outside the liver, nothing is divided; but a vessel that enters the
    resected part from outside is, at the liver's surface. Portal before hepatic, those with most
    liver behind them first.

    Parameters
    ----------
    prepared
        See `prepare`; its trees are worked out when first asked for.
    resection
        What is cut.

    Returns
    -------
    tuple of VesselCut
        Nothing of a system that the labels do not have; ask ``prepared.perfusions.missing``.
    """
    return tuple(
        cut
        for perfusion in prepared.perfusions.each()
        for cut in sorted(_of_tree(prepared, perfusion, resection), key=lambda c: -c.downstream_ml)
    )


def _of_tree(
    prepared: PreparedLiver, perfusion: Perfusion, resection: Resection
) -> Iterator[VesselCut]:
    nodes = perfusion.nodes
    distance = resection.distance_mm(nodes.points_mm)
    child = np.flatnonzero(nodes.above >= 0)
    parent = nodes.above[child]
    changes = (distance[child] < 0) != (distance[parent] < 0)
    changes &= perfusion.inside[child] | perfusion.inside[parent]
    child, parent = child[changes], parent[changes]
    points = _crossings(resection, nodes.points_mm[parent], nodes.points_mm[child])
    inside = in_liver(prepared, points)
    kept = _one_each(perfusion, child[inside])
    place, point = child[inside][kept], points[inside][kept]
    entries = _entries(perfusion, distance)
    at = ["cut"] * len(place) + ["liver surface"] * len(entries)
    place = np.concatenate([place, entries])
    point = np.concatenate([point, nodes.points_mm[entries]])
    angle = _angles(resection, point, _courses(perfusion, place))
    for n, node in enumerate(place.tolist()):
        branch = int(nodes.branch[node])
        x, y, z = (float(v) for v in point[n])
        yield VesselCut(
            system=perfusion.tree.system,
            branch=branch,
            label=perfusion.tree.branches[branch].label,
            order=perfusion.tree.branches[branch].order,
            at="cut" if at[n] == "cut" else "liver surface",
            diameter_mm=2 * float(nodes.radius_mm[node]),
            angle_deg=float(angle[n]),
            point_mm=(x, y, z),
            downstream_ml=float(perfusion.downstream_ml[node]),
        )


def _crossings(resection: Resection, start: Points, stop: Points) -> Points:
    """Where the cut meets straight pieces that begin on one side and end on the other, by halving.

    A piece is half a millimetre, or a gap in the vessel.
    """
    begins = resection.distance_mm(start) < 0
    low, high = np.zeros(len(start)), np.ones(len(start))
    for _ in range(_HOMING_STEPS):
        middle = (low + high) / 2
        same = (resection.distance_mm(start + middle[:, None] * (stop - start)) < 0) == begins
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return start + ((low + high) / 2)[:, None] * (stop - start)


def _one_each(perfusion: Perfusion, place: Places) -> Places:
    """Positions of crossings, without those too near to the one before on the same branch."""
    nodes = perfusion.nodes
    kept: list[int] = []
    for n, node in enumerate(place.tolist()):
        if kept:
            before = int(place[kept[-1]])
            wide = 2 * float(nodes.radius_mm[node])
            if nodes.branch[before] == nodes.branch[node] and (node - before) * SAMPLE_MM < wide:
                continue
        kept.append(n)
    return np.array(kept, dtype=np.int64)


def _entries(perfusion: Perfusion, distance: Values) -> Places:
    """First resected nodes of vessels that come from outside the liver without crossing the cut."""
    nodes = perfusion.nodes
    taken = perfusion.inside & (distance < 0)
    lost: Mask = nodes.behind(np.flatnonzero(taken))
    root = nodes.above < 0
    above = np.where(root, 0, nodes.above)
    from_outside = root | (~lost[above] & ~perfusion.inside[above] & (distance[above] < 0))
    entries: Places = np.flatnonzero(taken & from_outside)
    return entries


def _courses(perfusion: Perfusion, place: Places) -> Points:
    """Direction of the vessel at nodes, over about its width, ``(n, 3)``."""
    nodes = perfusion.nodes
    starts = np.flatnonzero(np.diff(nodes.branch, prepend=-1))
    run = np.searchsorted(starts, place, side="right") - 1
    first, last = starts[run], np.append(starts[1:], len(nodes.branch))[run] - 1
    reach = np.maximum(1, np.round(nodes.radius_mm[place] / SAMPLE_MM)).astype(np.int64)
    behind = np.maximum(place - reach, first)
    behind = np.where((behind == place) & (nodes.above[place] >= 0), nodes.above[place], behind)
    ahead = np.minimum(place + reach, last)
    course: Points = nodes.points_mm[ahead] - nodes.points_mm[behind]
    return course


def _angles(resection: Resection, points: Points, courses: Points) -> Values:
    """Degrees between courses and the normal of the cut, 0..90."""
    steps = _STEP_MM * np.eye(3)
    normal = np.stack(
        [resection.distance_mm(points + s) - resection.distance_mm(points - s) for s in steps],
        axis=1,
    )
    along = np.abs((normal * courses).sum(axis=1))
    size = np.linalg.norm(normal, axis=1) * np.linalg.norm(courses, axis=1)
    angles: Values = np.degrees(np.arccos(np.clip(along / np.maximum(size, 1e-12), 0.0, 1.0)))
    return angles
