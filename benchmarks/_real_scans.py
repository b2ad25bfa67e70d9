"""Real scans that no network here was trained on, and what painters are told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from surgplan.io import read_numbers, read_volume
from surgplan.synthesis import (
    Scene,
    class_index,
    class_means,
    mean_image,
    with_tissue,
)
from surgplan.volume import (
    ANATOMY,
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
    LabelMap,
    reorient,
    resample_to,
)

SPACING_MM = 3.0
TABLES = {
    "ircadb-01": {
        BONE: (2,), LUNGS: (3, 4), LIVER: (5,), RIGHT_KIDNEY: (7,), LEFT_KIDNEY: (6,), SPLEEN: (8,),
        ARTERIES: (9,), PORTAL_VEIN: (10,), HEPATIC_VEINS: (11,), LIVER_CYST: (12,),
        LIVER_TUMOUR: (13, 14, 15, 16, 17, 18, 19),
    },
    "ircadb-17": {
        BONE: (2,), LIVER: (3,), ARTERIES: (4,), PORTAL_VEIN: (5,), HEPATIC_VEINS: (6,),
        LIVER_TUMOUR: (7, 8),
    },
}  # fmt: skip

Image = np.ndarray[Any, np.dtype[np.float32]]


class Real:
    """A real scan at one spacing, and what painters are told of it."""

    def __init__(self, folder: Path, name: str, spacing_mm: float = SPACING_MM) -> None:
        scan = folder / name / "dicom"
        scan = scan if scan.is_dir() else next((folder / name).glob("*ct*.nii.gz"))
        volume = reorient(read_volume(scan, modality="CT"), "SPL")
        numbers, grid = read_numbers(folder / name / "labels.nii.gz")
        array = np.zeros(numbers.shape, np.uint8)
        for segment_, values in TABLES[name].items():
            array[np.isin(numbers, values)] = segment_.label
        labels = LabelMap(array=array, geometry=grid, segments=ANATOMY)
        geometry = volume.geometry.with_spacing((spacing_mm,) * 3)
        self.name = name
        self.geometry = geometry
        self.image: Image = resample_to(volume, geometry).array.astype(np.float32)
        self.label_map = resample_to(labels, geometry)
        known = with_tissue(self.label_map.array, self.image)
        self.index = class_index(torch.from_numpy(known))
        means = class_means(self.index, torch.from_numpy(self.image))
        self.scene = Scene(
            ideal=means[self.index], index=self.index, look="portal",
            voxel_mm=spacing_mm, thickness_mm=spacing_mm,
        )  # fmt: skip

    def rest(self, image: Image) -> Image:
        """What an image has beyond the means of its classes."""
        made = torch.from_numpy(np.ascontiguousarray(image))
        return (made - mean_image(self.index, class_means(self.index, made))).numpy()
