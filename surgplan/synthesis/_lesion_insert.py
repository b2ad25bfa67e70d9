"""A placed lesion put into a label map and an image: pushed tissue, label, and layered look."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from surgplan.synthesis._lesion_kinds import PHASE_COLUMNS, LesionKind
from surgplan.synthesis._lesion_place import VESSELS, PlacedLesion, major_vessels
from surgplan.synthesis._lesion_shape import evenly_spread
from surgplan.volume import LIVER, LIVER_CYST, LIVER_TUMOUR, Geometry, LabelMap

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]

REACH_FADES = 4.0
"""Tissue further from the surface than this many times `PlacedLesion.fade_mm` stays unmoved."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbourhood:
    """The box of voxels that a lesion touches.

    Attributes
    ----------
    box
        Array slices.
    gap_mm
        ``(slice, row, column)`` distance to the lesion's surface, negative inside.
    source
        ``(3, slice, row, column)`` indices inside the box that tissue comes from.
    """

    box: tuple[slice, slice, slice]
    gap_mm: Floats
    source: Floats

    @classmethod
    def of(cls, lesion: PlacedLesion, grid: Geometry) -> Neighbourhood | None:
        """The neighbourhood on a grid; None where the lesion lies outside of it."""
        far = REACH_FADES * lesion.fade_mm if lesion.push_mm else 0.0
        reach = lesion.shape.reach_mm + far + 2 * max(grid.spacing_mm)
        middle = grid.to_index(lesion.centre_mm)
        half = reach / np.asarray(grid.spacing_mm)
        low = np.maximum(np.floor(middle - half), 0).astype(int)
        high = np.minimum(np.ceil(middle + half) + 1, grid.shape).astype(int)
        if (low >= high).any():
            return None
        box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
        shape = (high[0] - low[0], high[1] - low[1], high[2] - low[2])
        index = np.stack(
            np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high, strict=True)], indexing="ij"),
            axis=-1,
        ).reshape(-1, 3)
        points = grid.to_lps(index)
        gap = lesion.gap_mm(points)
        offset = points - lesion.centre_mm
        unit = offset / np.maximum(np.linalg.norm(offset, axis=1), 1e-9)[:, None]
        shift = lesion.push_mm * np.exp(-np.maximum(gap, 0) / lesion.fade_mm)
        shift[gap > far] = 0
        source = grid.to_index(points - unit * shift[:, None]) - low
        limit = np.array(shape) - 1
        source = np.clip(source, 0, limit)
        return cls(
            box=box,
            gap_mm=gap.reshape(shape).astype(np.float32),
            source=source.T.reshape(3, *shape).astype(np.float32),
        )

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Voxels whose centre lies in the lesion."""
        return self.gap_mm < 0

    def pushed(self, array: npt.NDArray[Any], *, order: int) -> npt.NDArray[Any]:
        """What lies in the box after the push; ``array`` is the whole image."""
        part: npt.NDArray[Any] = ndimage.map_coordinates(
            array[self.box], self.source, order=order, mode="nearest"
        )
        return part

    def moved(self) -> npt.NDArray[np.bool_]:
        """Voxels whose tissue comes from elsewhere, by a hundredth of a voxel at least."""
        own = np.stack(np.meshgrid(*[np.arange(n) for n in self.gap_mm.shape], indexing="ij"))
        shifted: npt.NDArray[np.bool_] = np.abs(self.source - own).max(axis=0) > 0.01
        return shifted


def insert_label(
    labels: Labels, lesion: PlacedLesion, near: Neighbourhood
) -> tuple[Labels, npt.NDArray[np.bool_]]:
    """The box of labels with the lesion in it, and which of its voxels are lesion.

    Voxels of the shape that lie outside the liver keep what they were.
    """
    pushed: Labels = near.pushed(labels, order=0)
    family = (LIVER.label, LIVER_TUMOUR.label, LIVER_CYST.label, *(v.label for v in VESSELS))
    was = labels[near.box]
    inside = near.inside & (np.isin(pushed, family) | np.isin(was, family))
    result = pushed.copy()
    result[inside] = lesion.wish.look.segment.label
    return result, inside


def layered_look(
    kind: LesionKind,
    near: Neighbourhood,
    radius_mm: float,
    column: str,
    rng: np.random.Generator,
) -> Floats:
    """Difference to the liver at each voxel of the box, as if the lesion filled it all.

    ``column`` is one of `PHASE_COLUMNS`; Hounsfield units, or percent of the liver's MR intensity.
    """
    at = PHASE_COLUMNS.index(column)
    depth = np.clip(-near.gap_mm / radius_mm, 0, 1)
    shape = near.gap_mm.shape
    wobble = _smooth(shape, 2.5, rng) * 0.06
    change = np.full(shape, kind.layers[0].change[at], dtype=np.float32)
    vivid = float(rng.uniform(0.75, 1.3))
    for number, layer in enumerate(kind.layers):
        starts = layer.depth
        if number == 1 and kind.capsule_mm:
            starts = kind.capsule_mm / radius_mm
        share = np.clip((depth + wobble - starts) / 0.08 + 0.5, 0, 1) if number else 1.0
        if layer.patchy:
            under = kind.layers[number + 1].change[at]
            nodules = np.clip(1.5 * _smooth(shape, 2.0, rng) + 0.5, 0, 1)
            value = under + (layer.change[at] - under) * nodules
        else:
            value = np.float32(layer.change[at])
        change += share * (value - change)
    return (vivid * change).astype(np.float32)


def _smooth(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Floats:
    noise = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), sigma)
    smooth: Floats = noise / max(float(noise.std()), 1e-6)
    return smooth


@dataclass(frozen=True, kw_only=True)
class LesionRecord:
    """What is known of a lesion, for ``lesions.json``.

    Attributes
    ----------
    number
        1, 2, ...
    kind, contact, label, structure
        What was asked for, and the structure it counts as.
    centre_mm
        LPS.
    volume_ml, diameter_mm, longest_mm
        Of the exact outline: volume, diameter of the ball of that volume, longest line through
        the centre.
    voxel_ml
        By counting voxels of the label map; smaller where the liver's surface cuts it.
    contrast
        Mean in the lesion less mean of liver parenchyma around it, in the image (HU for CT).
    cnr
        That over the spread of the parenchyma around it.
    push_mm
        How far tissue at its surface was pushed.
    distance_mm
        From the outline to the nearest voxel centre of each vessel, and of the major ones among
        them, negative inside; None where the label map has none.
    """

    number: int
    kind: str
    contact: str
    label: int
    structure: str
    centre_mm: tuple[float, float, float]
    volume_ml: float
    diameter_mm: float
    longest_mm: float
    voxel_ml: float
    contrast: float
    cnr: float
    push_mm: float
    distance_mm: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


class VesselPoints:
    """LPS millimetres ``(n, 3)`` of each vessel's voxels, and of the major ones among them."""

    def __init__(self, label_map: LabelMap) -> None:
        masks = {v.name: label_map.mask(v) for v in VESSELS}
        masks["major vessels"] = major_vessels(label_map)
        self.by_name = {n: label_map.geometry.to_lps(np.argwhere(m)) for n, m in masks.items()}

    def distances_mm(self, lesion: PlacedLesion) -> dict[str, float | None]:
        """From the lesion's outline to the nearest point of each, negative inside; None: none."""
        surface = evenly_spread(1500)
        surface = lesion.centre_mm + surface * lesion.shape.radius_towards_mm(surface)[:, None]
        tree = cKDTree(surface)
        found: dict[str, float | None] = {}
        for name, points in self.by_name.items():
            if not len(points):
                found[name] = None
                continue
            near = points[np.argsort(np.linalg.norm(points - lesion.centre_mm, axis=1))[:4000]]
            distance, _ = tree.query(near)
            signed = np.where(lesion.gap_mm(near) < 0, -distance, distance)
            found[name] = round(float(signed.min()), 2)
        return found


