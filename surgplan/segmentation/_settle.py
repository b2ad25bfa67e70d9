"""Lesions that a network is not sure of are not labelled, but told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.volume import LIVER, LIVER_CYST, LIVER_TUMOUR, Geometry, box_of

LEAST_LESION_CONFIDENCE = 0.75
"""Mean probability from which a lesion is labelled: among places as sure as that, more are lesions
than not."""

SURE_LESION_CONFIDENCE = 0.8
"""From here on no place was called a lesion by mistake; below, a doubt stands beside it.

Both are what benchmarks/bench_lesions.py prints for the shipped networks.
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

    That is, whose mean confidence is below `LEAST_LESION_CONFIDENCE`. There, the confidence becomes
    what is left of it for any other choice.

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
        if mean >= LEAST_LESION_CONFIDENCE:
            continue
        size_ml = float(piece.sum()) * geometry.voxel_volume_mm3 / 1000
        where = np.argwhere(piece).mean(axis=0) + [
            whole.start + s.start for whole, s in zip(around, box, strict=True)
        ]
        x, y, z = (float(v) for v in geometry.to_lps(where))
        found.append(UnsureLesion(volume_ml=size_ml, centre_mm=(x, y, z), confidence=mean))
        labels[box][piece] = LIVER.label
        confidence[box][piece] = 1 - confidence[box][piece]
    return tuple(sorted(found, key=lambda lesion: -lesion.volume_ml))
