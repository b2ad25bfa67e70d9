"""What the 3D pictures show: the anatomy, the planned resection, and what remains after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.mesh import Surface
from surgplan.report._colours import CUT, CUT_FACE, REMNANT, RESECTED
from surgplan.report._cut import Distance, LiverInside, Sheet, cut_sheet
from surgplan.report._views import Layer, View, look_from
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    LabelMap,
    Segment,
)

SIZE = (960, 720)
FROM_FRONT = np.array([0.0, -1.0, 0.0])
FROM_BELOW = np.array([0.0, -0.45, -0.9])

_VESSELS = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, ARTERIES, BILIARY)
_LESIONS = (LIVER_TUMOUR, LIVER_CYST)
_GLASS = 0.16
_GHOST = 0.3  # vessels of the resected part
_SHEET = 0.4
_OUTSIDE = -10.0  # turns the half voxel step of `LiverInside` into about millimetres outwards


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What all 3D pictures of a report share: surfaces, labels, and where the liver is."""

    surfaces: tuple[Surface, ...]
    label_map: LabelMap
    inside: LiverInside

    def of(self, *wanted: Segment) -> list[Surface]:
        """Surfaces of the structures, found by code."""
        codes = {segment.code for segment in wanted}
        return [s for s in self.surfaces if s.segment.code in codes]

    @property
    def framed_mm(self) -> npt.NDArray[np.float64]:
        """Points that belong into the picture: the liver's, or all where there is none."""
        chosen = self.of(LIVER) or list(self.surfaces)
        return np.concatenate([s.points for s in chosen])


@dataclass(frozen=True, kw_only=True, eq=False)
class CutScene:
    """A scene with one resection.

    Attributes
    ----------
    scene
        The anatomy.
    sides
        For each surface of the scene the signed distances of its points.
    sheet
        The cut through the liver; None where the resection does not reach it.
    """

    scene: Scene
    sides: tuple[npt.NDArray[np.float64], ...]
    sheet: Sheet | None

    @classmethod
    def of(cls, scene: Scene, distance_mm: Distance) -> CutScene:
        """Evaluate a resection on a scene."""
        return cls(
            scene=scene,
            sides=tuple(distance_mm(s.points) for s in scene.surfaces),
            sheet=cut_sheet(distance_mm, scene.inside, scene.framed_mm),
        )

    def whole(self, *wanted: Segment) -> list[tuple[Surface, npt.NDArray[np.float64]]]:
        """Surfaces of the structures, each with the signed distances of its points."""
        codes = {segment.code for segment in wanted}
        pairs = zip(self.scene.surfaces, self.sides, strict=True)
        return [(surface, side) for surface, side in pairs if surface.segment.code in codes]

    def split(self, *wanted: Segment) -> list[tuple[Surface, npt.NDArray[np.float64]]]:
        """Surfaces of the structures, each with what is positive on the part that stays.

        Vessels are cut within the liver only: outside it the resection takes nothing.
        """
        inside = self.scene.inside
        return [
            (surface, np.maximum(side, _OUTSIDE * inside(surface.points)))
            for surface, side in self.whole(*wanted)
        ]


def overview(scene: Scene, direction: npt.NDArray[np.float64]) -> View:
    """Liver like glass; its vessels, ducts, tumours and cysts solid."""
    layers = [_layer(s) for s in scene.of(*_VESSELS, *_LESIONS)]
    layers += [_layer(s, opacity=_GLASS) for s in scene.of(LIVER)]
    return _view(scene, direction, layers)


def planned(cut: CutScene) -> View:
    """From the front: remnant and resected part in two colours, and the cut between them."""
    layers = [_layer(s) for s in cut.scene.of(*_LESIONS)]
    for surface, stays in cut.split(*_VESSELS):
        layers += [_layer(surface, keep=stays), _layer(surface, opacity=_GHOST, keep=-stays)]
    for surface, side in cut.whole(LIVER):
        layers.append(_layer(surface, colour=REMNANT, opacity=_GLASS, keep=side))
        layers.append(_layer(surface, colour=RESECTED, opacity=2 * _GLASS, keep=-side))
    if cut.sheet is not None:
        layers.append(replace(_sheet_layer(cut.sheet), colour=CUT, opacity=_SHEET))
    return _view(cut.scene, FROM_FRONT, layers)


def remaining(cut: CutScene, sheet: Sheet) -> View:
    """The liver after the resection, seen from where the resected part was.

    The cut face shows the vessels that it meets in their colours.
    """
    layers = [_layer(s, keep=stays) for s, stays in cut.split(*_VESSELS)]
    layers += [_layer(s, keep=side) for s, side in cut.whole(*_LESIONS)]
    layers += [_layer(s, keep=side, opacity=0.5) for s, side in cut.whole(LIVER)]
    layers.append(replace(_sheet_layer(sheet), colour=_face_colours(sheet, cut.scene.label_map)))
    direction = sheet.towards_resected
    return _view(cut.scene, direction if np.linalg.norm(direction) > 0 else FROM_FRONT, layers)


def _view(scene: Scene, direction: npt.NDArray[np.float64], layers: Sequence[Layer]) -> View:
    camera = look_from(direction, scene.framed_mm, size=SIZE)
    return View(camera=camera, layers=tuple(layers))


def _face_colours(sheet: Sheet, label_map: LabelMap) -> npt.NDArray[np.uint8]:
    """Colours of what the cut meets, blended over the width of a voxel."""
    index = label_map.geometry.to_index(sheet.points).T
    colours = np.tile(np.asarray(CUT_FACE, dtype=np.float64), (len(sheet.points), 1))
    for segment in (*_VESSELS, *_LESIONS):
        mask = label_map.mask(segment)
        if mask.any():
            share = ndimage.map_coordinates(mask.astype(np.float32), index, order=1)
            weight = np.clip(2 * share - 0.5, 0, 1)[:, None]
            colours = (1 - weight) * colours + weight * np.asarray(segment.colour)
    return np.rint(colours).astype(np.uint8)


def _layer(
    surface: Surface,
    *,
    colour: tuple[int, int, int] | None = None,
    opacity: float = 1.0,
    keep: npt.NDArray[np.float64] | None = None,
) -> Layer:
    return Layer(
        points=surface.points,
        triangles=surface.triangles,
        colour=colour or surface.segment.colour,
        opacity=opacity,
        keep=keep,
    )


def _sheet_layer(sheet: Sheet) -> Layer:
    return Layer(points=sheet.points, triangles=sheet.triangles, colour=CUT_FACE, keep=sheet.inside)
