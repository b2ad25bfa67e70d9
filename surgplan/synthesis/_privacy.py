"""Whether a generator hands out its training scans: copies, and membership.

After Dar et al. 2024 (https://arxiv.org/abs/2402.01054): a made patch is a copy when it is more
like its nearest training patch than real patches of other people are. The nearest one is looked for
at every place of every training scan, a little smaller and larger too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy import ndimage
from scipy.stats import rankdata

from surgplan.errors import UsageError
from surgplan.synthesis._classes import CLASSES, TISSUES

PATCH_SIDE = 24
"""Voxels of a patch, a side."""

ZOOMS = (0.9, 1.0, 1.11)
"""Sizes that a copy may come back in: training zooms its samples."""

_BLUR = 0.8
_CLIP = 3.0
_SIGMAS = 1.4826  # standard deviations of a Gaussian in its median absolute deviation
_LEAST_SPREAD = 0.25  # of the texture of a patch that can be told from others at all
_HELD_OUT_SHARE = 0.95
_NO_TISSUE = (0, CLASSES.index(TISSUES[0]))  # nothing, and air

Image = npt.NDArray[np.float32]


def texture_of(image: npt.NDArray[Any], index: npt.NDArray[np.integer[Any]]) -> Image:
    """What an image has that its labels do not say, ``(slice, row, column)``.

    Each class less its own mean around each voxel, in its own spread, clipped; air is 0. So
    neither the brightness of a structure nor its outline makes two patches alike.

    Parameters
    ----------
    image
        ``(slice, row, column)``, any unit.
    index
        Place in `CLASSES`, same shape.
    """
    texture = np.zeros(image.shape, np.float32)
    for number in np.setdiff1d(np.unique(index), _NO_TISSUE):
        mask = index == number
        weight = mask.astype(np.float32)
        share = ndimage.uniform_filter(weight, PATCH_SIDE, mode="constant")
        mean = ndimage.uniform_filter(weight * image, PATCH_SIDE, mode="constant")
        rest = (image - mean / np.maximum(share, 1e-4))[mask]
        spread = _SIGMAS * float(np.median(np.abs(rest)))
        texture[mask] = np.clip(rest / max(spread, 1e-6), -_CLIP, _CLIP)
    return texture


@dataclass(frozen=True, kw_only=True)
class Match:
    """The place of training scans that a patch is most alike.

    Attributes
    ----------
    correlation
        Of the two textures, without their noise.
    scan
        Which of the scans.
    place
        First voxel there, ``(slice, row, column)``.
    zoom
        Size of the patch in it against its size here.
    """

    correlation: float
    scan: int
    place: tuple[int, int, int]
    zoom: float


class Gallery:
    """Training scans, ready to be searched for the like of a patch.

    Parameters
    ----------
    textures
        Of each scan, from `texture_of`; `PATCH_SIDE` voxels a side at least.
    """

    def __init__(self, textures: Sequence[Image]) -> None:
        self._sheets = [
            _Sheet(_resized(texture, zoom), number, zoom)
            for number, texture in enumerate(textures)
            for zoom in ZOOMS
            if min(texture.shape) * zoom >= PATCH_SIDE
        ]
        if not self._sheets:
            msg = f"a search for copies needs a training scan of {PATCH_SIDE} voxels a side"
            raise UsageError(msg)

    def nearest(self, patch: Image) -> Match:
        """Where the scans are most alike a patch of texture, `PATCH_SIDE` voxels a side."""
        if patch.shape != (PATCH_SIDE,) * 3:
            msg = f"a patch has {PATCH_SIDE} voxels a side, got {patch.shape}"
            raise UsageError(msg)
        smooth = ndimage.gaussian_filter(patch.astype(np.float32), _BLUR, mode="constant")
        smooth = smooth - smooth.mean()
        smooth /= max(float(np.linalg.norm(smooth)), 1e-6)
        return max((sheet.best(smooth) for sheet in self._sheets), key=lambda m: m.correlation)


class _Sheet:
    """A training scan in one size, its spectrum and the spread of every patch in it."""

    def __init__(self, texture: Image, number: int, zoom: float) -> None:
        smooth = ndimage.gaussian_filter(texture, _BLUR, mode="constant")
        self.number, self.zoom = number, zoom
        self.size = [scipy.fft.next_fast_len(n, real=True) for n in smooth.shape]
        self.spectrum = scipy.fft.rfftn(smooth, self.size)
        mean, square = (_box_sums(x) / PATCH_SIDE**3 for x in (smooth, smooth**2))
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        flat = spread < _LEAST_SPREAD
        self.scale = np.where(flat, 0, 1 / np.maximum(spread * PATCH_SIDE**1.5, 1e-6))
        self.window = tuple(slice(0, n) for n in spread.shape)

    def best(self, patch: Image) -> Match:
        found = scipy.fft.irfftn(
            self.spectrum * np.conj(scipy.fft.rfftn(patch, self.size)), self.size
        )[self.window]
        found = found * self.scale
        at = np.unravel_index(int(found.argmax()), found.shape)
        first = tuple(round(int(n) / self.zoom) for n in at)
        return Match(
            correlation=float(found[at]),
            scan=self.number,
            place=(first[0], first[1], first[2]),
            zoom=1 / self.zoom,
        )


def _resized(texture: Image, zoom: float) -> Image:
    resized: Image = texture if zoom == 1 else ndimage.zoom(texture, zoom, order=1)
    return resized


def _box_sums(image: Image) -> npt.NDArray[np.float64]:
    """Sum of every box of `PATCH_SIDE` voxels a side that lies in the image."""
    sums = image.astype(np.float64)
    for axis in range(3):
        ends = np.moveaxis(np.cumsum(sums, axis=axis), axis, 0)
        ends = np.concatenate([np.zeros_like(ends[:1]), ends])
        sums = np.moveaxis(ends[PATCH_SIDE:] - ends[:-PATCH_SIDE], 0, axis)
    return sums


@dataclass(frozen=True, kw_only=True)
class CopyAudit:
    """What a search for copies found.

    Attributes
    ----------
    threshold
        Correlation that 95 percent of held-out patches stay below.
    copied
        Share of made patches above it. 0.05 is what patches of other people would give.
    largest, largest_held_out
        The largest correlation of a made and of a held-out patch with a training scan.
    median, median_held_out
        Of made and of held-out patches.
    matches
        Of each made patch.
    """

    threshold: float
    copied: float
    largest: float
    largest_held_out: float
    median: float
    median_held_out: float
    matches: tuple[Match, ...]

    @property
    def suspects(self) -> tuple[int, ...]:
        """Made patches above the threshold."""
        return tuple(n for n, m in enumerate(self.matches) if m.correlation > self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the matches."""
        return {k: round(v, 4) for k, v in asdict(self).items() if k != "matches"}


