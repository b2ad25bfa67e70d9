"""Lesions that a network is not sure of are not labelled, but told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.volume import LIVER, LIVER_CYST, LIVER_TUMOUR, Geometry, box_of

LEAST_LESION_CONFIDENCE = 0.8
"""Mean probability from which a lesion is labelled. In livers without tumours, what the shipped
networks called by mistake lay below."""

LARGE_ML = 5.0
LEAST_LARGE_CONFIDENCE = 0.75
"""The same for a large lesion. On phantoms, with clumps in some lesions, real ones of that size had
0.71 to 0.93 and no mistake was as large; in CT without tumours, mistakes as large had 0.73 at most.
"""


@dataclass(frozen=True, kw_only=True)
class UnsureLesion:
    """A place that may be a lesion.

    Attributes
    ----------
    volume_ml
        Its size.
    centre_mm
        LPS ``(x, y, z)``.
    confidence
        Mean probability that the network gave to a lesion there.
    """

    volume_ml: float
    centre_mm: tuple[float, float, float]
    confidence: float


def settle_lesions(
    labels: npt.NDArray[np.uint8], confidence: npt.NDArray[np.float32], geometry: Geometry
) -> tuple[UnsureLesion, ...]:
    """Call lesions parenchyma of which the network is not sure.

    That is, whose mean confidence is below `LEAST_LESION_CONFIDENCE`, or, from `LARGE_ML` on, below
    `LEAST_LARGE_CONFIDENCE`. There, the confidence becomes what is left of it for any other choice.

    Parameters
    ----------
    labels, confidence
        ``(slice, row, column)`` on the grid; changed in place.
    geometry
        Their grid.

    Returns
    -------
    tuple of UnsureLesion
        What was taken back, the largest first.
    """
    lesions = (labels == LIVER_TUMOUR.label) | (labels == LIVER_CYST.label)
    if not lesions.any():
        return ()
    around = box_of(lesions, geometry)
    labels, confidence = labels[around], confidence[around]
    pieces, _ = ndimage.label(lesions[around], structure=np.ones((3, 3, 3)))
    found = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        piece = pieces[box] == number
        mean = float(confidence[box][piece].mean())
        size_ml = float(piece.sum()) * geometry.voxel_volume_mm3 / 1000
        if mean >= (LEAST_LARGE_CONFIDENCE if size_ml >= LARGE_ML else LEAST_LESION_CONFIDENCE):
            continue
        where = np.argwhere(piece).mean(axis=0) + [
            whole.start + s.start for whole, s in zip(around, box, strict=True)
        ]
        x, y, z = (float(v) for v in geometry.to_lps(where))
        found.append(UnsureLesion(volume_ml=size_ml, centre_mm=(x, y, z), confidence=mean))
        labels[box][piece] = LIVER.label
        confidence[box][piece] = 1 - confidence[box][piece]
    return tuple(sorted(found, key=lambda lesion: -lesion.volume_ml))
