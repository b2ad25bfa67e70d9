"""Labelled scans, held in memory on the grid that the network sees."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from surgplan.errors import NothingToDoError
from surgplan.io import read_numbers, read_volume
from surgplan.phantom import (
    MR_WEIGHTINGS,
    PHASES,
    PhantomSettings,
    make_phantom,
    render_ct,
    render_mr,
)
from surgplan.segmentation import normalise
from surgplan.synthesis import VolumeSettings, unlabelled_tissue
from surgplan.training._contrast_labels import label_by_contrast
from surgplan.training._couinaud_vessels import draw_anatomy, raster
from surgplan.training._settings import SourceSettings
from surgplan.training._stroke_labels import grow_strokes
from surgplan.training._volumes_out import DatasetSettings, stream_volumes
from surgplan.volume import (
    ANATOMY,
    HEPATIC_VEINS,
    LIVER,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    Modality,
    Volume,
    reorient,
    resample_to,
)

CANONICAL_AXES = "SPL"
STROKE_GRID_MM = 1.5
SCANS_A_SEED = 12

_LABELS = {"background": 0, **{s.name: s.label for s in ANATOMY}}


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """One label map and its scan.

    Attributes
    ----------
    settings
        Where it comes from and how it is used.
    image
        ``(slice, row, column)`` float32 in Hounsfield units; for MR, scaled so that -200..300
        is its 1st to 99th percentile; None where there is no scan.
    target
        Labels of the anatomy vocabulary.
    tissue
        Labels that images are drawn from: the source's own numbers, finer than the target.
    group
        For each class of the network, the class that stands for it in the loss.
    liver
        Indices ``(n, 3)`` of liver voxels, where patches are centred.
    weight
        Share of the samples, relative to the other sources.
    """

    settings: SourceSettings
    image: torch.Tensor | None
    target: torch.Tensor
    tissue: torch.Tensor
    group: torch.Tensor
    liver: npt.NDArray[np.int64]
    weight: float

    @property
    def modality(self) -> Modality:
        """What the scan is."""
        return _modality(self.settings)


def load_sources(settings: SourceSettings, folder: Path, spacing_mm: float) -> list[Source]:
    """Every label map that a source names, or its phantoms or synthetic scans.

    Raises
    ------
    NothingToDoError
        If the pattern matches nothing.
    """
    if settings.synthetic:
        found = list(_synthetic(settings, folder, spacing_mm))
    elif settings.labels is None:
        found = [_phantom(settings, seed, spacing_mm) for seed in settings.phantom_seeds]
    else:
        many = "*" in settings.labels
        paths = sorted(folder.glob(settings.labels)) if many else [folder / settings.labels]
        if many and settings.vessels is not None:
            paths = [p for p in paths if _vessels_of(settings, folder, p).is_file()]
        found = [_load(settings, folder, path, spacing_mm) for path in paths]
    if not found:
        msg = f"source {settings.name!r}: no label map matches {folder / (settings.labels or '')}"
        raise NothingToDoError(msg)
    return [replace(source, weight=settings.weight / len(found)) for source in found]


def _load(settings: SourceSettings, folder: Path, path: Path, spacing_mm: float) -> Source:
    numbers, geometry = read_numbers(path)
    grid = _canonical_grid(geometry, spacing_mm)
    scan, found = None, np.zeros(grid.shape, dtype=np.int32)
    if settings.image is not None:
        scan = read_volume(folder / settings.image, modality=_modality(settings))
        scan = reorient(scan, CANONICAL_AXES)
        if settings.strokes:
            found = _nearest(*_grown(settings, scan, numbers, geometry), grid)
        scan = resample_to(scan, grid)
    numbers = _nearest(numbers, geometry, grid)
    target = _to_target(numbers, settings)
    target = np.where(target == 0, found, target).astype(np.uint8)
    if settings.vessels is not None:
        veins, place = read_numbers(_vessels_of(settings, folder, path))
        target[_nearest(veins, place, grid) > 0] = HEPATIC_VEINS.label
    if settings.drawn_vessels:
        _draw_vessels(target, numbers, spacing_mm, path.name)
    tissue = numbers.astype(np.uint8) if settings.table is None else _own_numbers(numbers, target)
    if scan is not None and settings.contrast_labels:
        seeds = _vein_seeds(settings, grid)
        target = label_by_contrast(scan.array.astype(np.float32), target, spacing_mm, seeds)
        tissue = np.where(target > 0, target, tissue)
    return _source(settings, target, tissue, scan)


def _grown(
    settings: SourceSettings, scan: Volume, numbers: npt.NDArray[np.int32], geometry: Geometry
) -> tuple[npt.NDArray[np.int32], Geometry]:
    """What grows from the strokes, on a grid of its own that is fine enough for it."""
    grid = _canonical_grid(geometry, STROKE_GRID_MM)
    labels = _to_target(_nearest(numbers, geometry, grid), settings)
    image = resample_to(scan, grid).array.astype(np.float32)
    strokes = {
        _LABELS[name]: [grid.to_index(np.asarray(line)) for line in lines]
        for name, lines in settings.strokes.items()
    }
    return grow_strokes(image, labels, STROKE_GRID_MM, strokes).astype(np.int32), grid


def _draw_vessels(
    target: npt.NDArray[np.uint8], segments: npt.NDArray[np.int32], spacing_mm: float, name: str
) -> None:
    """Portal and hepatic veins that fit Couinaud's segments; always the same for one file."""
    spacing = np.full(3, spacing_mm)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = draw_anatomy(segments.astype(np.uint8), spacing, rng)
    for segment, points in (
        (VENA_CAVA, drawn.cava),
        (HEPATIC_VEINS, drawn.hepatic),
        (PORTAL_VEIN, drawn.portal),
    ):
        target[raster(points, target.shape, spacing) > 0.5] = segment.label


