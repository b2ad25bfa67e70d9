"""Scans of patients with experts' labels, where they lie beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from surgplan.volume import (
    ARTERIES,
    BONE,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    Geometry,
    LabelMap,
    Segment,
    label_map_from_masks,
)

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"

IN_THE_LIVER = (LIVER, LIVER_TUMOUR, LIVER_CYST, PORTAL_VEIN, HEPATIC_VEINS)

NUMBERS: dict[str, dict[Segment, tuple[int, ...]]] = {
    "ircadb-01": {
        BONE: (2,),
        LUNGS: (3, 4),
        LIVER: (5,),
        LEFT_KIDNEY: (6,),
        RIGHT_KIDNEY: (7,),
        SPLEEN: (8,),
        ARTERIES: (9,),
        PORTAL_VEIN: (10,),
        HEPATIC_VEINS: (11,),
        LIVER_CYST: (12,),
        LIVER_TUMOUR: (13, 14, 15, 16, 17, 18, 19),
    },
    "ircadb-17": {
        BONE: (2,),
        LIVER: (3,),
        ARTERIES: (4,),
        PORTAL_VEIN: (5,),
        HEPATIC_VEINS: (6,),
        LIVER_TUMOUR: (7, 8),
    },
}


class Expert:
    """One patient: a folder of the cases, and what the experts drew."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = CASES / name

    def labels(self, structures: tuple[Segment, ...] | None = IN_THE_LIVER) -> LabelMap:
        """Their label map on the scan's grid; all structures where None."""
        image = sitk.ReadImage(str(self.folder / "labels.nii.gz"))
        numbers = sitk.GetArrayFromImage(image)
        x, y, z = image.GetSpacing()
        geometry = Geometry.from_spacing(
            shape=numbers.shape, spacing_mm=(z, y, x), origin_mm=image.GetOrigin()
        )
        masks = [
            (segment, np.isin(numbers, own))
            for segment, own in NUMBERS[self.name].items()
            if structures is None or segment in structures
        ]
        return label_map_from_masks(masks, geometry)


@pytest.fixture(scope="module", params=sorted(NUMBERS))
def expert(request: pytest.FixtureRequest) -> Expert:
    if not CASES.is_dir():
        pytest.skip(f"real cases are not at {CASES}")
    return Expert(request.param)
