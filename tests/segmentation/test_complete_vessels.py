"""Vessels that a network found in part are followed by their contrast, on tubes of known size."""

import numpy as np
import pytest

from surgplan.segmentation._complete_vessels import complete_vessels
from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_TUMOUR, PORTAL_VEIN, Geometry, Volume

SPACING_MM = (2.0, 1.0, 1.0)
SHAPE = (40, 80, 80)
PLACE = np.stack(np.indices(SHAPE), axis=-1) * SPACING_MM  # mm
LIVER_HERE = ((PLACE > 6) & (PLACE < 73)).all(axis=-1)
PORTAL = LIVER_HERE & (np.hypot(PLACE[..., 0] - 30, PLACE[..., 1] - 25) < 4)
HEPATIC = LIVER_HERE & (np.hypot(PLACE[..., 0] - 50, PLACE[..., 1] - 55) < 4)
TREES = PORTAL | HEPATIC
LEFT_HALF = PLACE[..., 2] < 40


def _case(contrast_hu=50.0, noise_hu=12.0):
    """A scan; what a network found of it, half of each vessel; what it leans to."""
    rng = np.random.default_rng(5)
    image = np.where(LIVER_HERE, 100.0, -80.0) + contrast_hu * TREES
    image += rng.normal(0, noise_hu, SHAPE)
    grid = Geometry.from_spacing(shape=SHAPE, spacing_mm=SPACING_MM, origin_mm=(3, -4, 5))
    scan = Volume(array=image.astype(np.int16), geometry=grid, modality="CT")
    labels = np.where(LIVER_HERE, LIVER.label, 0).astype(np.uint8)
    labels[PORTAL & LEFT_HALF] = PORTAL_VEIN.label
    labels[HEPATIC & LEFT_HALF] = HEPATIC_VEINS.label
    confidence = np.full(SHAPE, 0.75, dtype=np.float32)
    lean = np.where(PLACE[..., 1] > 40, 2.0, -2.0).astype(np.float32)
    return scan, labels, confidence, lean


@pytest.mark.parametrize("contrast_hu", [50.0, -50.0])
def test_the_lost_half_of_each_vessel_comes_back_under_its_own_name(contrast_hu):
    scan, labels, confidence, lean = _case(contrast_hu)
    before = labels.copy()
    complete_vessels(scan, labels, confidence, lean)
    deep = LIVER_HERE & (np.abs(PLACE[..., 2] - 39) < 29)
    for tree, segment in ((PORTAL, PORTAL_VEIN), (HEPATIC, HEPATIC_VEINS)):
        found = (labels == segment.label) & deep
        assert 2 * (found & tree).sum() / (found.sum() + (tree & deep).sum()) > 0.85
        assert not (found & ~tree & TREES).any()
    new = labels != before
    assert np.allclose(confidence[new], 0.25)
    assert np.allclose(confidence[~new], 0.75)


@pytest.mark.parametrize(("contrast_hu", "noise_hu"), [(50.0, 60.0), (8.0, 12.0)])
def test_without_contrast_enough_nothing_changes(contrast_hu, noise_hu):
    scan, labels, confidence, lean = _case(contrast_hu, noise_hu)
    before = labels.copy()
    complete_vessels(scan, labels, confidence, lean)
    assert np.array_equal(labels, before)
    assert np.allclose(confidence, 0.75)


def test_a_bright_place_apart_from_vessels_or_beside_a_lesion_is_no_vessel():
    scan, labels, confidence, lean = _case()
    image = scan.array.copy()
    alone = LIVER_HERE & (np.linalg.norm(PLACE - (62, 22, 60), axis=-1) < 5)
    image[alone] += 50
    lesion = LIVER_HERE & (np.linalg.norm(PLACE - (30, 25, 62), axis=-1) < 6)
    labels[lesion] = LIVER_TUMOUR.label
    scan = Volume(array=image, geometry=scan.geometry, modality="CT")
    complete_vessels(scan, labels, confidence, lean)
    veins = np.isin(labels, (PORTAL_VEIN.label, HEPATIC_VEINS.label))
    assert not (veins & alone).any()
    assert (labels[lesion] == LIVER_TUMOUR.label).all()
    rim = LIVER_HERE & (np.linalg.norm(PLACE - (30, 25, 62), axis=-1) < 11)
    assert not (veins & rim & ~LEFT_HALF).any()


def test_no_vessel_found_means_none_to_follow():
    scan, labels, confidence, lean = _case()
    labels[labels > LIVER.label] = LIVER.label
    before = labels.copy()
    complete_vessels(scan, labels, confidence, lean)
    assert np.array_equal(labels, before)


def test_a_scan_that_shows_nothing_but_liver_is_no_mistake():
    scan, labels, confidence, lean = _case()
    inner = (slice(5, 35), slice(10, 70), slice(10, 70))
    crop = Volume(
        array=scan.array[inner].copy(),
        geometry=scan.geometry.window((5, 10, 10), (35, 70, 70)),
        modality="CT",
    )
    found = labels[inner].copy()
    complete_vessels(crop, found, confidence[inner].copy(), lean[inner])
    assert (found[PORTAL[inner]] == PORTAL_VEIN.label).mean() > 0.8
