"""Fat at the rim of the liver is given back; nothing else is."""

import numpy as np
import pytest

from surgplan.segmentation._rim import give_back_fat
from surgplan.volume import LIVER, LIVER_TUMOUR, Geometry, Volume

SPACING_MM = (2.5, 0.9, 0.9)
SHAPE = (30, 80, 80)
PLACE = (np.stack(np.indices(SHAPE), axis=-1) - np.array(SHAPE) / 2) * SPACING_MM
AWAY_MM = np.linalg.norm(PLACE, axis=-1)
LIVER_HERE = AWAY_MM < 25
GRID = Geometry.from_spacing(shape=SHAPE, spacing_mm=SPACING_MM, origin_mm=(3, -4, 5))


def scan(liver_hu: float, noise_hu: float = 12.0, modality: str = "CT") -> Volume:
    rng = np.random.default_rng(3)
    image = np.where(LIVER_HERE, liver_hu, -95.0) + rng.normal(0, noise_hu, SHAPE)
    return Volume(array=image.astype(np.int16), geometry=GRID, modality=modality)


def swollen(by_mm: float) -> tuple[np.ndarray, np.ndarray]:
    labels = np.where(25 + by_mm > AWAY_MM, LIVER.label, 0).astype(np.uint8)
    return labels, np.full(SHAPE, 0.8, np.float32)


@pytest.mark.parametrize("liver_hu", [110.0, 50.0, 10.0])
def test_a_swollen_outline_goes_back_to_the_half_level(liver_hu) -> None:
    labels, confidence = swollen(2.5)
    before = labels.copy()
    give_back_fat(scan(liver_hu), labels, confidence)
    found = labels == LIVER.label
    volume_ml = GRID.voxel_volume_mm3 / 1000
    assert abs(float(found.sum()) - LIVER_HERE.sum()) < 0.03 * LIVER_HERE.sum()
    assert (before > 0).sum() * volume_ml > 1.25 * LIVER_HERE.sum() * volume_ml
    assert np.allclose(confidence[found], 0.8)
    assert np.allclose(confidence[(before > 0) & ~found], 0.2)


def test_fat_deep_inside_and_lesions_at_the_rim_stay() -> None:
    labels, confidence = swollen(0.0)
    image = scan(100.0).array.copy()
    deep = AWAY_MM < 8
    lesion = LIVER_HERE & (PLACE[..., 2] > 20)
    image[deep | lesion] = -95
    labels[lesion] = LIVER_TUMOUR.label
    give_back_fat(Volume(array=image, geometry=GRID, modality="CT"), labels, confidence)
    assert (labels[deep] == LIVER.label).all()
    assert (labels[lesion] == LIVER_TUMOUR.label).all()


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (scan(110.0, modality="MR"), "no Hounsfield units"),
        (scan(-60.0, noise_hu=40.0), "a fatty liver in noise"),
    ],
)
def test_where_no_half_level_can_be_told_nothing_changes(volume, why) -> None:
    labels, confidence = swollen(2.5)
    before = labels.copy()
    give_back_fat(volume, labels, confidence)
    assert np.array_equal(labels, before), why
    assert np.allclose(confidence, 0.8)


def test_no_liver_and_nothing_but_liver_are_left_as_they_are() -> None:
    for label in (0, LIVER.label):
        labels = np.full(SHAPE, label, dtype=np.uint8)
        give_back_fat(scan(110.0), labels, np.full(SHAPE, 0.8, np.float32))
        assert (labels == label).all()
