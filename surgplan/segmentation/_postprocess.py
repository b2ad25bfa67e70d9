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
    Segment,
    larger_pieces,
)

_SINGLE = (SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, VENA_CAVA, ARTERIES, STOMACH, PANCREAS, BILIARY)
LIVER_TISSUE = (LIVER, LIVER_TUMOUR, LIVER_CYST)
LIVER_WITH_VEINS = (*LIVER_TISSUE, PORTAL_VEIN, HEPATIC_VEINS)
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
    labels = logits.argmax(dim=0).to(torch.uint8).numpy()
    liver = np.isin(labels, [s.label for s in LIVER_WITH_VEINS])
    main = larger_pieces(liver, share=1.0)
    _forbid(LIVER_WITH_VEINS, logits, liver & ~main, ~main)
    box = ndimage.find_objects(main.view(np.uint8))
    for segment in (LIVER_TUMOUR, LIVER_CYST) if box else ():
        inside = main[box[0]]
        mask = (labels[box[0]] == segment.label) & inside
        kept = plausible_lesions(mask, inside & ~mask, spacing_mm)
        where = np.zeros_like(main)
        where[box[0]] = mask & ~kept
        _forbid((segment,), logits, where, labels == segment.label)
    for segment in _SINGLE:
        mask = labels == segment.label
        _forbid((segment,), logits, mask & ~larger_pieces(mask, share=0.25), mask)
    return logits


def without_specks(labels: npt.NDArray[np.uint8], voxel_ml: float) -> npt.NDArray[np.uint8]:
    """Labels in which tumours and cysts below `LEAST_TUMOUR_ML` are parenchyma.

    On a finer grid than the network's a forbidden lesion can come back between two voxels.
    ``(slice, row, column)``; changed in place and returned.
    """
    for segment in (LIVER_TUMOUR, LIVER_CYST):
        mask = labels == segment.label
        if mask.any():
            labels[mask & ~larger_pieces(mask, voxels=LEAST_TUMOUR_ML / voxel_ml)] = LIVER.label
    return labels


def _forbid(
    segments: tuple[Segment, ...],
    logits: torch.Tensor,
    where: npt.NDArray[np.bool_],
    allowed: npt.NDArray[np.bool_],
) -> None:
    """None of these may stand there, nor in the next voxels, where the scores between lie."""
    if where.any():
        place = torch.from_numpy(ndimage.binary_dilation(where, iterations=1) & allowed)
        for segment in segments:
            logits[segment.label][place] = FORBIDDEN
