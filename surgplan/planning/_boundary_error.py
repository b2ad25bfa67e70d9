"""How far the boundaries of a segmentation may lie from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.errors import GeometryMismatchError, UsageError
from surgplan.planning._boundary import Points
from surgplan.planning._surface_nodes import surface_nodes
from surgplan.volume import LIVER_TUMOUR, LabelMap, box_of

_AROUND_MM = 6.0
_PIECE_MM = 8.0
_JITTER = 1e-6


@dataclass(frozen=True, kw_only=True)
class BoundaryError:
    """Displacement of boundaries: random, alike at places near each other.

    Attributes
    ----------
    liver_mm, tumour_mm
        Standard deviation of the displacement along the normal; 0 for a boundary that is sure.
    correlation_mm
        Over such a distance displacements are alike (length of a squared exponential).
    common
        Share of the variance, 0..1, that is the same all around a structure: drawn too large or
        too small as a whole.

    Raises
    ------
    UsageError
        If a number is out of its range.
    """

    liver_mm: float
    tumour_mm: float
    correlation_mm: float = 15.0
    common: float = 0.25

    def __post_init__(self) -> None:
        fine = 0 <= self.liver_mm <= 20 and 0 <= self.tumour_mm <= 20
        if not (fine and 1 <= self.correlation_mm <= 200 and 0 <= self.common <= 1):
            msg = (
                "boundary errors must lie in 0..20 mm, `correlation_mm` in 1..200 and `common` in "
                f"0..1, got {self.liver_mm}, {self.tumour_mm}, {self.correlation_mm} and "
                f"{self.common}"
            )
            raise UsageError(msg)

    @classmethod
    def from_confidence(
        cls, label_map: LabelMap, confidence: npt.NDArray[np.float32]
    ) -> BoundaryError:
        """What the confidence of a segmentation says about its boundaries.

        A calibrated confidence c is wrong in 1 - c of all voxels. Those within 6 mm of a boundary,
        spread over its area, are the mean size of the displacement, 0.80 of its standard
        deviation where it is normal.

        Parameters
        ----------
        label_map
            The segmentation.
        confidence
            ``(slice, row, column)`` of the same grid, 0..1.

        Raises
        ------
        GeometryMismatchError
            If the shapes differ.
        """
        if confidence.shape != label_map.array.shape:
            msg = (
                f"`confidence` must have the shape of the label map {label_map.array.shape}, "
                f"got {confidence.shape}"
            )
            raise GeometryMismatchError(msg)
        liver, tumour = label_map.whole_liver(), label_map.mask(LIVER_TUMOUR)
        return cls(
            liver_mm=_error_mm(liver, label_map, confidence),
            tumour_mm=_error_mm(tumour, label_map, confidence),
        )

    def draws(
        self, points_mm: Points, size_mm: float, count: int, seed: tuple[int, ...]
    ) -> npt.NDArray[np.float64]:
        """Displacements ``(count, n)`` outwards, mm, with standard deviation ``size_mm``."""
        rng = np.random.default_rng(seed)
        offset = points_mm[:, None] - points_mm
        alike = np.exp(-(offset**2).sum(axis=2) / (2 * self.correlation_mm**2))
        covariance = self.common + (1 - self.common) * alike
        covariance[np.diag_indices_from(covariance)] += _JITTER
        root = np.linalg.cholesky(covariance)
        field: npt.NDArray[np.float64] = size_mm * rng.normal(size=(count, len(root))) @ root.T
        return field


def _error_mm(
    mask: npt.NDArray[np.bool_], label_map: LabelMap, confidence: npt.NDArray[np.float32]
) -> float:
    if not mask.any():
        return 0.0
    box = box_of(mask, label_map.geometry, margin_mm=_AROUND_MM)
    spacing = np.asarray(label_map.geometry.spacing_mm)
    inside = mask[box]
    reach = np.ceil(_AROUND_MM / spacing).astype(int)
    near = ndimage.maximum_filter(inside, 2 * reach + 1) & ~ndimage.minimum_filter(
        inside, 2 * reach + 1
    )
    wrong_mm3 = float((1 - confidence[box][near]).sum()) * label_map.geometry.voxel_volume_mm3
    window = label_map.geometry.window(
        (box[0].start, box[1].start, box[2].start), (box[0].stop, box[1].stop, box[2].stop)
    )
    area_mm2 = float(surface_nodes(inside, window, _PIECE_MM).area_mm2.sum())
    return wrong_mm3 / max(area_mm2, 1e-9) * float(np.sqrt(np.pi / 2))
