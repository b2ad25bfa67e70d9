"""A scan with slices thicker than its voxels are wide, and how its lesions look then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surgplan.synthesis._lesion_insert import LesionRecord, Neighbourhood, contrast_of
from surgplan.synthesis._lesion_place import PlacedLesion
from surgplan.volume import LabelMap, Volume, resample_to


def thick_slices(
    image: Volume,
    label_map: LabelMap,
    lesions: Sequence[tuple[PlacedLesion, LesionRecord]],
    slice_mm: float,
) -> tuple[Volume, LabelMap, tuple[LesionRecord, ...]]:
    """Image and labels with slices ``slice_mm`` apart and as thick; lesions as they look there.

    What does not depend on slices, as exact volumes and distances to vessels, stays what it was.
    """
    across, row, column = image.geometry.spacing_mm
    grid = image.geometry.with_spacing((max(slice_mm, across), row, column))
    image, label_map = resample_to(image, grid), resample_to(label_map, grid)
    seen = tuple(
        _seen(image, label_map, lesion, record, within_mm=max(across, row, column))
        for lesion, record in lesions
    )
    return image, label_map, seen


def _seen(
    image: Volume,
    label_map: LabelMap,
    lesion: PlacedLesion,
    record: LesionRecord,
    *,
    within_mm: float,
) -> LesionRecord:
    """The record with what depends on slices; its voxels reach so far beyond the outline."""
    near = Neighbourhood.of(lesion, image.geometry)
    if near is None:
        return replace(record, voxel_ml=0.0, contrast=0.0, cnr=0.0)
    labels = label_map.array[near.box]
    inside = (near.gap_mm < within_mm) & (labels == record.label)
    picture = np.asarray(image.array[near.box], dtype=np.float32)
    contrast, cnr = contrast_of(picture, labels, inside, image.geometry)
    return replace(
        record,
        voxel_ml=round(float(inside.sum()) * image.geometry.voxel_volume_mm3 / 1000, 3),
        contrast=round(contrast, 1),
        cnr=round(cnr, 2),
    )
