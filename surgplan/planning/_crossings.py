"""The vessels in the way of a cut, in the order in which it comes to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from surgplan.planning._front import CutFront
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection
from surgplan.planning._vessels_cut import VesselCut, vessels_cut


@dataclass(frozen=True, kw_only=True)
class VesselMet:
    """A vessel that a transection comes to.

    Attributes
    ----------
    vessel
        Which one, where, how wide, what it serves.
    depth_mm
        Way along the cut from where cutting begins to the nearer wall of the vessel.
    progress
        Share of the cut that is divided by then, 0..1.
    tumour, tumour_mm
        Id of the nearest tumour, and how far it is from the wall of the vessel; None without any.
    """

    vessel: VesselCut
    depth_mm: float
    progress: float
    tumour: int | None
    tumour_mm: float | None


def vessels_met(
    prepared: PreparedLiver, resection: Resection, front: CutFront
) -> tuple[VesselMet, ...]:
    """The vessels of `vessels_cut`, all of them, in the order in which a cut comes to them.

    One that is divided at the surface of the liver is met at the depth of the nearest piece of
    the cut.
    """
    search = cKDTree(front.points_mm)
    met = []
    for vessel in vessels_cut(prepared, resection):
        wide = vessel.diameter_mm / 2
        piece = int(search.query(vessel.point_mm)[1])
        depth = max(float(front.depth_mm[piece]) - wide, 0.0)
        own = front.part == front.part[piece]
        tumour, away = _nearest_tumour(prepared, vessel)
        met.append(
            VesselMet(
                vessel=vessel,
                depth_mm=depth,
                progress=float(np.interp(depth, front.depth_mm[own], front.progress[own])),
                tumour=tumour,
                tumour_mm=away,
            )
        )
    return tuple(sorted(met, key=lambda m: m.progress))


def _nearest_tumour(prepared: PreparedLiver, vessel: VesselCut) -> tuple[int | None, float | None]:
    away = [(float(s.tree.query(vessel.point_mm)[0]), s.tumour.id) for s in prepared.tumours]
    if not away:
        return None, None
    distance, tumour = min(away)
    return tumour, max(distance - vessel.diameter_mm / 2, 0.0)
