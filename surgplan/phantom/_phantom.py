"""The phantom: an upper abdomen whose every structure is known, on any grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from surgplan.errors import UsageError
from surgplan.phantom import _answers, _liver
from surgplan.phantom._arteries import bile_ducts, grow_arterial, renal_veins
from surgplan.phantom._individual import Individual
from surgplan.phantom._lesions import (
    DEFAULT_LESIONS,
    Lesion,
    LesionSpec,
    random_lesions,
)
from surgplan.phantom._parts import Part, layers, organ_parts, paint_labels
from surgplan.phantom._placing import obstacles, place_drawn, place_lesions
from surgplan.phantom._routes import LiverSpace
from surgplan.phantom._shapes import coordinates, subgrid
from surgplan.phantom._trees import VesselTree
from surgplan.phantom._vessels import cava, grow_hepatic, grow_portal, trunks
from surgplan.volume import (
    ANATOMY,
    ARTERIES,
    BILIARY,
    COUINAUD,
    HEPATIC_VEINS,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
    box_of,
)

PHANTOM_VERSION = 2
"""Rises whenever the same settings give other labels."""

FIELD_OF_VIEW_MM = (222.0, 250.0, 336.0)
"""Extent along z, y, x of the default grid."""

CENTRE_MM = (0.0, -1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class PhantomSettings:
    """Which phantom.

    Attributes
    ----------
    seed
        Everything that differs between phantoms; 0 or more.
    spacing_mm
        Voxel size along (slice, row, column) of the default grid, 0.5 to 10 mm each.
    lesions
        Lesions asked for one by one, or how many to draw.
    geometry
        Another grid than the default one; `spacing_mm` is then ignored. LPS 0 is the middle of the
        body at the level of the portal bifurcation.
    """

    seed: int = 0
    spacing_mm: tuple[float, float, float] = (2.5, 1.5, 1.5)
    lesions: int | tuple[LesionSpec, ...] = DEFAULT_LESIONS
    geometry: Geometry | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            msg = f"`seed` must be 0 or more, got {self.seed}"
            raise UsageError(msg)
        if len(self.spacing_mm) != 3 or not all(0.5 <= s <= 10 for s in self.spacing_mm):
            msg = f"`spacing_mm` must be three numbers in 0.5..10, got {self.spacing_mm}"
            raise UsageError(msg)
        if isinstance(self.lesions, int) and not 0 <= self.lesions <= 30:
            msg = f"`lesions` must be 0 to 30 or a tuple of LesionSpec, got {self.lesions}"
            raise UsageError(msg)

    def grid(self) -> Geometry:
        """The grid that is sampled."""
        if self.geometry is not None:
            return self.geometry
        slices, rows, columns = (
            max(1, round(extent / step))
            for extent, step in zip(FIELD_OF_VIEW_MM, self.spacing_mm, strict=True)
        )
        dz, dy, dx = self.spacing_mm
        x, y, z = CENTRE_MM
        return Geometry.from_spacing(
            shape=(slices, rows, columns),
            spacing_mm=self.spacing_mm,
            origin_mm=(
                x - dx * (columns - 1) / 2, y - dy * (rows - 1) / 2, z - dz * (slices - 1) / 2,
            ),
        )  # fmt: skip

    def lesion_specs(self) -> tuple[LesionSpec, ...]:
        """The lesions asked for, drawn where only their number is given."""
        if isinstance(self.lesions, int):
            return random_lesions(self.lesions, self.seed)
        return tuple(self.lesions)


@dataclass(frozen=True, kw_only=True, eq=False)
class Phantom:
    """An upper abdomen.

    Attributes
    ----------
    settings
        What it was made from; the same settings give the same voxels.
    label_map
        The sixteen structures of `ANATOMY`.
    couinaud
        The segments `COUINAUD` of the whole liver, on the same grid.
    trees
        Portal, hepatic and arterial tree.
    lesions
        In the order asked for.
    parts
        Implicit shapes in painting order, from which the renderers sample tissue.
    """

    settings: PhantomSettings
    label_map: LabelMap
    couinaud: LabelMap
    trees: tuple[VesselTree, ...]
    lesions: tuple[Lesion, ...]
    parts: tuple[Part, ...]
    individual: Individual

    def tree(self, system: str) -> VesselTree:
        """The tree of ``'portal'``, ``'hepatic'`` or ``'arterial'``."""
        return next(t for t in self.trees if t.system == system)

    def on(self, geometry: Geometry) -> Phantom:
        """The same body on another grid, sampled anew from its shapes; nothing is resampled.

        Raises
        ------
        UsageError
            If the axes of the grid are not perpendicular.
        """
        label_map, couinaud = _sample(self.parts, self.individual, geometry)
        settings = replace(self.settings, geometry=geometry)
        return replace(self, settings=settings, label_map=label_map, couinaud=couinaud)

    def known_answers(self) -> dict[str, Any]:
        """Volumes, lesions, vessels, distances and margins as plain numbers, ready for JSON."""
        return _answers.known_answers(self)


def make_phantom(settings: PhantomSettings) -> Phantom:
    """Build and sample a phantom.

    Raises
    ------
    UsageError
        If a lesion that was asked for by itself finds no place in the liver.
    """
    individual = Individual.draw(settings.seed)
    space = LiverSpace.of(individual)
    place = place_drawn if isinstance(settings.lesions, int) else place_lesions
    lesions = place(settings.lesion_specs(), space, trunks(individual))
    around = obstacles(lesions)
    portal = grow_portal(space, around)
    hepatic = grow_hepatic(space, portal, around)
    arterial = grow_arterial(individual, portal)
    parts = (
        *organ_parts(individual),
        Part(shape=renal_veins(individual), layers=layers((0, "renal vein"))),
        Part(shape=cava(individual), layers=layers((0, "cava")), segment=VENA_CAVA),
        Part(shape=bile_ducts(individual, portal), layers=layers((0, "bile")), segment=BILIARY),
        Part(shape=hepatic.tubes(), layers=layers((0, "hepatic vein")), segment=HEPATIC_VEINS),
        Part(shape=arterial.tubes(), layers=layers((0, "artery")), segment=ARTERIES),
        Part(shape=portal.tubes(), layers=layers((0, "portal vein")), segment=PORTAL_VEIN),
        *(lesion.part() for lesion in lesions),
    )
    label_map, couinaud = _sample(parts, individual, settings.grid())
    return Phantom(
        settings=settings,
        label_map=label_map,
        couinaud=couinaud,
        trees=(portal, hepatic, arterial),
        lesions=lesions,
        parts=parts,
        individual=individual,
    )


def _sample(
    parts: tuple[Part, ...], individual: Individual, geometry: Geometry
) -> tuple[LabelMap, LabelMap]:
    """Structures and Couinaud segments on a grid."""
    array = paint_labels(parts, geometry)
    label_map = LabelMap(array=array, geometry=geometry, segments=ANATOMY)
    return label_map, _couinaud(label_map, individual)


def _couinaud(label_map: LabelMap, individual: Individual) -> LabelMap:
    """Segments of the whole liver's voxels."""
    whole = label_map.whole_liver()
    array = np.zeros(label_map.array.shape, dtype=np.uint8)
    if whole.any():
        box = box_of(whole, label_map.geometry)
        inside = whole[box]
        points = coordinates(subgrid(label_map.geometry, box))[:, inside.ravel()]
        array[box][inside] = _liver.segments(individual.bend(points))
    return LabelMap(array=array, geometry=label_map.geometry, segments=COUINAUD)
