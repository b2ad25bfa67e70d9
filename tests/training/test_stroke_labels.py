"""Structures grown from strokes, on balls and tubes of known size."""

import numpy as np
import pytest

from surgplan.errors import InputRefusedError
from surgplan.training._settings import SourceSettings
from surgplan.training._stroke_labels import grow_strokes
from surgplan.volume import ARTERIES, LIVER, RIGHT_KIDNEY, SPLEEN

SPACING_MM = 1.5
SHAPE = (40, 48, 56)


def _far_from(centre):
    index = np.stack(np.indices(SHAPE), axis=-1)
    return np.linalg.norm((index - centre) * SPACING_MM, axis=-1)


def _scan(*balls):
    """Fat, noise, and balls of (centre, radius in mm, HU)."""
    image = np.full(SHAPE, -100.0)
    for centre, radius_mm, hu in balls:
        share = np.clip(0.5 + (radius_mm - _far_from(centre)) / SPACING_MM, 0, 1)
        image += share * (hu - image)
    noise = np.random.default_rng(3).normal(0, 8, SHAPE)
    return (image + noise).astype(np.float32)


def _dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_a_structure_reaches_its_edge_and_no_further():
    kidney, spleen = (20, 24, 15), (20, 24, 40)
    image = _scan((kidney, 15, 180), (spleen, 15, 110))
    grown = grow_strokes(
        image,
        np.zeros(SHAPE, dtype=np.uint8),
        SPACING_MM,
        {RIGHT_KIDNEY.label: [np.array([kidney])], SPLEEN.label: [np.array([spleen])]},
    )
    assert _dice(grown == RIGHT_KIDNEY.label, _far_from(kidney) < 15) > 0.97
    assert _dice(grown == SPLEEN.label, _far_from(spleen) < 15) > 0.97


def test_labels_that_are_there_stay():
    centre = (20, 24, 28)
    labels = np.where(_far_from(centre) < 10, LIVER.label, 0).astype(np.uint8)
    image = _scan((centre, 18, 110))
    grown = grow_strokes(image, labels, SPACING_MM, {SPLEEN.label: [np.array([(20, 24, 37)])]})
    assert np.array_equal(grown == LIVER.label, labels == LIVER.label)
    assert (grown == SPLEEN.label).any()


def test_a_stroke_of_background_holds_back_what_has_no_edge():
    vessel, muscle = (20, 24, 20), (20, 24, 36)
    image = _scan((vessel, 12, 120), (muscle, 12, 60), ((20, 24, 28), 4, 120))
    nothing = np.zeros(SHAPE, dtype=np.uint8)
    free = grow_strokes(image, nothing, SPACING_MM, {ARTERIES.label: [np.array([vessel])]})
    held = grow_strokes(
        image, nothing, SPACING_MM,
        {ARTERIES.label: [np.array([vessel])], 0: [np.array([muscle, (20, 24, 34)])]},
    )  # fmt: skip
    beyond = _far_from(muscle) < 8
    assert (free == ARTERIES.label)[beyond].any()
    assert not (held == ARTERIES.label)[beyond].any()


def test_what_hangs_on_a_thin_bridge_is_cut_off():
    centre, other = (20, 24, 14), (20, 24, 42)
    bridge = [((20, 24, x), 1.6, 150) for x in range(15, 42)]
    image = _scan((centre, 13, 150), (other, 13, 150), *bridge)
    grown = grow_strokes(
        image, np.zeros(SHAPE, dtype=np.uint8), SPACING_MM, {ARTERIES.label: [np.array([centre])]}
    )
    assert (grown == ARTERIES.label)[_far_from(centre) < 11].all()
    assert not (grown == ARTERIES.label)[_far_from(other) < 13].any()


def test_a_stroke_of_an_unknown_structure_is_refused():
    with pytest.raises(InputRefusedError, match="kidneys"):
        SourceSettings(name="x", labels="l.nii", strokes={"kidneys": [[[0.0, 0.0, 0.0]]]})