def contrast_of(
    image: Floats, labels: Labels, inside: npt.NDArray[np.bool_], grid: Geometry
) -> tuple[float, float]:
    """Contrast and contrast-to-noise ratio against parenchyma within 10 mm; box arrays."""
    reach = [max(1, round(10 / s)) for s in grid.spacing_mm]
    ball = np.ones([2 * r + 1 for r in reach], dtype=bool)
    ring = ndimage.binary_dilation(inside, ball) & (labels == LIVER.label)
    if not ring.any() or not inside.any():
        return 0.0, 0.0
    around = image[ring]
    contrast = float(image[inside].mean()) - float(around.mean())
    return contrast, abs(contrast) / max(float(around.std()), 1e-6)


def record_of(
    what: tuple[int, PlacedLesion, Neighbourhood, npt.NDArray[np.bool_]],
    picture: npt.NDArray[np.float32],
    label_map: LabelMap,
    vessels: VesselPoints,
) -> LesionRecord:
    """What is known of a lesion: its number, place, box and the voxels that it fills there.

    ``picture`` and ``label_map`` are the whole scan with it, ``vessels`` those of the map.
    """
    number, lesion, near, inside = what
    grid = label_map.geometry
    contrast, cnr = contrast_of(picture[near.box], label_map.array[near.box], inside, grid)
    wish, segment = lesion.wish, lesion.wish.look.segment
    x, y, z = (round(float(v), 2) for v in lesion.centre_mm)
    return LesionRecord(
        number=number,
        kind=wish.kind,
        contact=wish.contact,
        label=segment.label,
        structure=segment.name,
        centre_mm=(x, y, z),
        volume_ml=round(lesion.shape.volume_ml, 3),
        diameter_mm=round(2 * lesion.shape.radius_mm, 2),
        longest_mm=round(lesion.shape.largest_diameter_mm, 2),
        voxel_ml=round(float(inside.sum()) * grid.voxel_volume_mm3 / 1000, 3),
        contrast=round(contrast, 1),
        cnr=round(cnr, 2),
        push_mm=round(lesion.push_mm, 2),
        distance_mm=vessels.distances_mm(lesion),
    )
