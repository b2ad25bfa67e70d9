"""The way by which a wedge leaves the liver."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._resection import Vector
from surgplan.planning._tumours import TumourShape

if TYPE_CHECKING:
    from surgplan.planning._prepare import PreparedLiver

_COARSE_MM = 2.5
_CLEAR_OF_VESSELS_MM = 8.0
_FREE_RUN_MM = np.arange(5.0, 31.0, 2.5)
_CANDIDATES = 3000


@dataclass(frozen=True, kw_only=True)
class Corridor:
    """How the piece around one tumour comes out.

    Attributes
    ----------
    tumour
        Its id.
    direction
        Unit vector from the tumour's centre to the liver's surface, LPS.
    end_mm
        Where the corridor ends along it, measured from the centre; outside the liver.
    """

    tumour: int
    direction: Vector
    end_mm: float


@lru_cache(maxsize=2)
def capsule_points(prepared: PreparedLiver) -> Points:
    """Points ``(n, 3)`` on the liver's outer surface, about 2.5 mm apart, LPS.

    Cavities do not count, nor what lies within 8 mm of a vessel or bile duct outside the liver,
    unless nothing else is left: no piece comes out through the hilum.
    """
    geometry = prepared.blocks.geometry
    stride = np.maximum(1, np.round(_COARSE_MM / np.asarray(geometry.spacing_mm))).astype(int)
    coarse = np.pad(prepared.liver[tuple(slice(None, None, int(n)) for n in stride)], 1)
    around, _ = ndimage.label(~coarse)
    skin = coarse & ndimage.binary_dilation(around == around[0, 0, 0])
    points = geometry.to_lps((np.argwhere(skin) - 1) * stride)
    vessels = [s.points_mm[~in_liver(prepared, s.points_mm)] for s in prepared.structures]
    outside = np.concatenate([*vessels, np.zeros((0, 3))])
    if len(outside):
        distance, _ = cKDTree(outside).query(points, distance_upper_bound=_CLEAR_OF_VESSELS_MM)
        clear = points[np.isinf(distance)]
        points = clear if len(clear) else points
    points.flags.writeable = False
    return points


def corridor_of(
    prepared: PreparedLiver, shape: TumourShape, capsule: Points, margin_mm: float
) -> Corridor:
    """The shortest way from the tumour's centre to open space in front of the capsule.

    A way that enters the liver again within 30 mm behind the capsule, as across a fissure, is
    taken only where there is no other.
    """
    centre = np.asarray(shape.tumour.centre_mm)
    reach = np.linalg.norm(capsule - centre, axis=1)
    order = np.argsort(reach, kind="stable")[:_CANDIDATES]
    order = order[reach[order] > 0]
    directions = (capsule[order] - centre) / reach[order, None]
    run = capsule[order, None, :] + directions[:, None, :] * _FREE_RUN_MM[:, None]
    blocked = in_liver(prepared, run.reshape(-1, 3)).reshape(run.shape[:2]).any(axis=1)
    best = int(np.argmin(blocked))  # the first free one, or the nearest where none is free
    x, y, z = (float(v) for v in directions[best])
    end = float(reach[order[best]]) + shape.tumour.diameter_mm / 2 + margin_mm
    return Corridor(tumour=shape.tumour.id, direction=(x, y, z), end_mm=end)


def in_liver(prepared: PreparedLiver, points_mm: Points) -> npt.NDArray[np.bool_]:
    """Which of ``(n, 3)`` LPS points lie in a voxel of the liver, ``(n,)``."""
    index = np.round(prepared.blocks.geometry.to_index(points_mm)).astype(int)
    shape = np.asarray(prepared.liver.shape)
    inside = ((index >= 0) & (index < shape)).all(axis=1)
    result = np.zeros(len(index), dtype=bool)
    i, j, k = index[inside].T
    result[inside] = prepared.liver[i, j, k]
    return result
