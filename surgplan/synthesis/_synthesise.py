"""One synthetic scan with its exact labels and lesions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import UsageError
from surgplan.phantom import MR_WEIGHTINGS, PHASES
from surgplan.synthesis._body import Body, anatomy_of, phantom_body
from surgplan.synthesis._brightness import check_look, class_brightness
from surgplan.synthesis._classes import class_index
from surgplan.synthesis._generate import SampleSettings, Scene, generate, hu_as_mr, mr_as_hu
from surgplan.synthesis._generator_bundle import (
    DEFAULT_GENERATOR,
    find_generator,
    load_generator,
)
from surgplan.synthesis._individual import Person, PersonSettings, individual
from surgplan.synthesis._lesion_draw import draw_wishes, place_lesions
from surgplan.synthesis._lesion_insert import (
    LesionRecord,
    Neighbourhood,
    VesselPoints,
    insert_label,
    layered_look,
    record_of,
)
from surgplan.synthesis._lesion_place import LesionWish, PlacedLesion
from surgplan.synthesis._picture import Scanner, randomised_picture
from surgplan.synthesis._slices import thick_slices
from surgplan.volume import LIVER, Geometry, LabelMap, Modality, Volume

METHODS = ("randomised", "flow", "decoder")
"""By chance alone, by the flow of a generator, or by its decoder fed with noise (comparison)."""


@dataclass(frozen=True, kw_only=True)
class VolumeSettings:
    """What synthetic scans are like; None draws.

    Attributes
    ----------
    modality
        ``'CT'`` or ``'MR'``.
    look
        Contrast phase of a CT (`PHASES`), or weighting of an MR (`MR_WEIGHTINGS`).
    person
        Sex, size, liver volume, condition.
    lesions
        Lesions asked for one by one, or the most that are drawn (each number equally often).
    spacing_mm
        Voxel size in the slice plane, and across where `slice_mm` is None; 1 to 6 mm.
    slice_mm
        Distance and thickness of the slices, up to 10 mm.
    bodies
        How many phantoms the scans are made of; each is bent and sized anew for every scan.
    exact_shape
        Keep a given label map as it is instead of making individuals of it.
    method
        One of `METHODS`.
    generator
        For the methods that need one: name of a shipped generator or folder of a bundle.
    steps
        Passes of the flow.
    """

    modality: Modality = "CT"
    look: str | None = None
    person: PersonSettings = field(default_factory=PersonSettings)
    lesions: int | tuple[LesionWish, ...] = 4
    spacing_mm: float = 3.0
    slice_mm: float | None = None
    bodies: int = 6
    exact_shape: bool = False
    method: str = "randomised"
    generator: str | None = None
    steps: int = 10

    def __post_init__(self) -> None:
        if self.look is not None:
            check_look(self.modality, self.look)
        if not 1 <= self.spacing_mm <= 6:
            msg = f"`spacing_mm` must lie in 1..6, got {self.spacing_mm}"
            raise UsageError(msg)
        if self.slice_mm is not None and not self.spacing_mm <= self.slice_mm <= 10:
            msg = f"`slice_mm` must lie in {self.spacing_mm}..10, got {self.slice_mm}"
            raise UsageError(msg)
        if self.method not in METHODS:
            msg = f"`method` must be one of {', '.join(METHODS)}, got {self.method!r}"
            raise UsageError(msg)
        if isinstance(self.lesions, int) and not 0 <= self.lesions <= 20:
            msg = f"`lesions` must be 0 to 20 or a tuple of LesionWish, got {self.lesions}"
            raise UsageError(msg)


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticVolume:
    """A synthetic scan.

    Attributes
    ----------
    image
        int16, Hounsfield units or MR intensity; its identity begins with ``'synthetic'``.
    label_map
        Exact labels on the same grid.
    lesions
        What is known of each.
    facts
        Everything it was made from, as plain data.
    """

    image: Volume
    label_map: LabelMap
    lesions: tuple[LesionRecord, ...]
    facts: dict[str, Any]


def synthesise(
    settings: VolumeSettings, *, seed: int, number: int = 0, body: Body | None = None
) -> SyntheticVolume:
    """Make a synthetic scan; depends on nothing but the arguments.

    Parameters
    ----------
    settings
        What it is like.
    seed, number
        Of a series of scans, and the place in it.
    body
        What it is made of; a phantom drawn among `VolumeSettings.bodies` by default.

    Returns
    -------
    SyntheticVolume
        Image and labels on one grid, LPS mm; lesions that found no place are left out and named in
        ``facts["lesions_without_place"]``.
    """
    streams = [np.random.default_rng((seed, number, part)) for part in range(4)]
    body = body or phantom_body(1000 * seed + int(streams[0].integers(settings.bodies)))
    person = Person.draw(settings.person, streams[0])
    grid = body.geometry.with_spacing((settings.spacing_mm,) * 3)
    labels = individual(body, person, grid, streams[1], exact=settings.exact_shape)
    wishes = settings.lesions
    if isinstance(wishes, int):
        wishes = draw_wishes(wishes, streams[2])
    placed, missing = place_lesions(wishes, anatomy_of(labels, grid), streams[2])
    return _finish(settings, _Scene(labels, grid, person, body.source), placed, missing, streams)


@dataclass(frozen=True)
class _Scene:
    labels: npt.NDArray[np.uint8]
    grid: Geometry
    person: Person
    source: str


def _finish(
    settings: VolumeSettings,
    scene: _Scene,
    placed: list[PlacedLesion],
    missing: list[LesionWish],
    streams: list[np.random.Generator],
) -> SyntheticVolume:
    rng = streams[3]
    looks = PHASES if settings.modality == "CT" else MR_WEIGHTINGS
    look = str(rng.choice(looks))
    look = settings.look or look
    means = class_brightness(settings.modality, look, scene.person, rng)
    scanner = Scanner.draw(settings.modality, rng)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    labels, nears = _labelled(scene.labels, placed, scene.grid)
    index = class_index(torch.from_numpy(labels))
    ideal = means[index.numpy()]
    for lesion, near, inside in nears:
        change = _change(lesion, near, look, float(means[LIVER.label]), rng)
        ideal[near.box][inside] += change[inside]
    if settings.method == "randomised":
        made = randomised_picture(torch.from_numpy(ideal), index, scene.person, scanner, generator)
    else:
        made = _generated(settings, torch.from_numpy(ideal), index, look, generator)
    label_map = anatomy_of(labels, scene.grid)
    image = Volume(
        array=made.numpy(),
        geometry=scene.grid,
        modality=settings.modality,
        identity=f"synthetic {look} {settings.modality} of {scene.source}",
    )
    records = _records(nears, image.array, label_map)
    facts = {
        "synthetic": True,
        "notice": NOT_A_MEDICAL_DEVICE,
        "surgplan": __version__,
        "method": settings.method,
        "modality": settings.modality,
        "look": look,
        "body": scene.source,
        "person": asdict(scene.person),
        "scanner": asdict(scanner) if settings.method == "randomised" else None,
        "generator": settings.generator or DEFAULT_GENERATOR
        if settings.method != "randomised"
        else None,
        "liver_ml": round(
            float(label_map.whole_liver().sum()) * scene.grid.voxel_volume_mm3 / 1000, 1
        ),
        "lesions_without_place": [asdict(w) for w in missing],
    }
    thick = settings.slice_mm
    if thick is not None and thick > settings.spacing_mm:
        placed_and_told = [(near[0], record) for near, record in zip(nears, records, strict=True)]
        image, label_map, records = thick_slices(image, label_map, placed_and_told, thick)
    return SyntheticVolume(
        image=_whole_numbers(image), label_map=label_map, lesions=records, facts=facts
    )


def _records(
    nears: list[tuple[PlacedLesion, Neighbourhood, npt.NDArray[np.bool_]]],
    picture: npt.NDArray[np.float32],
    label_map: LabelMap,
) -> tuple[LesionRecord, ...]:
    if not nears:
        return ()
    vessels = VesselPoints(label_map)
    return tuple(
        record_of((number, *near), picture, label_map, vessels)
        for number, near in enumerate(nears, start=1)
    )


def _generated(
    settings: VolumeSettings,
    ideal: torch.Tensor,
    index: torch.Tensor,
    look: str,
    chance: torch.Generator,
) -> torch.Tensor:
    """The picture that a generator makes of an ideal image."""
    generator = load_generator(find_generator(settings.generator))
    is_mr = settings.modality == "MR"
    scene = Scene(
        ideal=mr_as_hu(ideal) if is_mr else ideal,
        index=index,
        look="MR" if is_mr else look,
        voxel_mm=settings.spacing_mm,
        thickness_mm=settings.spacing_mm,
    )
    how = SampleSettings(steps=settings.steps, use_flow=settings.method == "flow")
    image = generate(generator, scene, how, chance)
    return hu_as_mr(image) if is_mr else image


def _labelled(
    labels: npt.NDArray[np.uint8], placed: list[PlacedLesion], grid: Geometry
) -> tuple[npt.NDArray[np.uint8], list[tuple[PlacedLesion, Neighbourhood, npt.NDArray[np.bool_]]]]:
    """Labels with every lesion in them, and which voxels of its box each lesion fills."""
    labels = labels.copy()
    nears = []
    for lesion in placed:
        near = Neighbourhood.of(lesion, grid)
        if near is not None:
            labels[near.box], inside = insert_label(labels, lesion, near)
            nears.append((lesion, near, inside))
    return labels, nears


def _change(
    lesion: PlacedLesion, near: Neighbourhood, look: str, liver: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Difference to parenchyma over the box, in the units of the image."""
    kind = lesion.wish.look
    change = layered_look(kind, near, lesion.shape.radius_mm, look, rng)
    if look in MR_WEIGHTINGS:
        return change * np.float32(liver / 100)
    if kind.absolute_hu is not None:
        change = np.full_like(change, kind.absolute_hu + rng.normal(0, 3) - liver)
    return change


def _whole_numbers(image: Volume) -> Volume:
    low = -1024 if image.modality == "CT" else 0
    return replace(image, array=np.clip(np.rint(image.array), low, 3071).astype(np.int16))
