"""One sample for a generator: a patch of a scan, its classes and what is left after their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.phantom import PHASES
from surgplan.synthesis import (
    FACTOR,
    LOOKS,
    WarpSettings,
    class_index,
    class_means,
    condition,
    mean_image,
    one_hot,
    remainder,
    sampling_grid,
    warp,
    with_tissue,
)
from surgplan.training._chance import stream
from surgplan.training._generator_settings import GeneratorSource
from surgplan.training._sources import Source, load_sources
from surgplan.volume import HEPATIC_VEINS, HOUNSFIELD_AIR, LIVER, LIVER_TUMOUR

WARP = WarpSettings(log_scale=0.0, rotation_deg=6.0, bend_voxels=3.0)
ZOOM = 0.18
_ORGANS_DROPPED = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """A scan to learn from, in memory at the spacing of the training.

    Attributes
    ----------
    image
        ``(slice, row, column)`` float32; Hounsfield units, or MR on their scale.
    labels
        Labels of the anatomy vocabulary, same shape.
    liver
        Indices ``(n, 3)`` of liver voxels.
    look
        Place in `LOOKS`.
    weight
        Share of the samples.
    rendered
        Whether it is the picture of a phantom, whose noise is ours and no scanner's.
    """

    image: torch.Tensor
    labels: torch.Tensor
    liver: npt.NDArray[np.int64]
    look: int
    weight: float
    rendered: bool = False

    @property
    def is_mr(self) -> bool:
        """Whether it is no CT."""
        return LOOKS[self.look] == "MR"


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratorSample:
    """What the two networks learn from.

    Attributes
    ----------
    remainder
        ``(slice, row, column)``, what the autoencoder sees.
    condition
        What the flow is told, see `synthesis.condition`.
    index
        Place in `CLASSES` of each voxel.
    look
        Place in `LOOKS`.
    """

    remainder: torch.Tensor
    condition: torch.Tensor
    index: torch.Tensor
    look: int


def load_scans(source: GeneratorSource, folder: Path, spacing_mm: float) -> list[Scan]:
    """Every scan of a source."""
    scans = []
    for number, found in enumerate(load_sources(source.source, folder, spacing_mm)):
        if found.image is None:
            continue
        look = source.look or _look(source.source.phantom_seeds[number], found)
        scans.append(
            Scan(
                image=found.image,
                labels=_labels(found),
                liver=found.liver,
                look=LOOKS.index(look),
                weight=found.weight,
                rendered=bool(source.source.phantom_seeds),
            )
        )
    return scans


def _look(seed: int, found: Source) -> str:
    return PHASES[seed % len(PHASES)] if found.modality == "CT" else "MR"


def _labels(found: Source) -> torch.Tensor:
    """The labels; where the source does not tell what lies in the liver, by brightness."""
    labels = found.target.clone()
    if found.image is None or found.settings.merge.get(LIVER_TUMOUR.name) != LIVER.name:
        return labels
    liver = labels == LIVER.label
    smooth = torch.from_numpy(ndimage.gaussian_filter(found.image.numpy(), 0.7))
    middle = float(found.image[liver].median())
    labels[liver & (smooth < middle - 28)] = LIVER_TUMOUR.label
    labels[liver & (smooth > middle + 22)] = HEPATIC_VEINS.label
    return labels


def draw_generator_sample(
    scans: Sequence[Scan],
    patches: tuple[tuple[int, int, int], ...],
    spacing_mm: float,
    seed: int,
    index: int,
) -> GeneratorSample:
    """The sample of a given step; depends on the seed and the index alone."""
    rng = stream(seed, index)
    scan, patch = _scan_and_patch(scans, patches, rng)
    zoom = float(np.exp(rng.uniform(-ZOOM, ZOOM)))
    centre = np.array(_centre(scan, rng))
    grid = sampling_grid(patch, (0.0, 0.0, 0.0), WARP, rng) * zoom
    grid = grid + torch.from_numpy(centre.astype(np.float32))
    outside = float(scan.image.min()) if scan.is_mr else HOUNSFIELD_AIR
    image = warp(scan.image, grid, mode="bilinear", outside=outside)
    labels = warp(scan.labels.float(), grid, mode="nearest", outside=0)
    voxel_mm = spacing_mm * zoom
    thickness_mm = voxel_mm
    if rng.random() < 0.25:
        thickness_mm = float(rng.uniform(1.2, 2.5)) * voxel_mm
        image = thick_slices(image, thickness_mm / voxel_mm)
    return _sample(image, labels, rng, scan.look, (thickness_mm, voxel_mm))


def plain_sample(
    scans: Sequence[Scan],
    patches: tuple[tuple[int, int, int], ...],
    spacing_mm: float,
    seed: int,
    index: int,
) -> GeneratorSample:
    """Like `draw_generator_sample`, of a scan as it is: not turned, zoomed or made thicker."""
    rng = stream(seed, index)
    scan, patch = _scan_and_patch(scans, patches, rng)
    rows = []
    for middle, side, size in zip(_centre(scan, rng), patch, scan.image.shape, strict=True):
        length = min(side, size + -size % FACTOR)
        first = int(np.clip(round(middle - length / 2), 0, max(0, size - length)))
        rows.append(torch.arange(first, first + length).clamp_max(size - 1))
    box = tuple(torch.meshgrid(*rows, indexing="ij"))
    return _sample(scan.image[box], scan.labels[box], rng, scan.look, (spacing_mm, spacing_mm))


def _scan_and_patch(
    scans: Sequence[Scan], patches: tuple[tuple[int, int, int], ...], rng: np.random.Generator
) -> tuple[Scan, tuple[int, int, int]]:
    weights = np.array([s.weight for s in scans])
    scan = scans[int(rng.choice(len(scans), p=weights / weights.sum()))]
    return scan, patches[int(rng.integers(len(patches)))]


def thick_slices(image: torch.Tensor, factor: float) -> torch.Tensor:
    """Slices ``factor`` times as thick, on the same grid."""
    sigma = 0.5 * float(np.sqrt(factor**2 - 1))
    return torch.from_numpy(ndimage.gaussian_filter1d(image.numpy(), sigma, axis=0))


def _sample(
    image: torch.Tensor,
    labels: torch.Tensor,
    rng: np.random.Generator,
    look: int,
    sizes_mm: tuple[float, float],
) -> GeneratorSample:
    known = labels.numpy().astype(np.uint8)
    if rng.random() < _ORGANS_DROPPED:  # organs as plain tissue, so that both look alike
        known = np.where(known > HEPATIC_VEINS.label, 0, known).astype(np.uint8)
    index = class_index(torch.from_numpy(with_tissue(known, image.numpy())))
    means = mean_image(index, class_means(index, image))
    thickness_mm, voxel_mm = sizes_mm
    return GeneratorSample(
        remainder=remainder(image, means),
        condition=condition(one_hot(index, FACTOR), means, thickness_mm, voxel_mm),
        index=index,
        look=look,
    )


def _centre(scan: Scan, rng: np.random.Generator) -> tuple[float, float, float]:
    """Mostly around a liver voxel, else anywhere."""
    if len(scan.liver) and rng.random() < 0.6:
        chosen = scan.liver[int(rng.integers(len(scan.liver)))] + rng.normal(0, 8, 3)
    else:
        chosen = rng.uniform(0.15, 0.85, 3) * np.array(scan.image.shape)
    return float(chosen[0]), float(chosen[1]), float(chosen[2])
