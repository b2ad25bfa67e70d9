"""How far the cut stays from tumours and structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.planning._blocks import FIRST_STRUCTURE, OUTSIDE, STRUCTURES
from surgplan.planning._boundary import Points
from surgplan.planning._clusters import SLACK_MM, Look
from surgplan.planning._cut import Patches
from surgplan.planning._prepare import Structure
from surgplan.planning._resection import Resection, Vector
from surgplan.planning._tumours import TumourShape
from surgplan.volume import Code

Side = Literal["resected", "cut through", "left behind"]

BANDS_MM = (1.0, 5.0, 10.0)
"""Areas of the cut are given below each of these distances to a tumour."""

CONTINUED_MM = 5.0
"""A cut also counts as crossing what it would meet this far beyond the liver."""

_TOLERANCE_MM = 0.1
_NEAREST = 20


@dataclass(frozen=True, kw_only=True)
class TumourMargin:
    """What the cut means for one tumour.

    Attributes
    ----------
    tumour, name
        Its id, and the words for it.
    volume_ml
        By counting voxels.
    side
        Whether it is resected whole, cut through or left behind whole.
    margin_mm
        Smallest distance between tumour and cut; where the cut passes through the tumour, minus
        the depth of tumour that stays behind.
    at_mm
        Where on the tumour, LPS.
    cut_within_mm2
        Area of the cut nearer to the tumour than 1, 5 and 10 mm (by more than 0.1 mm).
    """

    tumour: int
    name: str
    volume_ml: float
    side: Side
    margin_mm: float
    at_mm: Vector
    cut_within_mm2: tuple[float, float, float]

    @property
    def resected(self) -> bool:
        """Whether the whole tumour is resected."""
        return self.side == "resected"


@dataclass(frozen=True, kw_only=True)
class StructureDistance:
    """How near the cut comes to a vessel system or the bile ducts.

    Attributes
    ----------
    name, code
        What it is.
    distance_mm
        Smallest distance between its surface and the cut in the liver, 0 where crossed; None
        where the cut misses the liver.
    crossed
        Whether the cut, continued 5 mm beyond the liver, passes through it.
    crossed_area_mm2
        Area of the cut within it.
    """

    name: str
    code: Code
    distance_mm: float | None
    crossed: bool
    crossed_area_mm2: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """The patches of a cut inside the liver, searchable."""

    patches: Patches
    tree: cKDTree

    @classmethod
    def of(cls, patches: Patches) -> Sheet | None:
        """None where the cut misses the liver."""
        inside = patches.in_liver()
        return cls(patches=inside, tree=cKDTree(inside.points_mm)) if len(inside.area_mm2) else None

    def distance_mm(
        self, points_mm: Points, *, at_most_mm: float = np.inf
    ) -> npt.NDArray[np.float64]:
        """Distances ``(n,)`` to the cut; inf beyond ``at_most_mm``.

        To the plane of the nearest patch where the foot falls into it, so that a flat cut is met
        exactly, else to its middle.
        """
        limit = at_most_mm + self.patches.size_mm
        straight, nearest = self.tree.query(points_mm, distance_upper_bound=limit)
        result = np.full(len(points_mm), np.inf)
        found = np.isfinite(straight)
        offset = points_mm[found] - self.patches.points_mm[nearest[found]]
        height = np.abs((offset * self.patches.normals[nearest[found]]).sum(axis=1))
        aside = np.sqrt(np.maximum(straight[found] ** 2 - height**2, 0.0))
        result[found] = np.where(aside <= self.patches.size_mm, height, straight[found])
        return result

    def nearest_of(self, look: Look) -> tuple[float, int]:
        """Smallest distance of many points, and which point has it.

        The resection's own distances say where to look: the cut in the liver is no nearer.
        """
        away = np.abs(look.within(look.least_mm))
        first = np.argpartition(away, min(_NEAREST, len(away) - 1))[:_NEAREST]
        near = look.points_mm[first[np.isfinite(away[first])]]
        bound = float(self.distance_mm(near).min())
        away = np.abs(look.within(bound + SLACK_MM))
        ask = np.flatnonzero(away <= bound + SLACK_MM)
        distance = self.distance_mm(look.points_mm[ask], at_most_mm=bound + 1e-6)
        best = int(np.argmin(distance))
        return float(distance[best]), int(ask[best])


def tumour_margin(shape: TumourShape, resection: Resection, sheet: Sheet | None) -> TumourMargin:
    """Margin, side and areas of one tumour."""
    look = Look(shape.clusters, resection)
    signed = look.within(0.0)
    resected = bool((signed <= 0).all())
    if not resected and (signed < 0).any():
        side: Side = "cut through"
        highest, at = look.highest()
        margin = -highest
    else:
        side = "resected" if resected else "left behind"
        if sheet is None:
            away = np.abs(look.within(look.least_mm))
            at = int(np.argmin(away))
            margin = float(away[at])
        else:
            margin, at = sheet.nearest_of(look)
    x, y, z = (float(v) for v in look.points_mm[at])
    return TumourMargin(
        tumour=shape.tumour.id,
        name=f"tumour {shape.tumour.id}",
        volume_ml=shape.tumour.volume_ml,
        side=side,
        margin_mm=margin,
        at_mm=(x, y, z),
        cut_within_mm2=_areas(shape, sheet),
    )


def _areas(shape: TumourShape, sheet: Sheet | None) -> tuple[float, float, float]:
    if sheet is None:
        return 0.0, 0.0, 0.0
    points, area = sheet.patches.points_mm, sheet.patches.area_mm2
    low = shape.boundary.points_mm.min(axis=0) - BANDS_MM[-1]
    high = shape.boundary.points_mm.max(axis=0) + BANDS_MM[-1]
    close = ((points >= low) & (points <= high)).all(axis=1)
    distance, _ = shape.tree.query(points[close], distance_upper_bound=BANDS_MM[-1])
    inside = shape.boundary.inside(points[close]) > 0
    one, five, ten = (
        float(area[close][inside | (distance < band - _TOLERANCE_MM)].sum()) for band in BANDS_MM
    )
    return one, five, ten


def structure_distance(
    structure: Structure, resection: Resection, patches: Patches, sheet: Sheet | None
) -> StructureDistance:
    """Distance from a structure to the cut, and whether the cut crosses it."""
    number = FIRST_STRUCTURE + STRUCTURES.index(structure.segment)
    name, code = structure.segment.name, structure.segment.code
    if sheet is None:
        return StructureDistance(
            name=name, code=code, distance_mm=None, crossed=False, crossed_area_mm2=0.0
        )
    beyond = patches.where(patches.tissue == number + OUTSIDE)
    met = np.isfinite(sheet.distance_mm(beyond.points_mm, at_most_mm=CONTINUED_MM))
    area = float(patches.area_mm2[patches.tissue == number].sum() + beyond.area_mm2[met].sum())
    distance = 0.0
    if area == 0:
        distance, _ = sheet.nearest_of(Look(structure.clusters, resection))
    return StructureDistance(
        name=name, code=code, distance_mm=distance, crossed=area > 0, crossed_area_mm2=area
    )
