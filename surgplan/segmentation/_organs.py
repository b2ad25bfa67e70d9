"""Kidneys and spleen as far as the image shows them: in CT by brightness, in MR by their edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.segmentation._postprocess import LIVER_WITH_VEINS
from surgplan.volume import (
    ARTERIES,
    BONE,
    LEFT_KIDNEY,
    RIGHT_KIDNEY,
    SPLEEN,
    VENA_CAVA,
    larger_pieces,
)

ORGANS = (RIGHT_KIDNEY, LEFT_KIDNEY, SPLEEN)
LEAST_ML = 15.0
REACH_MM = 27.0
CORE_MM = 3.0
AROUND_MM = 6.0
SOFT_TISSUE_HU = 55.0  # muscle, bowel wall
LEAST_CONTRAST_HU = 35.0
FAT_HU = -100.0
NEAR_FAT_HU = -50.0
LEAST_SPREADS = 2.0  # less contrast than that: cortex and medulla differ as much, as arterially
LEAST_SPREAD_HU = 6.0
SPREADS = 3.5
LEAST_SHARE = 0.2  # of the largest part: a smaller one is another structure as bright
CHANGE = (0.6, 2.5)  # times its volume: beyond, the organ stays as it was
EDGE_SPREADS = 3.5
SURE = 3.0  # score against the next likely structure, deep inside

_OTHERS = (LIVER_WITH_VEINS, (VENA_CAVA,), (ARTERIES,), *((organ,) for organ in ORGANS))

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Outlined = Callable[[Mask, int], tuple[Mask, Floats] | None]


def settle_organs(logits: torch.Tensor, image: Floats, spacing_mm: float) -> None:
    """Let scores of kidneys and spleen follow the edges of a CT.

    In contrast phases in which a network has seen few kidneys it calls parts of them bowel. An
    organ that is brighter than soft tissue grows through voxels as bright as its body, within
    `REACH_MM`, but not into bone or the body of another structure, and not through necks thinner
    than twice `CORE_MM`; its outline lies at half the level between it and what is around. One
    that is not brighter gets its outline against fat only.

    Parameters
    ----------
    logits
        ``(classes, slice, row, column)``; changed in place.
    image
        ``(slice, row, column)``, Hounsfield units on the same grid.
    spacing_mm
        Of the grid, along all axes.
    """
    scene = _Scene.of(logits, image, spacing_mm)
    _settle(logits, scene, scene.outlined)


def settle_outlines(logits: torch.Tensor, image: Floats, spacing_mm: float) -> None:
    """Let outlines of kidneys and spleen follow the edges of an MR, a voxel inwards or outwards.

    Where something clearly brighter or darker than the organ lies within `AROUND_MM`, the outline
    lies at half the level between both; elsewhere it stays.

    Parameters
    ----------
    logits
        ``(classes, slice, row, column)``; changed in place.
    image
        ``(slice, row, column)`` on the same grid, some 500 from black to white.
    spacing_mm
        Of the grid, along all axes.
    """
    scene = _Scene.of(logits, image, spacing_mm)
    _settle(logits, scene, lambda before, _: scene.edged(before))


def _settle(logits: torch.Tensor, scene: _Scene, outlined: Outlined) -> None:
    """Give each organ its new outline, unless that would make it another one."""
    for organ in ORGANS:
        before = scene.labels == organ.label
        if before.sum() * scene.spacing_mm**3 < 1000 * LEAST_ML:
            continue
        found = outlined(before, organ.label)
        if found is None:
            continue
        after, depth = found
        least, most = CHANGE
        if least * before.sum() <= after.sum() <= most * before.sum():
            _rescore(logits, organ.label, before, after, depth)
            scene.labels[after] = organ.label
            gone = torch.from_numpy(before & ~after)
            scene.labels[gone.numpy()] = logits[:, gone].argmax(dim=0).to(torch.uint8).numpy()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Body:
    """The part of a structure that is as bright as most of it.

    Attributes
    ----------
    mask
        Its largest piece.
    level_hu, spread_hu
        Median and spread of its brightness.
    """

    mask: Mask
    level_hu: float
    spread_hu: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scene:
    """A scan on the network's grid.

    Attributes
    ----------
    image, labels
        ``(slice, row, column)``.
    darkest, brightest
        Of the voxels within `AROUND_MM`.
    spacing_mm
        Along all axes.
    """

    image: Floats
    labels: npt.NDArray[np.uint8]
    darkest: Floats
    brightest: Floats
    spacing_mm: float

    @classmethod
    def of(cls, logits: torch.Tensor, image: Floats, spacing_mm: float) -> _Scene:
        """As the network sees it."""
        return cls(
            image=image,
            labels=logits.argmax(dim=0).to(torch.uint8).numpy(),
            darkest=ndimage.minimum_filter(image, size=_size(spacing_mm)),
            brightest=ndimage.maximum_filter(image, size=_size(spacing_mm)),
            spacing_mm=spacing_mm,
        )

    @property
    def core(self) -> int:
        """Voxels in `CORE_MM`."""
        return max(1, round(CORE_MM / self.spacing_mm))

    def body(self, mask: Mask) -> _Body | None:
        """Of a structure; None where it is thin everywhere."""
        boxes = ndimage.find_objects(mask.view(np.uint8))
        if not boxes:
            return None
        here, image = mask[boxes[0]], self.image[boxes[0]]
        core = ndimage.binary_erosion(here, iterations=self.core)
        if not core.any():
            return None
        level, spread = _level(image[core])
        like = here & (np.abs(image - level) < SPREADS * spread)
        main = larger_pieces(ndimage.binary_erosion(like, iterations=self.core), share=1.0)
        body = np.zeros_like(mask)
        body[boxes[0]] = ndimage.binary_dilation(main, iterations=self.core) & like
        return _Body(mask=body, level_hu=level, spread_hu=spread)

    def outlined(self, before: Mask, label: int) -> tuple[Mask, Floats] | None:
        """The organ as the image shows it, and how far inside each voxel lies, -1 to 1."""
        body = self.body(before)
        if body is None or not body.mask.any():
            return None
        contrast_hu = body.level_hu - SOFT_TISSUE_HU
        if contrast_hu < max(LEAST_CONTRAST_HU, LEAST_SPREADS * body.spread_hu):
            return self._against_fat(before, body)
        return self._grown(before, body, label)

    def _grown(self, before: Mask, body: _Body, label: int) -> tuple[Mask, Floats] | None:
        level, spread = body.level_hu, body.spread_hu
        low = max(level - SPREADS * spread, (level + SOFT_TISSUE_HU) / 2)
        high = level + SPREADS * spread
        away = ndimage.distance_transform_edt(~before) * self.spacing_mm
        free = (away <= REACH_MM) & ~self._taken(label, high)
        like = ndimage.binary_erosion(
            free & (self.image > low) & (self.image < high), iterations=self.core
        )
        main = _touching(like, before)
        if main is None:
            return None
        dark = np.minimum(self.darkest, level - 2 * spread)
        bright = np.where(self.brightest > high, self.brightest, np.inf)
        top = np.maximum((level + bright) / 2, level + 2 * spread)
        half = (level + dark) / 2
        below = np.where(np.isinf(top), 1, (top - self.image) / np.minimum(top - level, 1e3))
        depth = np.minimum(np.minimum(below, 1), (self.image - half) / (level - half))
        inside = main | (free & (depth > 0))
        grown = ndimage.binary_dilation(main, iterations=2 * self.core, mask=inside)
        return ndimage.binary_fill_holes(grown), depth.astype(np.float32)

    def _against_fat(self, before: Mask, body: _Body) -> tuple[Mask, Floats]:
        half = (body.level_hu + FAT_HU) / 2
        depth = np.clip((self.image - half) / (body.level_hu - half), -1, 1).astype(np.float32)
        inner = ndimage.binary_erosion(before, iterations=self.core)
        next_to = ndimage.binary_dilation(before, iterations=self.core) & (self.labels == 0)
        alike = np.abs(self.image - body.level_hu) < SPREADS * body.spread_hu + 20
        more = next_to & alike & (depth > 0) & (self.darkest < NEAR_FAT_HU)
        found: Mask = (before & ((depth > 0) | inner)) | more
        return found, depth

    def edged(self, before: Mask) -> tuple[Mask, Floats] | None:
        """The organ within a voxel of what it was, and how far inside each voxel lies, -1 to 1."""
        body = self.body(before)
        if body is None or not body.mask.any():
            return None
        level, clear = body.level_hu, EDGE_SPREADS * body.spread_hu
        below = np.where(self.darkest < level - clear, level - self.darkest, np.inf) / 2
        above = np.where(self.brightest > level + clear, self.brightest - level, np.inf) / 2
        off = self.image - level
        depth = np.clip(1 - np.where(off < 0, -off / below, off / above), -1, 1)
        inner = ndimage.binary_erosion(before, iterations=self.core)
        next_to = ndimage.binary_dilation(before, iterations=self.core) & (self.labels == 0)
        at_edge = np.isfinite(np.minimum(below, above))
        found = (before & ((depth > 0) | inner)) | (next_to & at_edge & (depth > 0))
        return found, depth.astype(np.float32)

    def _taken(self, label: int, high_hu: float) -> Mask:
        """Bodies of other structures, and bone."""
        taken: Mask = (self.labels == BONE.label) & (self.image > high_hu)
        for segments in _OTHERS:
            codes = [s.label for s in segments]
            body = None if label in codes else self.body(np.isin(self.labels, codes))
            if body is not None:
                taken |= body.mask
        return taken


def _level(values: Floats) -> tuple[float, float]:
    """Median and spread of most of them."""
    middle, spread = _middle(values)
    return _middle(values[np.abs(values - middle) <= 2.5 * spread])


def _middle(values: Floats) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, max(LEAST_SPREAD_HU, 1.4826 * float(np.median(np.abs(values - middle))))


def _size(spacing_mm: float) -> int:
    return 2 * max(1, round(AROUND_MM / spacing_mm)) + 1


def _touching(mask: Mask, organ: Mask) -> Mask | None:
    """Pieces that share most with the organ; None where none shares anything."""
    pieces, count = ndimage.label(mask)
    shared = np.bincount(pieces[organ], minlength=count + 1)
    shared[0] = 0
    if not shared.any():
        return None
    kept: Mask = (shared >= LEAST_SHARE * shared.max())[pieces]
    return kept


def _rescore(logits: torch.Tensor, label: int, before: Mask, after: Mask, depth: Floats) -> None:
    """Scores that change sign where the image crosses the outline, between the voxels too."""
    ring = ndimage.binary_dilation(after) & ~ndimage.binary_erosion(after)
    agrees = (depth > 0) == after
    place = torch.from_numpy((before ^ after) | (ring & agrees))
    least = 0.1
    margin = np.where(after, np.clip(depth, least, 1), np.clip(depth, -1, -least))[place.numpy()]
    scores = logits[:, place]
    scores[label] = -torch.inf
    logits[label][place] = scores.amax(dim=0) + SURE * torch.from_numpy(margin.astype(np.float32))
