"""The vessels that a resection divides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._corridor import in_liver
from surgplan.planning._looks import Looks
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

_NONE = np.zeros((0, 3))


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
        Liver that it serves from there on, on both sides of the cut; None where the vessels of its
        system are not known far enough to say.
    """

    system: VesselSystem
    branch: int
    label: str
    order: int
    at: DividedAt
    diameter_mm: float
    angle_deg: float
    point_mm: Vector
    downstream_ml: float | None

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
    return vessels_met_by(prepared, resection, Looks.of(prepared, resection))


def vessels_met_by(
    prepared: PreparedLiver, resection: Resection, looks: Looks
) -> tuple[VesselCut, ...]:
    """As `vessels_cut`, from what is known of the resection."""
    places = [
        _Places.of(perfusion, resected)
        for perfusion, resected in zip(prepared.perfusions.each(), looks.resected(), strict=True)
    ]
    crossing = _in_parts(_crossings(resection, places), [len(p.child) for p in places])
    pairs = zip(places, crossing, strict=True)
    met = [p.met(points, in_liver(prepared, points)) for p, points in pairs]
    divided = [np.concatenate([crossing, entries]) for crossing, entries, _ in met]
    courses = [_courses(p.perfusion, node) for p, node in zip(places, divided, strict=True)]
    points = [point for *_, point in met]
    angles = _in_parts(
        _angles(resection, np.concatenate([_NONE, *points]), np.concatenate([_NONE, *courses])),
        [len(p) for p in points],
    )
    found: list[VesselCut] = []
    for own, node, (first, _, point), angle in zip(places, divided, met, angles, strict=True):
        found += own.named(node, point, angle, len(first))
    return tuple(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Places:
    """Where a vessel system changes sides.

    Attributes
    ----------
    perfusion
        The system.
    child
        ``(n,)`` nodes on the other side of the cut than the node above them.
    begins
        ``(n,)`` whether the node above is resected.
    entries
        ``(m,)`` first resected nodes of vessels that enter the liver there.
    lost
        ``(nodes,)`` whether a node, or one on its way to the root, is resected in the liver.
    """

    perfusion: Perfusion
    child: Places
    begins: Mask
    entries: Places
    lost: Mask

    @classmethod
    def of(cls, perfusion: Perfusion, resected: Mask) -> _Places:
        nodes = perfusion.nodes
        child = np.flatnonzero(nodes.above >= 0)
        parent = nodes.above[child]
        changes = resected[child] != resected[parent]
        changes &= perfusion.inside[child] | perfusion.inside[parent]
        child = child[changes]
        lost = perfusion.lost_from(resected)
        return cls(
            perfusion=perfusion,
            child=child,
            begins=resected[nodes.above[child]],
            entries=_entries(perfusion, resected, lost),
            lost=lost,
        )

    def met(self, points: Points, inside: Mask) -> tuple[Places, Places, Points]:
        """Nodes of crossings in the liver, one each, and of entries; and the points of both.

        A vessel that crosses the cut just before it enters the liver is divided at its surface.
        """
        nodes = self.perfusion.nodes
        kept = _one_each(self.perfusion, self.child[inside])
        before = ~inside & ~self.begins & self.perfusion.inside[self.child]
        before &= ~self.lost[nodes.above[self.child]]
        crossing = self.child[inside][kept]
        entries = np.concatenate([self.entries, self.child[before]])
        return crossing, entries, np.concatenate([points[inside][kept], nodes.points_mm[entries]])

    def named(
        self, node: Places, points: Points, angle: Values, crossings: int
    ) -> Iterator[VesselCut]:
        """What is divided at nodes, in words and numbers, those with most liver behind them first.

        As many of the nodes as said are crossings, before the others.
        """
        nodes, tree = self.perfusion.nodes, self.perfusion.tree
        behind_ml = self.perfusion.downstream_ml[node]
        for n in np.argsort(-behind_ml, kind="stable"):
            place = int(node[n])
            branch = int(nodes.branch[place])
            x, y, z = (float(v) for v in points[n])
            yield VesselCut(
                system=tree.system,
                branch=branch,
                label=tree.branches[branch].label,
                order=tree.branches[branch].order,
                at="cut" if n < crossings else "liver surface",
                diameter_mm=2 * float(nodes.radius_mm[place]),
                angle_deg=float(angle[n]),
                point_mm=(x, y, z),
                downstream_ml=float(behind_ml[n]) if self.perfusion.is_known else None,
            )


def _in_parts(values: Values, sizes: list[int]) -> list[Values]:
    """Rows of an array in runs of the given lengths."""
    return np.split(values, np.cumsum(sizes))[: len(sizes)]


def _crossings(resection: Resection, places: list[_Places]) -> Points:
    """Where the cut meets the straight pieces that begin on one side and end on the other.

    A piece is half a millimetre, or a gap in the vessel; it is divided in sixteen again and again.
    """
    ends = [(p.perfusion.nodes, p.child, p.begins) for p in places]
    start = np.concatenate([_NONE, *(n.points_mm[n.above[child]] for n, child, _ in ends)])
    stop = np.concatenate([_NONE, *(n.points_mm[child] for n, child, _ in ends)])
    begins = np.concatenate([np.zeros(0, dtype=bool), *(b for *_, b in ends)])
    low, width = np.zeros(len(start)), 1.0
    for _ in range(_HOMING_ROUNDS):
        width /= _HOMING_PARTS
        share = low[:, None] + width * np.arange(1, _HOMING_PARTS)
        points = start[:, None] + share[..., None] * (stop - start)[:, None]
        resected = (resection.distance_mm(points.reshape(-1, 3)) < 0).reshape(share.shape)
        same = np.logical_and.accumulate(resected == begins[:, None], axis=1)
        low = low + width * same.sum(axis=1)
    met: Points = start + (low + width / 2)[:, None] * (stop - start)
    return met


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


def _entries(perfusion: Perfusion, resected: Mask, lost: Mask) -> Places:
    """First resected nodes of vessels that come from outside the liver without crossing the cut."""
    nodes = perfusion.nodes
    taken = perfusion.inside & resected
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
