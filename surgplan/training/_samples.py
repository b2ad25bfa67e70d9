"""One training sample: a warped patch of a source, real or drawn, lesions painted in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from surgplan.segmentation import liver_view, normalise, percentiles, scale
from surgplan.synthesis import (
    draw_image,
    paint_lesions,
    paint_mass,
    perturb_scan,
    sampling_grid,
    surround,
    warp,
)
from surgplan.training._chance import stream
from surgplan.training._found_liver import found_liver
from surgplan.training._settings import TrainingSettings
from surgplan.training._sources import Source

AIR_HU = -1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What the network sees and what it should say.

    Attributes
    ----------
    image
        ``(channels, slice, row, column)`` float32 in -1..1.
    target
        ``(slice, row, column)`` int64, classes of the network.
    group
        For each class, the class that stands for it in the loss.
    """

    image: torch.Tensor
    target: torch.Tensor
    group: torch.Tensor


def draw_sample(sources: list[Source], settings: TrainingSettings, index: int) -> Sample:
    """The sample of a given step; depends on the settings' seed and the index alone."""
    rng = stream(settings.seed, index)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    weights = np.array([s.weight for s in sources])
    source = sources[int(rng.choice(len(sources), p=weights / weights.sum()))]
    grid = sampling_grid(settings.patch, _centre(source, settings, rng), settings.warp, rng)
    target = warp(source.target.float(), grid, mode="nearest", outside=0)
    is_ct = source.modality == "CT"
    if source.image is None or rng.random() < source.settings.draw:
        tissue = warp(source.tissue.float(), grid, mode="nearest", outside=0)
        if source.settings.cut_out:
            tissue = surround(tissue, rng, generator)
        image, is_ct = draw_image(tissue, settings.draw, rng, generator)
    else:
        outside = AIR_HU if is_ct else float(source.image.min())
        image = warp(source.image, grid, mode="bilinear", outside=outside)
        image = perturb_scan(image, target, rng, generator)
    if rng.random() < source.settings.lesions:
        image, target = paint_lesions(
            image, target, settings.lesion, settings.spacing_mm, rng, generator
        )
    if rng.random() < source.settings.masses:
        image, target = paint_mass(image, target, settings.spacing_mm, rng, generator)
    scaled = _scaled(image, rng, is_ct=is_ct)
    if settings.stage == "liver":
        view = liver_view(scaled, found_liver(target, settings.spacing_mm, rng, generator))
    else:
        view = scaled[None]
    return Sample(image=view, target=target.long(), group=source.group)


def _centre(
    source: Source, settings: TrainingSettings, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Around a liver voxel; where a whole scan is to be seen, sometimes anywhere."""
    if len(source.liver) and (settings.stage == "liver" or rng.random() < 0.75):
        chosen = source.liver[int(rng.integers(len(source.liver)))] + rng.normal(0, 10, 3)
    else:
        chosen = rng.uniform(0.2, 0.8, 3) * source.target.shape
    return float(chosen[0]), float(chosen[1]), float(chosen[2])


def _scaled(image: torch.Tensor, rng: np.random.Generator, *, is_ct: bool) -> torch.Tensor:
    """CT by its fixed window, others by percentiles; then a random gamma."""
    scaled = normalise(image, "CT") if is_ct else scale(image, *percentiles(image))
    gamma = float(np.exp(rng.normal(0, 0.12)))
    return ((scaled + 1) / 2) ** gamma * 2 - 1
