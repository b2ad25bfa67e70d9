"""From generation labels and brightness to an image, by chance alone (domain randomisation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from surgplan.synthesis._brightness import MR_WHITE, Means, grain
from surgplan.synthesis._individual import Person
from surgplan.synthesis._noise import NoiseShape, blur, smooth, white
from surgplan.volume import LIVER, Modality

_COARSE = 1.7  # texture of a cirrhotic liver against a normal one

# Noise of three CTs at 3 mm (one of LiTS, two of TotalSegmentator's), measured as
# `training.measure_generator_noise` does: white shares of 0.2 to 0.9, the rest blurred by 0.9 to
# 1.3 voxels (more where next to nothing but white noise is left).
_WHITE, _BLUR = (0.2, 0.9), (0.9, 1.3)


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """How a picture is taken, in units of the working voxel.

    Attributes
    ----------
    noise
        Standard deviation of the noise, HU (MR: per mille of white).
    noise_shape
        CT only: how that noise goes together in neighbours.
    psf_voxels
        Standard deviation of the point spread.
    bias
        MR only: spread of the logarithm of the coil's brightness.
    """

    noise: float
    noise_shape: NoiseShape
    psf_voxels: float
    bias: float

    @classmethod
    def draw(cls, modality: Modality, rng: np.random.Generator) -> Scanner:
        """A seeded scanner."""
        noise, psf, bias = rng.uniform(5, 20), rng.uniform(0.35, 0.65), rng.uniform(0, 0.18)
        shape = NoiseShape(
            white=float(rng.uniform(*_WHITE)),
            across_voxels=float(rng.uniform(*_BLUR)),
            in_plane_voxels=float(rng.uniform(*_BLUR)),
        )
        return cls(
            noise=float(noise),
            noise_shape=shape,
            psf_voxels=float(psf),
            bias=float(bias) if modality == "MR" else 0.0,
        )


def randomised_picture(
    ideal: torch.Tensor,
    index: torch.Tensor,
    person: Person,
    scanner: Scanner,
    generator: torch.Generator,
) -> torch.Tensor:
    """Texture, point spread, coil and noise on an ideal image.

    Parameters
    ----------
    ideal
        ``(slice, row, column)``: every voxel as bright as its class, lesions painted in; HU, or MR
        intensity with `MR_WHITE` as white.
    index
        Place in `CLASSES`, same shape.
    person, scanner
        Whose scan, and how.
    generator
        The only source of chance.
    """
    shape = (ideal.shape[0], ideal.shape[1], ideal.shape[2])
    spread: Means = grain()
    if person.condition == "cirrhosis":
        spread[LIVER.label] *= _COARSE
    texture = 0.6 * smooth(shape, 14, generator)
    texture += 4.5 * blur(white(shape, generator), (1.0, 1.0, 1.0))
    image = ideal + torch.from_numpy(spread)[index] * texture
    if scanner.bias:
        image = image * torch.exp(scanner.bias * smooth(shape, 3, generator))
    image = blur(image, (scanner.psf_voxels,) * 3)
    return with_noise(image, scanner, generator)


def with_noise(image: torch.Tensor, scanner: Scanner, generator: torch.Generator) -> torch.Tensor:
    """Noise of a CT (less in air) or of an MR (Rician)."""
    shape = (image.shape[0], image.shape[1], image.shape[2])
    if scanner.bias:
        real = image + scanner.noise * MR_WHITE / 1000 * white(shape, generator)
        imaginary = scanner.noise * MR_WHITE / 1000 * white(shape, generator)
        return torch.sqrt(real**2 + imaginary**2)
    thin = ((image + 1000) / 900).clamp(0.35, 1.0)
    return image + scanner.noise * thin * scanner.noise_shape.draw(shape, generator)
