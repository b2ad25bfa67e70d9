"""Lesions found, missed and invented, one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.volume import Geometry

LEAST_ML = 0.1
"""Smaller ones need not be found, and do not count where they were invented."""

LEAST_COVER = 0.1
"""Share of a lesion that the other map must cover for the two to be one."""


@dataclass(frozen=True, kw_only=True)
class LesionDetection:
    """Lesions of a reference and of a prediction.

    Attributes
    ----------
    reference_ml
        Volume of each lesion of the reference, largest first.
    found
        Whether each of them was found: at least `LEAST_COVER` of it is covered.
    false_positive_ml
        Volume of each predicted lesion of which less than `LEAST_COVER` lies in the reference.
    """

    reference_ml: tuple[float, ...]
    found: tuple[bool, ...]
    false_positive_ml: tuple[float, ...]

    @property
    def sensitivity(self) -> float | None:
        """Share of the lesions that were found; None where there are none."""
        return sum(self.found) / len(self.found) if self.found else None


def detect_lesions(
    found: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_], geometry: Geometry
) -> LesionDetection:
    """Compare two masks ``(slice, row, column)`` lesion by lesion.

    A lesion is a set of voxels that touch by face, edge or corner, of `LEAST_ML` at least.
    """
    reference = _lesions(wanted, found, geometry)
    predicted = _lesions(found, wanted, geometry)
    return LesionDetection(
        reference_ml=tuple(ml for ml, _ in reference),
        found=tuple(covered >= LEAST_COVER for _, covered in reference),
        false_positive_ml=tuple(ml for ml, covered in predicted if covered < LEAST_COVER),
    )


def _lesions(
    mask: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], geometry: Geometry
) -> list[tuple[float, float]]:
    """Millilitres of each lesion and the share of it that the other mask covers, largest first."""
    pieces, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(pieces[mask], minlength=count + 1)[1:]
    covered = np.bincount(pieces[mask & other], minlength=count + 1)[1:]
    sizes_ml = sizes * geometry.voxel_volume_mm3 / 1000
    order = [n for n in np.argsort(-sizes) if sizes_ml[n] >= LEAST_ML]
    return [(float(sizes_ml[n]), float(covered[n] / sizes[n])) for n in order]
