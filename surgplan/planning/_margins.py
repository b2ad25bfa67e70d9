"""How far the cut stays from tumours and structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.planning._blocks import FIRST_STRUCTURE, OUTSIDE, STRUCTURES
from surgplan.planning._boundary import Points
from surgplan.planning._clusters import SLACK_MM, Look, ask
from surgplan.planning._far_tree import far_tree
from surgplan.planning._pieces import Patches
from surgplan.planning._prepare import Structure
from surgplan.planning._resection import Vector
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
        if not len(inside.area_mm2):
            return None
        return cls(patches=inside, tree=far_tree(inside.points_mm))

    def distance_mm(
        self, points_mm: Points, *, reach_mm: float = np.inf
    ) -> npt.NDArray[np.float64]:
        """Distances ``(n,)`` to the cut; inf where no middle of a patch is within reach.

        To the plane of the nearest patch where the foot falls into it, so that a flat cut is met
        exactly, else to its middle.
        """
        straight, nearest = self.tree.query(points_mm, distance_upper_bound=reach_mm)
        result = np.full(len(points_mm), np.inf)
        found = np.isfinite(straight)
        offset = points_mm[found] - self.patches.points_mm[nearest[found]]
        height = np.abs(np.einsum("ij,ij->i", offset, self.patches.normals[nearest[found]]))
        aside = np.sqrt(np.maximum(straight[found] ** 2 - height**2, 0.0))
        result[found] = np.where(aside <= self.patches.size_mm, height, straight[found])
        return result

    def nearest_of(self, looks: Sequence[Look]) -> list[tuple[float, int]]:
        """Smallest distance of each of several sets of points, and which point has it.

        The resection's own distances say where to look: the cut in the liver is no nearer.
        """
        if not looks:
            return []
        ask(*((look, look.nearest_cluster()) for look in looks))
        bounds = [self._bound_mm(look) for look in looks]
        pairs = list(zip(looks, bounds, strict=True))
        ask(*((look, look.reached(bound + SLACK_MM)) for look, bound in pairs))
        found = []
        for look, bound in pairs:
            near = np.flatnonzero(np.abs(look.known) <= bound + SLACK_MM)
            reach = float(np.hypot(bound + 1e-6, self.patches.size_mm))  # more than height
            distance = self.distance_mm(look.points_mm[near], reach_mm=reach)
            best = int(np.argmin(distance))
            found.append((float(distance[best]), int(near[best])))
        return found

    def _bound_mm(self, look: Look) -> float:
        """The smallest distance of some points, which are about as near as any."""
        away = np.abs(look.known)
        first = np.argpartition(away, min(_NEAREST, len(away) - 1))[:_NEAREST]
        return float(self.distance_mm(look.points_mm[first[np.isfinite(away[first])]]).min())


def tumour_margins(
    shapes: Sequence[TumourShape], looks: Sequence[Look], sheet: Sheet | None
) -> tuple[TumourMargin, ...]:
    """Margin, side and areas of each tumour, from a look at each."""
    sides = [_side_of(look.within(0.0)) for look in looks]
    apart = [look for look, side in zip(looks, sides, strict=True) if side != "cut through"]
    nearest = iter(sheet.nearest_of(apart) if sheet else [_nearest_at_all(k) for k in apart])
    found = []
    for shape, look, side in zip(shapes, looks, sides, strict=True):
        if side == "cut through":
            highest, at = look.highest()
            margin = -highest
        else:
            margin, at = next(nearest)
        x, y, z = (float(v) for v in look.points_mm[at])
        found.append(
            TumourMargin(
                tumour=shape.tumour.id,
                name=f"tumour {shape.tumour.id}",
                volume_ml=shape.tumour.volume_ml,
                side=side,
                margin_mm=margin,
                at_mm=(x, y, z),
                cut_within_mm2=_areas(shape, sheet, margin),
            )
        )
    return tuple(found)


def _side_of(signed: npt.NDArray[np.float64]) -> Side:
    if (signed <= 0).all():
        return "resected"
    return "cut through" if (signed < 0).any() else "left behind"


def _nearest_at_all(look: Look) -> tuple[float, int]:
    """Smallest distance to a cut that misses the liver."""
    away = np.abs(look.within(look.least_mm))
    at = int(np.argmin(away))
    return float(away[at]), at


def _areas(shape: TumourShape, sheet: Sheet | None, margin_mm: float) -> tuple[float, float, float]:
    """Area of the cut in each band; nothing where the whole tumour is farther away."""
    if sheet is None or margin_mm > BANDS_MM[-1] + sheet.patches.size_mm:
        return 0.0, 0.0, 0.0
    points, area = sheet.patches.points_mm, sheet.patches.area_mm2
    close = np.arange(len(points))
    for axis, (low, high) in enumerate(zip(*shape.box_mm, strict=True)):
        along = points[close, axis]
        close = close[(along >= low - BANDS_MM[-1]) & (along <= high + BANDS_MM[-1])]
    points, area = points[close], area[close]
    distance, _ = shape.tree.query(points, distance_upper_bound=BANDS_MM[-1])
    inside = shape.boundary.inside(points) > 0
    one, five, ten = (
        float(area[inside | (distance < band - _TOLERANCE_MM)].sum()) for band in BANDS_MM
    )
    return one, five, ten


def structure_distances(
    structures: Sequence[Structure], looks: Sequence[Look], patches: Patches, sheet: Sheet | None
) -> tuple[StructureDistance, ...]:
    """Distance from each structure to the cut, and whether the cut crosses it."""
    areas = [_crossed_mm2(s, patches, sheet) for s in structures]
    missed = [look for look, area in zip(looks, areas, strict=True) if area == 0]
    nearest = iter(sheet.nearest_of(missed) if sheet else ())
    found = []
    for structure, area in zip(structures, areas, strict=True):
        distance = None if sheet is None else 0.0
        if sheet is not None and area == 0:
            distance, _ = next(nearest)
        found.append(
            StructureDistance(
                name=structure.segment.name,
                code=structure.segment.code,
                distance_mm=distance,
                crossed=area > 0,
                crossed_area_mm2=area,
            )
        )
    return tuple(found)


def _crossed_mm2(structure: Structure, patches: Patches, sheet: Sheet | None) -> float:
    if sheet is None:
        return 0.0
    number = FIRST_STRUCTURE + STRUCTURES.index(structure.segment)
    beyond = patches.where(patches.tissue == number + OUTSIDE)
    reach = CONTINUED_MM + patches.size_mm
    met = np.isfinite(sheet.distance_mm(beyond.points_mm, reach_mm=reach))
    return float(patches.area_mm2[patches.tissue == number].sum() + beyond.area_mm2[met].sum())
