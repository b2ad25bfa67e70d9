"""Parts of the body in the order in which they are painted; the later covers the earlier."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from surgplan.phantom import _liver, _organs, _torso
from surgplan.phantom._individual import Individual
from surgplan.phantom._shapes import Blob, Distance, Shape, index_box, subgrid
from surgplan.volume import (
    BILIARY,
    BONE,
    BOWEL,
    LEFT_KIDNEY,
    LIVER,
    LUNGS,
    PANCREAS,
    RIGHT_KIDNEY,
    SPLEEN,
    STOMACH,
    Geometry,
    Segment,
)

TRUNK = (-400.0, -400.0, -400.0, 400.0, 400.0, 400.0)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a part consists of from a depth inwards.

    Attributes
    ----------
    depth_mm
        Millimetres under the surface of the part.
    tissue
        Key of the tables of the renderers.
    level_mm
        LPS y in front of which alone the layer reaches (gas rises in a person on the back).
    """

    depth_mm: float
    tissue: str
    level_mm: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A shape, what it consists of from outside to inside, and the structure it counts as."""

    shape: Shape
    layers: tuple[Layer, ...]
    segment: Segment | None = None


def layers(*pairs: tuple[float, str]) -> tuple[Layer, ...]:
    """Layers from (depth in mm, tissue)."""
    return tuple(Layer(depth_mm=depth, tissue=tissue) for depth, tissue in pairs)


def paint_labels(parts: Iterable[Part], geometry: Geometry) -> npt.NDArray[np.uint8]:
    """Label of the last labelled part at each voxel centre; unlabelled parts erase nothing."""
    array = np.zeros(geometry.shape, dtype=np.uint8)
    for part in parts:
        box = index_box(geometry, part.shape.box_mm)
        if part.segment is None or box is None:
            continue
        array[box][part.shape.on(subgrid(geometry, box)) < 0] = part.segment.label
    return array


def organ_parts(individual: Individual) -> tuple[Part, ...]:
    """Everything but lesions and the vessels grown inside the liver."""
    return (*_torso_parts(individual), *_visceral_parts(individual), liver_part(individual))


def liver_part(individual: Individual) -> Part:
    """The liver, without its vessels."""
    make = _maker(individual)
    shape = partial(_liver.liver, individual=individual)
    return make(shape, (-160, -120, -105, 105, 100, 95), LIVER, (0, "liver"))


def _maker(individual: Individual) -> Callable[..., Part]:
    """A function that makes parts from distances at template points and a template box."""

    def make(
        distance: Distance,
        box: tuple[float, ...],
        segment: Segment | None,
        *pairs: tuple[float, str],
    ) -> Part:
        bounds = np.asarray(box, dtype=np.float64).reshape(2, 3) * 1.06 + [[-8.0], [8.0]]
        shape = Blob(distance=lambda p: distance(individual.bend(p)), box_mm=bounds)
        return Part(shape=shape, layers=layers(*pairs), segment=segment)

    return make


def _torso_parts(individual: Individual) -> tuple[Part, ...]:
    make, fat_mm = _maker(individual), individual.fat_mm
    wall = partial(_torso.wall, fat_mm=fat_mm)
    return (
        make(_torso.skin, TRUNK, None, (0, "skin"), (1.6, "fat")),
        make(
            wall, TRUNK, None, (0, "muscle"), (3.9, "fat"), (4.3, "muscle"), (7.8, "fat"),
            (8.2, "muscle"), (_torso.WALL_MM, "visceral fat"),
        ),
        make(partial(_torso.lungs, fat_mm=fat_mm), (-160, -120, -60, 160, 120, 400), LUNGS,
             (0, "lung")),
        make(partial(_torso.diaphragm, fat_mm=fat_mm), (-160, -120, -400, 160, 120, 110), None,
             (0, "muscle"), (_torso.DIAPHRAGM_MM, "visceral fat")),
        make(_torso.heart, (-60, -90, 40, 90, 20, 160), None, (0, "myocardium"), (9, "heart")),
        make(_torso.gullet, (-10, -20, 30, 50, 20, 400), None, (0, "muscle")),
        make(partial(_torso.muscles, fat_mm=fat_mm), (-90, -20, -400, 90, 120, 400), None,
             (0, "muscle")),
        make(_torso.disc, (-30, 10, -400, 30, 60, 400), None, (0, "disc")),
        make(_torso.vertebrae, (-50, 10, -400, 50, 115, 400), BONE, (0, "cortex"),
             (1.8, "marrow")),
        make(_torso.canal, (-15, 50, -400, 15, 80, 400), None, (0, "canal fat"), (2.0, "cord")),
        make(partial(_torso.ribs, fat_mm=fat_mm), (-160, -120, -90, 160, 120, 400), BONE,
             (0, "cortex"), (1.6, "marrow")),
        make(partial(_torso.cartilage, fat_mm=fat_mm), (-130, -125, -90, 130, 0, 400), None,
             (0, "cartilage")),
        make(partial(_torso.breastbone, fat_mm=fat_mm), (-20, -125, 50, 20, -60, 400), BONE,
             (0, "cortex"), (1.5, "marrow")),
    )  # fmt: skip


def _visceral_parts(individual: Individual) -> tuple[Part, ...]:
    make = _maker(individual)
    bowel = (Layer(depth_mm=0, tissue="bowel wall"), Layer(depth_mm=2.2, tissue="chyme"))
    gas = Layer(depth_mm=2.2, tissue="gas", level_mm=-62.0)
    colon = (Layer(depth_mm=0, tissue="bowel wall"), Layer(depth_mm=2.0, tissue="stool"), gas)
    stomach = (Layer(depth_mm=0, tissue="stomach wall"), Layer(depth_mm=3.6, tissue="meal"),
               Layer(depth_mm=3.6, tissue="gas", level_mm=-38.0))  # fmt: skip
    kidney = ((0.0, "kidney cortex"), (6.5, "kidney medulla"))
    return (
        make(_liver.right_kidney, (-100, 5, -110, -20, 90, 15), RIGHT_KIDNEY, *kidney),
        make(_organs.left_kidney, (20, 5, -92, 105, 90, 35), LEFT_KIDNEY, *kidney),
        make(_organs.renal_sinus, (-75, 15, -85, 75, 60, 5), None, (0, "sinus")),
        make(partial(_organs.spleen, individual=individual), (55, -25, -35, 135, 95, 80), SPLEEN,
             (0, "spleen")),
        Part(shape=_organs.small_bowel(individual), layers=bowel, segment=BOWEL),
        Part(shape=_organs.colon(individual), layers=colon, segment=BOWEL),
        Part(shape=_organs.pancreas(individual), layers=layers((0, "pancreas")), segment=PANCREAS),
        Part(shape=_organs.duodenum(individual), layers=bowel, segment=BOWEL),
        Part(shape=_organs.stomach(individual), layers=stomach, segment=STOMACH),
        make(_liver.gallbladder, (-70, -85, -58, -25, -25, -5), BILIARY, (0, "gallbladder wall"),
             (1.5, "bile")),
    )  # fmt: skip
