"""The liver as a first network might have found it."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from surgplan.synthesis import blur, smooth
from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_CYST, LIVER_TUMOUR, PORTAL_VEIN, Segment


def found_liver(
    target: torch.Tensor, spacing_mm: float, rng: np.random.Generator, generator: torch.Generator
) -> torch.Tensor:
    """The whole liver with the mistakes of a coarser network.

    Its outline is off by some millimetres, more in some places than in others; lesions are left
    out, wholly or in part, in one of three livers; a neighbour is taken for liver in one of four,
    and a corner is missed in one of seven.

    Parameters
    ----------
    target
        ``(slice, row, column)`` labels of the anatomy vocabulary.
    spacing_mm
        Of its isotropic grid.
    rng, generator
        The only sources of chance.

    Returns
    -------
    torch.Tensor
        Same shape, bool.
    """
    inside = torch.isin(target, _labels(target, LIVER, LIVER_TUMOUR, LIVER_CYST))
    vessels = torch.isin(target, _labels(target, PORTAL_VEIN, HEPATIC_VEINS))
    wide = (6.0 / spacing_mm,) * 3
    inside |= vessels & (blur((inside | vessels).float(), wide) > 0.7)
    if rng.random() < 0.33:
        lesion = torch.isin(target, _labels(target, LIVER_TUMOUR, LIVER_CYST))
        inside &= ~(lesion & (_noise(target, generator) > float(rng.normal(0, 1))))
    soft = blur(inside.float(), (4.0 / spacing_mm,) * 3)
    error = _noise(target, generator) * float(rng.uniform(0, 0.3)) + float(rng.normal(0, 0.1))
    found = soft + error > 0.5
    if rng.random() < 0.25:
        found |= _ball_at_surface(found, spacing_mm, rng)
    if rng.random() < 0.15:
        found &= ~_ball_at_surface(found, spacing_mm, rng)
    return found


def _ball_at_surface(
    found: torch.Tensor, spacing_mm: float, rng: np.random.Generator
) -> torch.Tensor:
    """A ball of 8 to 30 mm around a place where the liver ends."""
    surface = np.argwhere(found.numpy() & ~ndimage.binary_erosion(found.numpy()))
    if len(surface) == 0:
        return torch.zeros_like(found)
    centre = surface[int(rng.integers(len(surface)))]
    radius = float(rng.uniform(8, 30)) / spacing_mm
    axes = [torch.arange(n) - int(c) for n, c in zip(found.shape, centre, strict=True)]
    away = sum(a**2 for a in torch.meshgrid(*axes, indexing="ij"))
    return torch.as_tensor(away) < radius**2


def _noise(target: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    shape = (target.shape[0], target.shape[1], target.shape[2])
    return smooth(shape, 7, generator)


def _labels(target: torch.Tensor, *segments: Segment) -> torch.Tensor:
    return torch.tensor([s.label for s in segments]).to(target.dtype)
