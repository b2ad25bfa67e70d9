"""Unsure lesions are taken back and told."""

from dataclasses import asdict

import numpy as np
import pytest

from surgplan.segmentation import SegmentSettings, segment
from surgplan.segmentation._settle import settle_lesions
from surgplan.volume import LIVER, LIVER_CYST, LIVER_TUMOUR, Geometry, Volume

GRID = Geometry.from_spacing(shape=(20, 30, 40), spacing_mm=(2.0, 1.0, 1.5), origin_mm=(5, 6, 7))


def test_what_is_sure_stays_and_the_rest_becomes_parenchyma() -> None:
    labels = np.full(GRID.shape, LIVER.label, dtype=np.uint8)
    confidence = np.full(GRID.shape, 0.9, dtype=np.float32)
    labels[2:6, 2:6, 2:6] = LIVER_TUMOUR.label
    labels[10:14, 10:20, 10:20] = LIVER_TUMOUR.label
    confidence[10:14, 10:20, 10:20] = 0.7
    labels[2:4, 20:24, 20:24] = LIVER_CYST.label
    confidence[2:4, 20:24, 20:24] = 0.6
    taken = settle_lesions(labels, confidence, GRID)
    assert [round(lesion.volume_ml, 3) for lesion in taken] == [1.2, 0.096]
    assert taken[0].centre_mm == pytest.approx((5 + 14.5 * 1.5, 6 + 14.5, 7 + 11.5 * 2))
    assert (labels[2:6, 2:6, 2:6] == LIVER_TUMOUR.label).all()
    assert (labels[10:14, 10:20, 10:20] == LIVER.label).all()
    assert confidence[12, 15, 15] == pytest.approx(0.3)
    assert confidence[3, 3, 3] == pytest.approx(0.9)


@pytest.mark.parametrize("size", [3, 14])
def test_what_is_asked_of_a_lesion_does_not_depend_on_its_size(size: int) -> None:
    labels = np.full(GRID.shape, LIVER.label, dtype=np.uint8)
    confidence = np.full(GRID.shape, 0.76, dtype=np.float32)
    labels[2 : 2 + size, 2 : 2 + size, 2 : 2 + size] = LIVER_TUMOUR.label
    assert settle_lesions(labels, confidence, GRID) == ()
    confidence[:] = 0.74
    assert len(settle_lesions(labels, confidence, GRID)) == 1


def test_without_lesions_nothing_changes() -> None:
    labels = np.full(GRID.shape, LIVER.label, dtype=np.uint8)
    assert settle_lesions(labels, np.ones(GRID.shape, dtype=np.float32), GRID) == ()


def test_every_place_that_was_taken_back_is_told_and_written_down(bundle) -> None:
    noise = np.random.default_rng(0).normal(50, 90, (30, 40, 40)).astype(np.float32)
    grid = Geometry.from_spacing(shape=noise.shape, spacing_mm=(4.0, 4.0, 4.0))
    scan = Volume(array=noise, geometry=grid, modality="CT")
    found = segment(scan, settings=SegmentSettings(model=bundle))
    assert len(found.unsure_lesions) > 1
    sizes = [lesion.volume_ml for lesion in found.unsure_lesions]
    assert sizes == sorted(sizes, reverse=True)
    assert found.provenance["unsure_lesions"] == [asdict(v) for v in found.unsure_lesions]
    assert not found.label_map.mask(LIVER_TUMOUR, LIVER_CYST).any()
