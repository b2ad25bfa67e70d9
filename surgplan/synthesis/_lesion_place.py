"""Where lesions go: inside the liver, apart from each other, as near to vessels as asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.synthesis._lesion_kinds import CONTACTS, KINDS, LesionKind
from surgplan.synthesis._lesion_shape import LesionShape
from surgplan.volume import (
    ARTERIES,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    LabelMap,
    box_of,
    crop,
    distance_outside_mm,
)

VESSELS = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, ARTERIES)

AVOID_MM = 4.0
"""Least distance to a major vessel of a lesion that avoids them."""

MAJOR_SHARE = 0.33
_MAJOR_CUBE_MM = 9.0
_TRIES = 400

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LesionWish:
    """A lesion that is asked for.

    Attributes
    ----------
    kind
        One of `KINDS`.
    diameter_mm
        Of the ball of the same volume, 4 to 120 mm.
    contact
        With major vessels: ``'avoid'``, ``'abut'`` (touching) or ``'infiltrate'`` (growing into it;
        the vessel ends in the lesion).
    """

    kind: str = "metastasis"
    diameter_mm: float = 20.0
    contact: str = "avoid"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"`kind` must be one of {', '.join(KINDS)}, got {self.kind!r}"
            raise UsageError(msg)
        if self.contact not in CONTACTS:
            msg = f"`contact` must be one of {', '.join(CONTACTS)}, got {self.contact!r}"
            raise UsageError(msg)
        if not 4 <= self.diameter_mm <= 120:
            msg = f"`diameter_mm` must lie in 4..120, got {self.diameter_mm}"
            raise UsageError(msg)

    @property
    def look(self) -> LesionKind:
        """The kind with its outline and layers."""
        return KINDS[self.kind]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedLesion:
    """A lesion with a place.

    Attributes
    ----------
    wish
        What was asked for.
    shape
        Its outline.
    centre_mm
        ``(3,)`` LPS.
    """

    wish: LesionWish
    shape: LesionShape
    centre_mm: Array

    @property
    def push_mm(self) -> float:
        """How far tissue at the surface was pushed outwards."""
        return self.wish.look.push * self.shape.radius_mm

    @property
    def fade_mm(self) -> float:
        """The push falls by e over this distance from the surface."""
        return 0.5 * self.shape.radius_mm

    def gap_mm(self, points_mm: Array) -> Array:
        """Distance to the surface along the line to the centre, negative inside; ``(n,)``."""
        offset = points_mm - self.centre_mm
        distance = np.linalg.norm(offset, axis=1)
        gap: Array = distance - self.shape.radius_towards_mm(
            offset / np.maximum(distance, 1e-9)[:, None]
        )
        return gap


class Site:
    """The liver that lesions are placed in: its depth and its distances to major vessels.

    Parameters
    ----------
    label_map
        With liver parenchyma; on a grid with perpendicular axes.
    """

    def __init__(self, label_map: LabelMap) -> None:
        liver = label_map.whole_liver()
        if not liver.any():
            msg = "lesions need a liver in the label map; it has none"
            raise UsageError(msg)
        box = box_of(liver, label_map.geometry, margin_mm=12.0)
        part = crop(label_map, box)
        grid = part.geometry
        self.spacing_mm = max(grid.spacing_mm)
        inside = liver[box]
        depth = distance_outside_mm(~inside, grid) if not inside.all() else inside * 1e3
        free = np.argwhere((part.array == LIVER.label) & (depth > 0))
        self.points_mm = grid.to_lps(free)
        self.depth_mm = depth[tuple(free.T)].astype(np.float64)
        major = major_vessels(part)
        self.major_mm = grid.to_lps(np.argwhere(major))
        self.to_major_mm = np.full(len(free), np.inf)
        if major.any():
            self.to_major_mm = distance_outside_mm(major, grid)[tuple(free.T)].astype(np.float64)
        old = np.isin(part.array, (LIVER_TUMOUR.label, LIVER_CYST.label))
        self.to_lesion_mm = np.full(len(free), np.inf)
        if old.any():
            self.to_lesion_mm = distance_outside_mm(old, grid)[tuple(free.T)].astype(np.float64)


def major_vessels(label_map: LabelMap) -> npt.NDArray[np.bool_]:
    """Vessels about 6 mm wide and more: those that fill a third of a 9 mm cube around them."""
    vessels = label_map.mask(*VESSELS)
    size = [max(1, round(_MAJOR_CUBE_MM / s)) for s in label_map.geometry.spacing_mm]
    share = ndimage.uniform_filter(vessels.astype(np.float32), size, mode="nearest")
    major: npt.NDArray[np.bool_] = vessels & (share >= MAJOR_SHARE)
    return major


def place_lesion(
    wish: LesionWish, site: Site, others: list[PlacedLesion], rng: np.random.Generator
) -> PlacedLesion | None:
    """A seeded place that keeps what was asked for, or None where the liver has none."""
    shape = LesionShape.draw(wish.look, wish.diameter_mm / 2, rng)
    reach = shape.reach_mm
    room = (site.depth_mm > 0.85 * reach) & (site.to_lesion_mm > reach + 4)
    for other in others:
        apart = np.linalg.norm(site.points_mm - other.centre_mm, axis=1)
        room &= apart > reach + other.shape.reach_mm + other.push_mm + 4
    found = np.flatnonzero(room)
    if not len(found):
        return None
    if wish.contact == "avoid":
        found = found[site.to_major_mm[found] > reach + AVOID_MM]
    else:
        found = found[np.abs(site.to_major_mm[found] - 0.8 * shape.radius_mm) < 0.5 * reach + 3]
    for chosen in rng.permutation(found)[:_TRIES]:
        lesion = PlacedLesion(wish=wish, shape=shape, centre_mm=site.points_mm[chosen])
        if wish.contact == "avoid":
            return lesion
        moved = _against(lesion, site)
        if moved is not None:
            return moved
    return None


def _against(lesion: PlacedLesion, site: Site) -> PlacedLesion | None:
    """The lesion moved until it has the contact asked for, counting how vessels will be pushed."""
    gap = 0.6 * site.spacing_mm
    aim = gap - lesion.push_mm * np.exp(-gap / lesion.fade_mm)
    if lesion.wish.contact == "infiltrate":
        aim = -lesion.push_mm - 0.35 * lesion.shape.radius_mm
    for _ in range(6):
        gaps = lesion.gap_mm(site.major_mm)
        nearest = int(np.argmin(gaps))
        if abs(gaps[nearest] - aim) < 0.2 * site.spacing_mm:
            break
        towards = site.major_mm[nearest] - lesion.centre_mm
        step = (gaps[nearest] - aim) * towards / max(float(np.linalg.norm(towards)), 1e-6)
        lesion = PlacedLesion(
            wish=lesion.wish, shape=lesion.shape, centre_mm=lesion.centre_mm + step
        )
    else:
        return None
    at = np.linalg.norm(site.points_mm - lesion.centre_mm, axis=1)
    deep = len(at) and site.depth_mm[int(np.argmin(at))] > 0.6 * lesion.shape.reach_mm
    return lesion if deep and at.min() < 2 * site.spacing_mm else None
