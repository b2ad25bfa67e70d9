"""Measuring the noise of scans that an autoencoder cannot carry, so that it can be put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.synthesis import CLASSES, LOOKS, REMAINDER_HU, TISSUES, pack, unpack
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
    blur
        For each look the standard deviation in voxels of a blur that gives white noise the same
        correlation.
    """

    noise: torch.Tensor
    blur: tuple[float, ...]


def measure_lost(
    autoencoder: torch.nn.Module, settings: GeneratorTrainingSettings, scans: Sequence[Scan]
) -> Lost:
    """The spread per look and class, and per look the correlation of neighbours.

    Both are noise and not lost edges: they count voxels whose neighbours are all of their own
    class, and the spread is that of a Gaussian with the same median absolute deviation. Scans are
    taken as they are, since turning and zooming them would smooth their noise away. What a
    look hardly shows is that of all looks.
    """
    places: list[list[Place]] = [[] for _ in LOOKS]
    values: list[list[Values]] = [[] for _ in LOOKS]
    pairs: list[list[Values]] = [[] for _ in LOOKS]
    for number in range(NOISE_SAMPLES):
        sample = plain_sample(
            scans, settings.autoencoder.patches, settings.spacing_mm, settings.seed + 3, number
        )
        with torch.no_grad():
            mu, _ = autoencoder.encode(pack(sample.remainder))
            kept = unpack(autoencoder.decode(mu))
        lost: Values = ((sample.remainder - kept) * REMAINDER_HU).float().numpy()
        index: Place = sample.index.numpy()
        inner = ndimage.maximum_filter(index, 3) == ndimage.minimum_filter(index, 3)
        places[sample.look].append(index[inner])
        lost = lost - _middles(lost, index, inner)[index]
        values[sample.look].append(np.abs(lost[inner]))
        pairs[sample.look].append(_neighbours(lost, index, inner))
    everywhere = _spreads([x for look in places for x in look], [x for v in values for x in v])
    known = everywhere[np.isfinite(everywhere)]
    everywhere = np.where(
        np.isfinite(everywhere), everywhere, np.median(known) if known.size else 0
    )
    own = np.array([_spreads(p, v) for p, v in zip(places, values, strict=True)])
    noise = np.where(np.isfinite(own), own, everywhere)
    noise[:, 0] = 0
    blurs = [_blur_of(look or [p for other in pairs for p in other]) for look in pairs]
    return Lost(noise=torch.from_numpy(noise.astype(np.float32)), blur=tuple(blurs))


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


def _neighbours(lost: Values, index: Place, inner: npt.NDArray[np.bool_]) -> Values:
    """Pairs of neighbours in a row inside one tissue, ``(n, 2)``, in its own spread, clipped."""
    counts = inner & ~np.isin(index, _NO_TISSUE)
    both = counts[:, :, 1:] & counts[:, :, :-1]
    spread = _spreads([index[counts]], [np.abs(lost[counts])])
    scaled = np.clip(lost / np.nan_to_num(spread, nan=np.inf)[index], -_FLAT, _FLAT)
    return np.stack([scaled[:, :, 1:][both], scaled[:, :, :-1][both]], axis=1).astype(np.float32)


def _blur_of(pairs: list[Values]) -> float:
    """The blur after which neighbours of white noise correlate as these do."""
    found = np.concatenate(pairs) if pairs else np.zeros((0, 2), np.float32)
    square = float((found**2).mean()) if len(found) else 0.0
    if square == 0:
        return 0.0
    correlation = float(np.clip((found[:, 0] * found[:, 1]).mean() / square, 0.0, 0.8))
    return float(np.sqrt(-0.25 / np.log(correlation))) if correlation > 0.02 else 0.0
