"""Where the centrelines of vessels pass through a cut in the liver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._front import CutFront
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection, Vector
from surgplan.planning._vessel_tree import VesselSystem, VesselTree

_SAMPLE_MM = 0.5
_ON_CUT_MM = 4.0


@dataclass(frozen=True, kw_only=True)
class VesselMet:
    """A vessel that a transection comes to.

    Attributes
    ----------
    system, branch, label, order
        Which vessel: its place in `VesselTree.branches`, its name (empty if unnamed), its order.
    diameter_mm
        Where it is cut.
    point_mm
        Where its centreline passes through the cut, LPS.
    depth_mm
        Way along the cut from where cutting begins to the nearer wall of the vessel.
    progress
        Share of the cut that is divided by then, 0..1.
    tumour, tumour_mm
        Id of the nearest tumour, and how far it is from the wall of the vessel; None without any.
    """

    system: VesselSystem
    branch: int
    label: str
    order: int
    diameter_mm: float
    point_mm: Vector
    depth_mm: float
    progress: float
    tumour: int | None
    tumour_mm: float | None


def vessels_met(
    prepared: PreparedLiver,
    resection: Resection,
    front: CutFront,
    trees: Sequence[VesselTree],
) -> tuple[VesselMet, ...]:
    """The vessels that a cut passes through, in the order in which it comes to them.

    A vessel that the cut passes through more than once is met each time.
    """
    search = cKDTree(front.points_mm)
    met = []
    for tree in trees:
        points, owner, radius = _passages(tree, resection)
        away, piece = search.query(points)
        for place in np.flatnonzero(away <= _ON_CUT_MM):
            at, wide = points[place], float(radius[place])
            own = front.part == front.part[piece[place]]
            depth = max(float(front.depth_mm[piece[place]]) - wide, 0.0)
            progress = np.interp(depth, front.depth_mm[own], front.progress[own])
            tumour, tumour_mm = _nearest_tumour(prepared, at, wide)
            x, y, z = (float(v) for v in at)
            branch = int(owner[place])
            met.append(
                VesselMet(
                    system=tree.system,
                    branch=branch,
                    label=tree.branches[branch].label,
                    order=tree.branches[branch].order,
                    diameter_mm=2 * wide,
                    point_mm=(x, y, z),
                    depth_mm=depth,
                    progress=float(progress),
                    tumour=tumour,
                    tumour_mm=tumour_mm,
                )
            )
    return tuple(sorted(met, key=lambda m: (m.progress, m.system, m.branch)))


def _passages(
    tree: VesselTree, resection: Resection
) -> tuple[Points, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Points ``(n, 3)`` at which centrelines change sides, their branch and radius."""
    found, owners, radii = [np.zeros((0, 3))], [], []
    for number, branch in enumerate(tree.branches):
        along = np.linalg.norm(np.diff(branch.points_mm, axis=0), axis=1)
        at = np.concatenate([[0.0], np.cumsum(along)])
        stops = np.linspace(0, at[-1], max(2, int(np.ceil(at[-1] / _SAMPLE_MM)) + 1))
        points = np.stack([np.interp(stops, at, branch.points_mm[:, a]) for a in range(3)], axis=1)
        height = resection.distance_mm(points)
        before = np.flatnonzero((height[:-1] < 0) != (height[1:] < 0))
        share = height[before] / (height[before] - height[before + 1])
        found.append(points[before] + share[:, None] * (points[before + 1] - points[before]))
        stop = stops[before] + share * (stops[before + 1] - stops[before])
        radii.append(np.interp(stop, at, branch.radius_mm))
        owners.append(np.full(len(before), number))
    return np.concatenate(found), np.concatenate(owners), np.concatenate(radii)


def _nearest_tumour(
    prepared: PreparedLiver, point: Points, radius_mm: float
) -> tuple[int | None, float | None]:
    away = [(float(s.tree.query(point)[0]), s.tumour.id) for s in prepared.tumours]
    if not away:
        return None, None
    distance, tumour = min(away)
    return tumour, max(distance - radius_mm, 0.0)
