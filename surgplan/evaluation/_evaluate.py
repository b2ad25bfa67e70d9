"""How close a segmentation comes to a reference, structure by structure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize

from surgplan.errors import GeometryMismatchError, NothingToDoError
from surgplan.evaluation._lesions import LesionDetection, detect_lesions
from surgplan.evaluation._surface_distance import boundary_distances
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    box_of,
)

NSD_TOLERANCE_MM = 2.0
WHOLE_LIVER = "whole liver"
_VESSELS = {PORTAL_VEIN.code, HEPATIC_VEINS.code}


@dataclass(frozen=True, kw_only=True)
class StructureScore:
    """One structure.

    Attributes
    ----------
    name
        Of the structure in the reference.
    dice
        2 |A and B| / (|A| + |B|).
    nsd
        Share of both boundaries within `NSD_TOLERANCE_MM`; None where one mask is empty.
    hd95_mm, assd_mm
        95th percentile and mean of the boundary distances; None where one mask is empty.
    cl_dice
        For vessels: harmonic mean of the shares of each centreline inside the other mask
        (Shit et al. 2021, https://doi.org/10.1109/CVPR46437.2021.01629); else None.
    reference_ml, predicted_ml, volume_error_percent
        Volumes, and their difference in percent of the reference.
    """

    name: str
    dice: float
    nsd: float | None
    hd95_mm: float | None
    assd_mm: float | None
    cl_dice: float | None
    reference_ml: float
    predicted_ml: float
    volume_error_percent: float | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How close a label map is to its reference.

    Attributes
    ----------
    scores
        All structures of the reference, the whole liver first where there is one.
    lesions
        Tumours one by one; None where the reference does not know tumours.
    """

    scores: tuple[StructureScore, ...]
    lesions: LesionDetection | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "nsd_tolerance_mm": NSD_TOLERANCE_MM,
            "structures": [asdict(s) for s in self.scores],
            "lesions": self.lesions
            and {**asdict(self.lesions), "sensitivity": self.lesions.sensitivity},
        }


def evaluate(prediction: LabelMap, reference: LabelMap) -> Evaluation:
    """Compare two label maps on one grid.

    Structures are matched by code. A structure that the reference knows but that is empty in both
    is left out; the whole liver (`LabelMap.whole_liver`) is compared as one.

    Raises
    ------
    GeometryMismatchError
        If the grids differ.
    NothingToDoError
        If the reference has no structure with voxels.
    """
    if not prediction.geometry.matches(reference.geometry, atol_mm=0.01):
        msg = (
            f"prediction {prediction.geometry.shape} and reference {reference.geometry.shape} lie "
            "on different grids; resample one with volume.resample_to"
        )
        raise GeometryMismatchError(msg)
    grid = reference.geometry
    scores = []
    if reference.find(LIVER.code) is not None:
        wanted, found = reference.whole_liver(), prediction.whole_liver()
        if wanted.any():
            scores.append(score_masks(WHOLE_LIVER, found, wanted, grid))
    for segment in reference.segments:
        wanted, found = reference.mask(segment), prediction.mask(segment)
        if wanted.any() or found.any():
            is_vessel = segment.code in _VESSELS
            scores.append(score_masks(segment.name, found, wanted, grid, is_vessel=is_vessel))
    if not scores:
        msg = "the reference has no structure to compare with"
        raise NothingToDoError(msg)
    return Evaluation(scores=tuple(scores), lesions=_tumours(prediction, reference))


def _tumours(prediction: LabelMap, reference: LabelMap) -> LesionDetection | None:
    if reference.find(LIVER_TUMOUR.code) is None:
        return None
    found, wanted = prediction.mask(LIVER_TUMOUR), reference.mask(LIVER_TUMOUR)
    return detect_lesions(found, wanted, reference.geometry)


def score_masks(
    name: str,
    found: npt.NDArray[np.bool_],
    wanted: npt.NDArray[np.bool_],
    geometry: Geometry,
    *,
    is_vessel: bool = False,
) -> StructureScore:
    """Compare two masks ``(slice, row, column)``, at least one of them not empty."""
    voxel_ml = geometry.voxel_volume_mm3 / 1000
    sizes = float(found.sum()), float(wanted.sum())
    distances = boundary_distances(found, wanted, geometry) if min(sizes) else None
    return StructureScore(
        name=name,
        dice=2 * float((found & wanted).sum()) / sum(sizes),
        nsd=distances.nsd(NSD_TOLERANCE_MM) if distances else None,
        hd95_mm=distances.hd95_mm if distances else None,
        assd_mm=distances.assd_mm if distances else None,
        cl_dice=_cl_dice(found, wanted, geometry) if is_vessel else None,
        reference_ml=sizes[1] * voxel_ml,
        predicted_ml=sizes[0] * voxel_ml,
        volume_error_percent=100 * (sizes[0] - sizes[1]) / sizes[1] if sizes[1] else None,
    )


def _cl_dice(
    found: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_], geometry: Geometry
) -> float:
    if not (found.any() and wanted.any()):
        return 0.0
    box = box_of(found | wanted, geometry)
    lines = _centreline(found[box]), _centreline(wanted[box])
    precision = float(wanted[box][lines[0]].mean())
    sensitivity = float(found[box][lines[1]].mean())
    return 2 * precision * sensitivity / max(precision + sensitivity, 1e-12)


def _centreline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of a vessel; all of it where it is too small to have one."""
    line: npt.NDArray[np.bool_] = skeletonize(mask)
    return line if line.any() else mask