def audit_copies(made: Sequence[Image], training: Gallery, held_out: Sequence[Image]) -> CopyAudit:
    """Look for made patches that are nearer to training than held-out real patches are.

    Parameters
    ----------
    made, held_out
        Patches of texture (`texture_of`), `PATCH_SIDE` voxels a side.
    training
        What they are compared with.
    """
    if min(len(made), len(held_out)) == 0:
        msg = "an audit needs made and held-out patches"
        raise UsageError(msg)
    real = np.array([training.nearest(patch).correlation for patch in held_out])
    matches = tuple(training.nearest(patch) for patch in made)
    nearest = np.array([match.correlation for match in matches])
    threshold = float(np.quantile(real, _HELD_OUT_SHARE))
    return CopyAudit(
        threshold=threshold,
        copied=float((nearest > threshold).mean()),
        largest=float(nearest.max()),
        largest_held_out=float(real.max()),
        median=float(np.median(nearest)),
        median_held_out=float(np.median(real)),
        matches=matches,
    )


def membership_auc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """How well the loss tells training patches from others: 0.5 not at all, 1 surely.

    The share of pairs in which the training patch has the lower loss.

    >>> membership_auc([0.1, 0.2], [0.3, 0.4])
    1.0
    """
    ranks = rankdata(np.concatenate([inside, outside]))
    outer = ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2
    return float(outer / (len(inside) * len(outside)))
