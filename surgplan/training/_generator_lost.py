"""Measuring the noise of scans that an autoencoder cannot carry, so that it can be put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.synthesis import CLASSES, LOOKS, REMAINDER_HU, TISSUES, NoiseShape, pack, unpack
from surgplan.training._generator_noise import Neighbours
from surgplan.training._generator_samples import Scan, plain_sample
from surgplan.training._generator_settings import GeneratorTrainingSettings

NOISE_SAMPLES = 120
_ENOUGH = 300
_SIGMAS = 1.4826  # standard deviations of a Gaussian in its median absolute deviation
_FLAT = 3.0
_NO_TISSUE = (0, CLASSES.index(TISSUES[0]))  # nothing, and air

Place = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lost:
    """What the autoencoder cannot carry.

    Attributes
    ----------
    noise
        ``(looks, classes)`` spread in Hounsfield units.
    shape
        How neighbours go together, for each look.
    """

    noise: torch.Tensor
    shape: tuple[NoiseShape, ...]

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a bundle's metadata."""
        return {
            "noise": [[round(float(v), 2) for v in row] for row in self.noise],
            "noise_shape": [shape.to_dict() for shape in self.shape],
        }


def measure_lost(
    autoencoder: torch.nn.Module, settings: GeneratorTrainingSettings, scans: Sequence[Scan]
) -> Lost:
    """The spread per look and class, and per look the correlation of neighbours.

    The four looks of CT share one noise: it comes from the scanner, and the few scans of one phase
    would pass theirs off as that of the phase. Rendered phantoms count where a modality has no real
    scan; a modality without any scan has the noise of the other.
    """
    found: dict[bool, _Noise] = {}
    for is_mr in (False, True):
        own = [s for s in scans if s.is_mr == is_mr]
        own = [s for s in own if not s.rendered] or own
        if own:
            found[is_mr] = _noise_of(autoencoder, settings, own)
    by_look = [found.get(look == "MR") or next(iter(found.values())) for look in LOOKS]
    return Lost(
        noise=torch.stack([noise.spread for noise in by_look]),
        shape=tuple(noise.shape for noise in by_look),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Noise:
    spread: torch.Tensor
    shape: NoiseShape


def _noise_of(
    autoencoder: torch.nn.Module, settings: GeneratorTrainingSettings, scans: Sequence[Scan]
) -> _Noise:
    """Spread of each class, and shape, of what is lost of scans of one modality.

    Both are noise and not lost edges: they count voxels whose neighbours are all of their own
    class (the nearest two in each direction for the correlation), and the spread is that of a
    Gaussian with the same median absolute deviation. Scans are taken as they are, since turning
    and zooming them would smooth their noise away. A class that they hardly show has the median
    spread of the others.
    """
    device = next(autoencoder.parameters()).device
    places: list[Place] = []
    values: list[Values] = []
    neighbours = Neighbours()
    for number in range(NOISE_SAMPLES):
        sample = plain_sample(
            scans, settings.autoencoder.patches, settings.spacing_mm, settings.seed + 3, number
        )
        with torch.no_grad():
            mu, _ = autoencoder.encode(pack(sample.remainder.to(device)))
            kept = unpack(autoencoder.decode(mu)).cpu()
        lost: Values = ((sample.remainder - kept) * REMAINDER_HU).float().numpy()
        index: Place = sample.index.numpy()
        inner, deep = (_away_from_others(index, voxels) for voxels in (1, 2))
        lost = lost - _middles(lost, index, inner)[index]
        places.append(index[inner])
        values.append(np.abs(lost[inner]))
        neighbours.add(*_scaled(lost, index, deep))
    spread = _spreads(places, values)
    known = spread[np.isfinite(spread)]
    spread = np.where(np.isfinite(spread), spread, np.median(known) if known.size else 0)
    spread[0] = 0
    return _Noise(spread=torch.from_numpy(spread.astype(np.float32)), shape=neighbours.shape())


def _away_from_others(index: Place, voxels: int) -> npt.NDArray[np.bool_]:
    """Where all neighbours so near are of the same class; nobody knows those beyond the patch."""
    side = 2 * voxels + 1
    highest = ndimage.maximum_filter(index, side, mode="constant", cval=len(CLASSES))
    same: npt.NDArray[np.bool_] = highest == ndimage.minimum_filter(index, side)
    return same


def _middles(lost: Values, index: Place, inner: npt.NDArray[np.bool_]) -> Values:
    """Median of what is lost in each class of a sample; a constant is no noise."""
    middles = np.zeros(len(CLASSES), np.float32)
    for number in np.unique(index[inner]):
        middles[number] = np.median(lost[inner & (index == number)])
    return middles


def _spreads(places: list[Place], values: list[Values]) -> npt.NDArray[np.float64]:
    """Of each class; not a number where there are too few voxels."""
    spread = np.full(len(CLASSES), np.nan)
    if places:
        place, value = np.concatenate(places), np.concatenate(values)
        for number in range(len(CLASSES)):
            found = value[place == number]
            if len(found) >= _ENOUGH:
                spread[number] = _SIGMAS * float(np.median(found))
    return spread


def _scaled(
    lost: Values, index: Place, inner: npt.NDArray[np.bool_]
) -> tuple[Values, npt.NDArray[np.bool_]]:
    """What is lost inside tissues in their own spread, clipped; and where that is."""
    counts = inner & ~np.isin(index, _NO_TISSUE)
    spread = _spreads([index[counts]], [np.abs(lost[counts])])
    scaled = np.clip(lost / np.nan_to_num(spread, nan=np.inf)[index], -_FLAT, _FLAT)
    return scaled.astype(np.float32), counts & np.isfinite(spread)[index]
