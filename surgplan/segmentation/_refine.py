"""A second look inside the liver, at a finer spacing than the first network's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.segmentation._bundle import ModelInfo
from surgplan.segmentation._complete_vessels import complete_vessels
from surgplan.segmentation._engine import Forward
from surgplan.segmentation._intensity import scale
from surgplan.segmentation._liver_view import liver_view
from surgplan.segmentation._native import labels_on, scores_on
from surgplan.segmentation._organs import ORGANS
from surgplan.segmentation._postprocess import (
    FORBIDDEN,
    LIVER_TISSUE,
    LIVER_WITH_VEINS,
    forbid_fragments,
)
from surgplan.segmentation._resample import resample_in_slabs
from surgplan.segmentation._rim import give_back_fat
from surgplan.segmentation._window import sliding_logits
from surgplan.volume import (
    ANATOMY,
    HEPATIC_VEINS,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    Volume,
    box_of,
    crop,
    distance_outside_mm,
)

MARGIN_MM = 24.0
SURE_MM = 10.0  # this far outside the found liver the second network alone decides
OVERLAP = 0.3
RING = 2  # voxels around an organ, between which its outline lies
NEAR_MM = 10.0  # around what was found of liver and veins; the vena cava lies within

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstLook:
    """What the first network saw and said.

    Attributes
    ----------
    scan
        With straight axes.
    limits
        The values of the scan that it saw as -1 and as 1.
    logits
        ``(classes, slice, row, column)``.
    grid
        Where the logits lie; axes parallel to the scan's.
    """

    scan: Volume
    limits: tuple[float, float]
    logits: torch.Tensor
    grid: Geometry

    def liver_on(self, grid: Geometry) -> npt.NDArray[np.bool_]:
        """The whole liver on a parallel grid."""
        labels, _ = labels_on(self.logits, self.grid, grid, temperature=1.0)
        return LabelMap(array=labels, geometry=grid, segments=ANATOMY).whole_liver()

    def neighbourhood(self) -> Box | None:
        """Slices of the scan around the liver; None where none was found."""
        labels = self.logits.argmax(dim=0).to(torch.uint8).numpy()
        found = LabelMap(array=labels, geometry=self.grid, segments=ANATOMY).whole_liver()
        if not found.any():
            return None
        box = box_of(found, self.grid, margin_mm=MARGIN_MM)
        faces = [[s.start - 0.5 for s in box], [s.stop - 0.5 for s in box]]
        low, high = self.scan.geometry.to_index(self.grid.to_lps(faces))
        start = np.maximum(0, np.ceil(low)).astype(int)
        stop = np.minimum(self.scan.geometry.shape, np.floor(high) + 1).astype(int)
        a, b, c = (slice(int(x), int(y)) for x, y in zip(start, stop, strict=True))
        return a, b, c


def refine(
    first: FirstLook,
    box: Box,
    info: ModelInfo,
    forward: Forward,
    *,
    progress: Callable[[float], None] | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Labels and confidence of the liver and its neighbourhood.

    Near the liver that was found first the second network decides, `MARGIN_MM` away the first
    one, with a smooth passage between.

    Parameters
    ----------
    first
        The scan and the first network's scores.
    box
        Slices of the scan around the liver.
    info, forward
        The second network.
    progress
        Called with the fraction done.

    Returns
    -------
    labels, confidence
        For the voxels of the box, as `labels_on` makes them.
    """
    around = crop(first.scan, box)
    window = around.geometry
    fine = window.with_spacing((info.spacing_mm,) * 3)
    image = torch.from_numpy(resample_in_slabs(first.scan, fine))
    found = first.liver_on(fine)
    view = liver_view(scale(image, *first.limits), torch.from_numpy(found.copy()))
    second = sliding_logits(
        view, forward, window=info.window, overlap=OVERLAP, progress=progress
    ).log_softmax(0)
    scores = scores_on(first.logits, first.grid, fine).log_softmax(0)
    share = _share(found, fine)
    if first.scan.modality == "CT":  # where they follow the edges of the image
        _leave_organs(scores, second, share)
    scores = forbid_fragments(scores.lerp_(second, share), fine.spacing_mm)
    labels, confidence = labels_on(scores, fine, window, temperature=info.temperature)
    lean = scores[HEPATIC_VEINS.label] - scores[PORTAL_VEIN.label]
    del scores, second
    liver = np.isin(labels, [s.label for s in LIVER_WITH_VEINS])
    if liver.any():
        near = box_of(liver, window, margin_mm=NEAR_MM)
        seen = crop(around, near)
        inner_lean = scores_on(lean[None], fine, seen.geometry)[0].numpy()
        give_back_fat(seen, labels[near], confidence[near])
        complete_vessels(seen, labels[near], confidence[near], inner_lean)
    return labels, confidence


def _share(found: npt.NDArray[np.bool_], grid: Geometry) -> torch.Tensor:
    """1 within `SURE_MM` of the liver, falling to 0 at `MARGIN_MM`."""
    if not found.any():
        return torch.zeros(found.shape)
    away = distance_outside_mm(found, grid)
    return torch.from_numpy((MARGIN_MM - away) / (MARGIN_MM - SURE_MM)).clamp(0, 1).float()


def _leave_organs(first: torch.Tensor, second: torch.Tensor, share: torch.Tensor) -> None:
    """Where the second network sees no liver tissue, kidneys and spleen stay as in the first look.

    Takes the scores of both; changes those of the second and its share in place.
    """
    organs = [s.label for s in ORGANS]
    settled = torch.isin(first.argmax(dim=0), torch.tensor(organs))
    liver = torch.isin(second.argmax(dim=0), torch.tensor([s.label for s in LIVER_TISSUE]))
    near = torch.from_numpy(ndimage.binary_dilation(settled.numpy(), iterations=RING))
    share[near & ~liver] = 0
    for label in organs:
        second[label][~near] = FORBIDDEN
