"""Lesions painted into a liver while training, with the label that fits them exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from surgplan.synthesis._noise import blur, smooth, white
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
)

_VEINS = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA)


@dataclass(frozen=True, kw_only=True)
class LesionSettings:
    """How many lesions, how large, how visible.

    Attributes
    ----------
    most
        Largest number of lesions in one liver.
    radius_mm
        Median radius; radii are lognormal.
    radius_spread
        Standard deviation of the logarithm of the radius.
    contrast_hu
        Least and largest difference to the parenchyma.
    cyst_share
        How many lesions are cysts.
    bright_share
        How many of the others are brighter than the parenchyma, as vessels are too.
    dense_share
        How many of the others hold dense clumps: calcium, blood, or oil of an embolisation.
    """

    most: int = 4
    radius_mm: float = 13.0
    radius_spread: float = 0.6
    contrast_hu: tuple[float, float] = (18.0, 75.0)
    cyst_share: float = 0.15
    bright_share: float = 0.15
    dense_share: float = 0.0


def paint_lesions(
    image: torch.Tensor,
    labels: torch.Tensor,
    settings: LesionSettings,
    spacing_mm: float,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and labels with lesions inside the liver parenchyma.

    Most are darker than the parenchyma, some brighter, some with a bright rim or a dark core;
    each has an uneven outline. Shapes ``(slice, row, column)``; a patch without liver comes back
    unchanged.
    """
    liver = (labels == LIVER.label).nonzero()
    if len(liver) < 200:
        return image, labels
    image, labels = image.clone(), labels.clone()
    for _ in range(int(rng.integers(1, settings.most + 1))):
        centre = liver[int(rng.integers(len(liver)))].tolist()
        radius = settings.radius_mm * float(np.exp(rng.normal(0, settings.radius_spread)))
        radius = float(np.clip(radius, 3.0, 60.0)) / spacing_mm
        _paint(image, labels, centre, radius, settings, rng, generator)
    return image, labels


def paint_mass(
    image: torch.Tensor,
    labels: torch.Tensor,
    spacing_mm: float,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and labels with a tumour-like mass that touches the liver from outside.

    Its radius is 15-60 mm, it looks like parenchyma or like a tumour, and it counts as background.
    Shapes ``(slice, row, column)``; a patch without liver comes back unchanged.
    """
    liver = labels == LIVER.label
    if int(liver.sum()) < 200:
        return image, labels
    image, labels = image.clone(), labels.clone()
    near = F.max_pool3d(liver[None, None].float(), 5, stride=1, padding=2)[0, 0] > 0
    edge = (near & (labels == 0)).nonzero()
    if len(edge) == 0:
        return image, labels
    radius = float(rng.uniform(15, 60)) / spacing_mm
    away = rng.normal(0, 1, 3)
    away *= rng.uniform(0.3, 0.9) * radius / float(np.linalg.norm(away))
    touched = edge[int(rng.integers(len(edge)))].tolist()
    centre = [
        min(max(round(c + float(a)), 0), n - 1)
        for c, a, n in zip(touched, away, image.shape, strict=True)
    ]
    reach = int(np.ceil(1.4 * radius))
    box = tuple(
        slice(max(0, c - reach), min(n, c + reach + 1))
        for c, n in zip(centre, image.shape, strict=True)
    )
    inside = (_level(box, centre, radius, rng, generator) < 1) & ~_hepatic(labels[box])
    if not bool(inside.any()):
        return image, labels
    shape = (inside.shape[0], inside.shape[1], inside.shape[2])
    level_hu = float(image[liver].mean()) + float(rng.uniform(-60, 20))
    look = level_hu + smooth(shape, 5, generator) * float(rng.uniform(0, 15))
    look += white(shape, generator) * float(rng.uniform(3, 20))
    weight = blur(inside.float(), (0.6, 0.6, 0.6)) * ~_hepatic(labels[box])
    image[box] += weight * (look - image[box])
    labels[box][inside] = 0
    return image, labels


def _hepatic(labels: torch.Tensor) -> torch.Tensor:
    kept = torch.tensor([s.label for s in (LIVER, LIVER_TUMOUR, LIVER_CYST, *_VEINS)])
    return torch.isin(labels, kept.to(labels.dtype))


def _paint(  # noqa: PLR0913 - one lesion has a place, a size and a look
    image: torch.Tensor,
    labels: torch.Tensor,
    centre: list[int],
    radius: float,
    settings: LesionSettings,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> None:
    reach = int(np.ceil(1.6 * radius)) + 2
    box = tuple(
        slice(max(0, c - reach), min(n, c + reach + 1))
        for c, n in zip(centre, image.shape, strict=True)
    )
    level = _level(box, centre, radius, rng, generator)
    inside = (level < 1) & (labels[box] == LIVER.label)
    if not bool(inside.any()):
        return
    parenchyma = image[box][inside]
    cyst = rng.random() < settings.cyst_share
    contrast = float(rng.uniform(*settings.contrast_hu))
    if cyst:
        change = float(rng.normal(8, 6)) - float(parenchyma.mean())
    else:
        change = contrast if rng.random() < settings.bright_share else -contrast
    profile = torch.full_like(level, change)
    if not cyst and rng.random() < 0.35:
        profile[level < float(rng.uniform(0.3, 0.7))] += float(rng.uniform(-30, 10))
    if not cyst and rng.random() < 0.3:
        profile[level > 0.8] += float(rng.uniform(10, 60))
    shape = (level.shape[0], level.shape[1], level.shape[2])
    if not cyst:
        profile += smooth(shape, 5, generator) * float(rng.uniform(0, 12))
    if not cyst and settings.dense_share > 0 and rng.random() < settings.dense_share:
        clumps = smooth(shape, 6, generator) > float(rng.uniform(0.3, 1.3))
        profile[clumps & (level < 0.9)] += float(rng.uniform(40, 400))
    softness = float(rng.uniform(0.3, 0.9))
    weight = blur(inside.float(), (softness, softness, softness))
    image[box] += weight * profile
    labels[box][inside] = (LIVER_CYST if cyst else LIVER_TUMOUR).label


def _level(
    box: tuple[slice, ...],
    centre: list[int],
    radius: float,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> torch.Tensor:
    """Below 1 inside a bumpy ellipsoid around the centre; 0 in its middle."""
    stretch = rng.uniform(0.75, 1.3, 3)
    axes = [
        (torch.arange(s.start, s.stop, dtype=torch.float32) - c) / (radius * float(k))
        for s, c, k in zip(box, centre, stretch, strict=True)
    ]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    shape = (z.shape[0], z.shape[1], z.shape[2])
    bumps = smooth(shape, 4, generator) * float(rng.uniform(0, 0.2))
    return torch.sqrt(z**2 + y**2 + x**2) + bumps
