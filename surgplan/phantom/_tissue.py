"""From parts to pictures: mean values with partial-volume edges, texture, and noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.phantom._parts import Part
from surgplan.phantom._shapes import coordinates, index_box, subgrid
from surgplan.volume import Geometry

Image = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a tissue looks.

    Attributes
    ----------
    value
        Mean, in Hounsfield units or MR intensity.
    grain
        Standard deviation of its own texture (not of the scanner's noise).
    strands
        How much brighter the fine vessels in it are, 0 for none.
    """

    value: float
    grain: float = 0.0
    strands: float = 0.0


@dataclass(kw_only=True, eq=False)
class Canvas:
    """Three images on a grid: mean value, grain and strands of what lies there."""

    geometry: Geometry
    value: Image
    grain: Image
    strands: Image

    @classmethod
    def blank(cls, geometry: Geometry, value: float) -> Canvas:
        """Nothing but air."""
        zeros = np.zeros(geometry.shape, dtype=np.float32)
        full = np.full(geometry.shape, value, dtype=np.float32)
        return cls(geometry=geometry, value=full, grain=zeros, strands=zeros.copy())

    def paint(self, parts: Iterable[Part], looks: Mapping[str, Look]) -> None:
        """Blend parts over each other by how much of each voxel they fill.

        The share of a voxel is taken from the signed distance at its centre: 1 half a voxel inside
        the surface, 0 half a voxel outside.
        """
        width = float(np.cbrt(self.geometry.voxel_volume_mm3))
        for part in parts:
            box = index_box(self.geometry, part.shape.box_mm)
            if box is None:
                continue
            window = subgrid(self.geometry, box)
            distance = part.shape.on(window)
            for layer in part.layers:
                share = np.clip(0.5 - (distance + layer.depth_mm) / width, 0, 1)
                if layer.level_mm is not None:
                    y = coordinates(window)[1].reshape(window.shape)
                    share *= np.clip(0.5 + (layer.level_mm - y) / width, 0, 1)
                look = looks[layer.tissue]
                for image, value in (
                    (self.value, look.value),
                    (self.grain, look.grain),
                    (self.strands, look.strands),
                ):
                    image[box] += share * (np.float32(value) - image[box])

    def textured(self, random: np.random.Generator) -> Image:
        """The picture before the scanner: grain of two scales, and vessels as fine lines."""
        geometry = self.geometry
        coarse = smooth_noise(geometry, 5.0, random)
        fine = smooth_noise(geometry, 1.3, random)
        picture = self.value + self.grain * (0.6 * coarse + 0.8 * fine)
        first, second = (smooth_noise(geometry, 6.0, random) for _ in range(2))
        lines = np.exp(-(first**2 + second**2) / 0.035)  # where two random surfaces meet
        picture += self.strands * lines
        return picture.astype(np.float32)


def smooth_noise(geometry: Geometry, scale_mm: float, random: np.random.Generator) -> Image:
    """Gaussian noise of unit variance, correlated over ``scale_mm``."""
    noise = random.standard_normal(geometry.shape, dtype=np.float32)
    sigma = [scale_mm / s / 1.5 for s in geometry.spacing_mm]
    smooth: Image = ndimage.gaussian_filter(noise, sigma, mode="wrap", truncate=3.0)
    return smooth / max(float(smooth.std()), 1e-6)


def scanner_noise(shape: tuple[int, ...], random: np.random.Generator) -> Image:
    """Unit noise as of a reconstruction kernel: mostly fine, a little coarse."""
    fine = ndimage.gaussian_filter(
        random.standard_normal(shape, dtype=np.float32), (0.3, 0.65, 0.65), truncate=3.0
    )
    coarse = ndimage.gaussian_filter(
        random.standard_normal(shape, dtype=np.float32), (1.0, 2.5, 2.5), truncate=3.0
    )
    noise: Image = fine / fine.std() + 0.35 * coarse / coarse.std()
    unit: Image = noise / noise.std()
    return unit


def blurred(picture: Image, geometry: Geometry, psf_mm: float) -> Image:
    """The picture through a Gaussian point spread of this standard deviation."""
    sigma = [psf_mm / s for s in geometry.spacing_mm]
    result: Image = ndimage.gaussian_filter(picture, sigma, mode="nearest", truncate=3.0)
    return result
