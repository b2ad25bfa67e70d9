"""The vessels that a resection divides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._clusters import sides
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

_HOMING_ROUNDS = 2
_HOMING_PARTS = 16
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
    resected = sides(nodes.clusters, resection)
    child = np.flatnonzero(nodes.above >= 0)
    parent = nodes.above[child]
    changes = resected[child] != resected[parent]
    changes &= perfusion.inside[child] | perfusion.inside[parent]
    child, parent = child[changes], parent[changes]
    ends = nodes.points_mm[parent], nodes.points_mm[child]
    points = _crossings(resection, *ends, begins=resected[parent])
    inside = in_liver(prepared, points)
    kept = _one_each(perfusion, child[inside])
    place, point = child[inside][kept], points[inside][kept]
    entries = _entries(perfusion, resected)
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


def _crossings(resection: Resection, start: Points, stop: Points, *, begins: Mask) -> Points:
    """Where the cut meets straight pieces that begin on one side and end on the other.

    A piece is half a millimetre, or a gap in the vessel; it is divided in sixteen again and again.
    """
    low, width = np.zeros(len(start)), 1.0
    for _ in range(_HOMING_ROUNDS):
        width /= _HOMING_PARTS
        share = low[:, None] + width * np.arange(1, _HOMING_PARTS)
        points = start[:, None] + share[..., None] * (stop - start)[:, None]
        resected = (resection.distance_mm(points.reshape(-1, 3)) < 0).reshape(share.shape)
        same = np.logical_and.accumulate(resected == begins[:, None], axis=1)
        low = low + width * same.sum(axis=1)
    return start + (low + width / 2)[:, None] * (stop - start)


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


def _entries(perfusion: Perfusion, resected: Mask) -> Places:
    """First resected nodes of vessels that come from outside the liver without crossing the cut."""
    nodes = perfusion.nodes
    taken = perfusion.inside & resected
    lost: Mask = nodes.behind(np.flatnonzero(taken))
    root = nodes.above < 0
    above = np.where(root, 0, nodes.above)
    from_outside = root | (~lost[above] & ~perfusion.inside[above] & resected[above])
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
    steps = _STEP_MM * np.concatenate([np.eye(3), -np.eye(3)])
    around = resection.distance_mm((points[:, None] + steps).reshape(-1, 3)).reshape(-1, 6)
    normal = around[:, :3] - around[:, 3:]
    along = np.abs((normal * courses).sum(axis=1))
    size = np.linalg.norm(normal, axis=1) * np.linalg.norm(courses, axis=1)
    angles: Values = np.degrees(np.arccos(np.clip(along / np.maximum(size, 1e-12), 0.0, 1.0)))
    return angles
