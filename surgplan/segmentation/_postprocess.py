"""What anatomy forbids is taken out of the scores before labels are made of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.segmentation._plausible import LEAST_TUMOUR_ML, plausible_lesions
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PANCREAS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    STOMACH,
    VENA_CAVA,
)

_SINGLE = (SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, VENA_CAVA, ARTERIES, STOMACH, PANCREAS, BILIARY)
_IN_LIVER = (LIVER, LIVER_TUMOUR, LIVER_CYST)
_VESSELS = (PORTAL_VEIN, HEPATIC_VEINS)
FORBIDDEN = -1e4


def forbid_fragments(logits: torch.Tensor, spacing_mm: tuple[float, float, float]) -> torch.Tensor:
    """Scores in which each organ keeps its main piece and the liver keeps its lesions.

    The liver with its lesions and vessels is one piece; other organs keep their largest piece and
    those at least a quarter as large; lesions keep what `plausible_lesions` keeps; vessels keep
    pieces that touch the liver. Elsewhere the structure is forbidden, so that the next likely one
    stands.

    Parameters
    ----------
    logits
        ``(classes, slice, row, column)``; changed in place and returned.
    spacing_mm
        Millimetres along (slice, row, column).
    """
    labels = logits.argmax(dim=0).numpy()
    liver = np.isin(labels, [s.label for s in (*_IN_LIVER, *_VESSELS)])
    main = _largest(liver, share=1.0)
    _forbid_liver(logits, liver & ~main, main)
    for segment in (LIVER_TUMOUR, LIVER_CYST):
        mask = (labels == segment.label) & main
        kept = plausible_lesions(mask, main & ~mask, spacing_mm)
        _forbid(logits, segment.label, mask & ~kept)
    for segment in _SINGLE:
        mask = labels == segment.label
        _forbid(logits, segment.label, mask & ~_largest(mask, share=0.25))
    return logits


def without_specks(labels: npt.NDArray[np.uint8], voxel_ml: float) -> npt.NDArray[np.uint8]:
    """Labels in which tumours and cysts below `LEAST_TUMOUR_ML` are parenchyma.

    On a finer grid than the network's a forbidden lesion can come back between two voxels.
    ``(slice, row, column)``; changed in place and returned.
    """
    for segment in (LIVER_TUMOUR, LIVER_CYST):
        mask = labels == segment.label
        if mask.any():
            labels[mask & ~_at_least(mask, LEAST_TUMOUR_ML / voxel_ml)] = LIVER.label
    return labels


def _forbid(logits: torch.Tensor, label: int, where: npt.NDArray[np.bool_]) -> None:
    if where.any():
        grown = ndimage.binary_dilation(where, iterations=1)
        logits[label][torch.from_numpy(grown & (logits.argmax(dim=0).numpy() == label))] = FORBIDDEN


def _forbid_liver(
    logits: torch.Tensor, where: npt.NDArray[np.bool_], main: npt.NDArray[np.bool_]
) -> None:
    """No part of the liver may stand there: what was parenchyma must not turn into a lesion."""
    if where.any():
        place = torch.from_numpy(ndimage.binary_dilation(where, iterations=1) & ~main)
        for segment in (*_IN_LIVER, *_VESSELS):
            logits[segment.label][place] = FORBIDDEN


def _largest(mask: npt.NDArray[np.bool_], *, share: float) -> npt.NDArray[np.bool_]:
    """The largest connected piece and all that are at least a share as large."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept: npt.NDArray[np.bool_] = (sizes >= share * sizes.max())[pieces]
    return kept & mask


def _at_least(mask: npt.NDArray[np.bool_], voxels: float) -> npt.NDArray[np.bool_]:
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    kept: npt.NDArray[np.bool_] = (sizes >= voxels)[pieces]
    return kept & mask