def _vein_seeds(
    settings: SourceSettings, grid: Geometry
) -> dict[int, npt.NDArray[np.int64]] | None:
    return {
        _LABELS[name]: np.rint(grid.to_index(points)).astype(np.int64)
        for name, points in settings.vein_seeds.items()
    } or None


def _vessels_of(settings: SourceSettings, folder: Path, path: Path) -> Path:
    """The vessel map that belongs to a label map: the same text in place of the star."""
    before, after = str(folder / (settings.labels or "")).split("*")
    stem = str(path)[len(before) : len(str(path)) - len(after)]
    return folder / (settings.vessels or "").replace("*", stem)


def _phantom(settings: SourceSettings, seed: int, spacing_mm: float) -> Source:
    phantom = make_phantom(
        PhantomSettings(seed=seed, spacing_mm=(spacing_mm,) * 3, lesions=seed % 5)
    )
    if _modality(settings) == "CT":
        scan = render_ct(phantom, seed=seed, phase=PHASES[seed % len(PHASES)])
    else:
        scan = render_mr(phantom, seed=seed, sequence=MR_WEIGHTINGS[seed % len(MR_WEIGHTINGS)])
    target = phantom.label_map.array.copy()
    return _source(settings, target, target, scan)


def _synthetic(settings: SourceSettings, folder: Path, spacing_mm: float) -> Iterator[Source]:
    """Scans of a new seed, and so of new phantoms, every now and then; the same for one name."""
    paths = sorted(folder.glob(settings.labels)) if settings.labels else []
    first = zlib.crc32(settings.name.encode())
    for start in range(0, settings.synthetic, SCANS_A_SEED):
        made = DatasetSettings(
            count=min(SCANS_A_SEED, settings.synthetic - start),
            seed=first + start,
            volumes=VolumeSettings(
                modality=_modality(settings),
                spacing_mm=spacing_mm,
                lesions=settings.synthetic_lesions,
            ),
            labels=(*paths[start:], *paths[:start]),
            gate=None,  # its network is what such sources train
        )
        for _, one in stream_volumes(made):
            target = one.label_map.array.copy()
            yield _source(settings, target, target, one.image)


def _source(
    settings: SourceSettings,
    target: npt.NDArray[np.uint8],
    tissue: npt.NDArray[np.uint8],
    scan: Volume | None,
) -> Source:
    image = None
    if scan is not None:
        image = torch.from_numpy(scan.array.astype(np.float32))
        if scan.modality == "MR":
            image = normalise(image, "MR") * 250 + 50
        tissue = np.where(tissue == 0, unlabelled_tissue(image.numpy()), tissue)
    return Source(
        settings=settings,
        image=image,
        target=torch.from_numpy(target),
        tissue=torch.from_numpy(tissue),
        group=_groups(settings),
        liver=np.argwhere(target == LIVER.label),
        weight=settings.weight,
    )


def _modality(settings: SourceSettings) -> Modality:
    return "MR" if settings.modality == "MR" else "CT"


def _canonical_grid(geometry: Geometry, spacing_mm: float) -> Geometry:
    blank = Volume(array=np.zeros(geometry.shape, dtype=np.int16), geometry=geometry, modality="CT")
    return reorient(blank, CANONICAL_AXES).geometry.with_spacing((spacing_mm,) * 3)


def _nearest(
    numbers: npt.NDArray[np.int32], geometry: Geometry, grid: Geometry
) -> npt.NDArray[np.int32]:
    """The number at the nearest voxel; 0 outside."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    nearest = np.rint(geometry.to_index(grid.to_lps(index))).astype(int)
    inside = ((nearest >= 0) & (nearest < geometry.shape)).all(axis=-1)
    result = np.zeros(grid.shape, dtype=np.int32)
    result[inside] = numbers[tuple(nearest[inside].T)]
    return result


def _to_target(numbers: npt.NDArray[np.int32], settings: SourceSettings) -> npt.NDArray[np.uint8]:
    if settings.table is None:
        return numbers.astype(np.uint8)
    target = np.zeros(numbers.shape, dtype=np.uint8)
    for name, values in settings.table.items():
        if name != "background":
            target[np.isin(numbers, values)] = _LABELS[name]
    return target


def _own_numbers(
    numbers: npt.NDArray[np.int32], target: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Generation labels: ours where there is one, else 20 + a running number per structure."""
    others = np.unique(numbers[(numbers > 0) & (target == 0)])
    lookup = np.zeros(int(numbers.max()) + 1, dtype=np.uint8)
    lookup[others] = 20 + np.arange(len(others)) % 170
    return np.where(target > 0, target, lookup[numbers]).astype(np.uint8)


def _groups(settings: SourceSettings) -> torch.Tensor:
    group = torch.arange(1 + len(ANATOMY))
    for name, into in settings.merge.items():
        group[_LABELS[name]] = _LABELS[into]
    return group
