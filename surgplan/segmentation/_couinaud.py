"""Couinaud's segments from masks alone: a network that knows shapes of livers and their vessels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage

from surgplan import __version__
from surgplan.errors import NothingToDoError, UsageError
from surgplan.segmentation._bundle import ModelInfo, find_model, load_network
from surgplan.segmentation._couinaud_borders import BORDERS, Plane, border_evidence
from surgplan.segmentation._liver_frame import filled, liver_frame, network_input
from surgplan.volume import (
    BILIARY,
    COUINAUD,
    HEPATIC_VEINS,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
    Segment,
)

COUINAUD_MODEL = "couinaud-box"

_LEAST_ML = 100.0
_LEAST = 1e-5
_CHUNK = 400_000
_HELPERS: tuple[Segment, ...] = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, BILIARY)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class LearnedCouinaud:
    """Segments of a liver, as a network knows them from other livers.

    Attributes
    ----------
    label_map
        `COUINAUD` on the grid of the label map given; its union is the whole liver.
    confidence
        By segment name, 0 to 1: mean probability of the segment where it was found; 0 if it is
        empty.
    used
        What the network was shown beside the liver: structures and borders, by name.
    provenance
        JSON values: model, version, sha256.
    """

    label_map: LabelMap
    confidence: dict[str, float]
    used: tuple[str, ...]
    provenance: Mapping[str, Any]


def couinaud_from_shape(
    label_map: LabelMap,
    *,
    borders: Mapping[str, Plane] | None = None,
    model: str | Path | None = None,
    threads: int | None = None,
) -> LearnedCouinaud:
    """Segments I to VIII from the liver's shape and whatever vessels are labelled; no image.

    The probabilities of the network are multiplied by those that known borders give.

    Parameters
    ----------
    label_map
        The whole liver; portal vein, hepatic veins, vena cava and gallbladder where there. Any
        grid, oblique or sheared.
    borders
        Planes between segments that vessels mark, by their names in `BORDERS`, as
        `surgplan.planning.couinaud_from_vessels` finds them: evidence beside the network's.
    model
        Shipped model or folder of a bundle; None for the shipped one.
    threads
        CPU threads; None leaves torch's choice.

    Raises
    ------
    NothingToDoError
        If there is no liver, or so little that it can be none; or no such model.
    UsageError
        If the model is for something else.
    ModelIntegrityError
        If the model does not have its checksum.
    """
    whole = label_map.whole_liver()
    volume_ml = float(whole.sum()) * label_map.geometry.voxel_volume_mm3 / 1000
    if volume_ml < _LEAST_ML:
        msg = (
            f"Couinaud segments need a liver of {_LEAST_ML:g} ml at least, and the label map has "
            f"{volume_ml:.0f} ml; segment it first"
        )
        raise NothingToDoError(msg)
    info = find_model(model or COUINAUD_MODEL)
    if info.stage != "couinaud":
        msg = f"model {info.name!r} does not find Couinaud segments; {COUINAUD_MODEL!r} does"
        raise UsageError(msg)
    unknown = set(borders or {}) - set(BORDERS)
    if unknown:
        msg = f"`borders` must be some of {BORDERS}, got {sorted(unknown)}"
        raise UsageError(msg)
    if threads is not None:
        torch.set_num_threads(threads)
    masks = [label_map.mask(s) for s in _HELPERS]
    scene = _Scene(label_map.geometry, whole, masks, borders or {})
    with torch.inference_mode():
        labels, sure = scene.segments(load_network(info).float(), info)
    array = np.zeros(label_map.array.shape, dtype=np.uint8)
    array[whole] = labels
    return LearnedCouinaud(
        label_map=LabelMap(array=array, geometry=label_map.geometry, segments=COUINAUD),
        confidence={
            s.name: round(float(sure[labels == s.label].mean()), 3)
            if (labels == s.label).any()
            else 0.0
            for s in COUINAUD
        },
        used=(
            *(s.name for s, m in zip(_HELPERS, masks, strict=True) if m.any()),
            *(f"border {name}" for name in borders or {}),
        ),
        provenance={
            "model": info.name,
            "version": info.version,
            "sha256": info.sha256,
            "surgplan": __version__,
        },
    )


class _Scene:
    """Where the liver and its vessels lie, as points in LPS millimetres."""

    def __init__(
        self, geometry: Geometry, whole: Mask, masks: list[Mask], borders: Mapping[str, Plane]
    ) -> None:
        self.borders = borders
        self.geometry = geometry
        self.whole = whole
        self.masks = masks
        self.liver_mm = geometry.to_lps(np.argwhere(whole))
        main = _largest_part(whole)
        half = np.abs(geometry.affine[:3, :3]).sum(axis=1) / 2
        where = self.liver_mm if main is whole else geometry.to_lps(np.argwhere(main))
        self.low, self.high = where.min(0) - half, where.max(0) + half

    def segments(
        self, network: torch.nn.Module, info: ModelInfo
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Number and probability for each voxel of the liver, in the order of `nonzero`."""
        frame = liver_frame(self.low, self.high, info.window)
        score = self._probabilities(network, frame).clamp_(min=_LEAST).log_()
        for first in range(0, len(self.liver_mm), _CHUNK):
            part = slice(first, first + _CHUNK)
            score[:, part] += torch.from_numpy(border_evidence(self.liver_mm[part], self.borders))
        sure, best = score.softmax(dim=0).max(dim=0)
        return (best + 1).numpy().astype(np.uint8), sure.numpy()

    def _probabilities(self, network: torch.nn.Module, frame: Geometry) -> torch.Tensor:
        """``(8, voxels of the liver)``."""
        image = self.channels(frame)
        logits = network(torch.from_numpy(image)[None])[0]
        inside = image[0] > 0
        nearest = ndimage.distance_transform_edt(
            ~inside, return_distances=False, return_indices=True
        )
        probability = F.softmax(logits, dim=0)[:, nearest[0], nearest[1], nearest[2]]
        place = 2 * (frame.to_index(self.liver_mm) + 0.5) / np.array(frame.shape) - 1
        grid = torch.from_numpy(place[:, ::-1].astype(np.float32))
        parts = [
            F.grid_sample(
                probability[None], part[None, None, None], padding_mode="border",
                align_corners=False,
            )[0, :, 0, 0]
            for part in grid.split(_CHUNK)
        ]  # fmt: skip
        return torch.cat(parts, dim=1)

    def channels(self, frame: Geometry) -> npt.NDArray[np.float32]:
        """What the network sees, see `COUINAUD_CHANNELS`."""
        liver = filled(self.whole, self.geometry, frame) >= 0.5
        portal, hepatic, cava, bile = (filled(m, self.geometry, frame) for m in self.masks)
        either = np.maximum(portal, hepatic)
        return network_input(liver, np.stack([portal, hepatic, either, cava, bile]))


def _largest_part(mask: Mask) -> Mask:
    parts, count = ndimage.label(mask)
    if count == 1:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest: Mask = parts == sizes.argmax()
    return largest
