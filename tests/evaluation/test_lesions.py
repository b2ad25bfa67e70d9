"""Lesions found, missed and invented, on voxels of known size."""

import numpy as np

from surgplan.evaluation import LesionDetection, detect_lesions
from surgplan.volume import Geometry

GRID = Geometry.from_spacing(shape=(20, 30, 30), spacing_mm=(2.5, 2.0, 2.0))  # 0.01 ml a voxel


def boxes(*corners: tuple[int, int, int], side: int = 4) -> np.ndarray:
    mask = np.zeros(GRID.shape, dtype=bool)
    for z, y, x in corners:
        mask[z : z + side, y : y + side, x : x + side] = True
    return mask


def test_each_lesion_counts_once() -> None:
    wanted = boxes((2, 2, 2), (2, 20, 20)) | boxes((12, 10, 10), side=5)
    found = boxes((2, 2, 4), (12, 10, 10), (14, 24, 2))  # half of one, most of one, one invented
    told = detect_lesions(found, wanted, GRID)
    np.testing.assert_allclose(told.reference_ml, [1.25, 0.64, 0.64])
    assert told.found.count(True) == 2
    assert told.sensitivity == 2 / 3
    np.testing.assert_allclose(told.false_positive_ml, [0.64])


def test_a_touch_is_no_find() -> None:
    wanted = boxes((2, 2, 2))
    found = boxes((5, 5, 5), side=8)  # shares one voxel of 64
    told = detect_lesions(found, wanted, GRID)
    assert told.found == (False,)
    assert len(told.false_positive_ml) == 1


def test_two_predicted_lesions_in_one_reference_are_no_false_ones() -> None:
    wanted = boxes((2, 2, 2), side=10)
    found = boxes((3, 3, 3), (7, 7, 7), side=3)
    assert detect_lesions(found, wanted, GRID).false_positive_ml == ()


def test_specks_count_neither_way() -> None:
    speck = boxes((2, 2, 2), side=2)  # 0.08 ml
    nothing = np.zeros(GRID.shape, dtype=bool)
    assert detect_lesions(speck, nothing, GRID) == LesionDetection(
        reference_ml=(), found=(), false_positive_ml=()
    )
    assert detect_lesions(nothing, speck, GRID).sensitivity is None


def test_corners_join_a_lesion() -> None:
    wanted = boxes((2, 2, 2), (6, 6, 6))
    assert len(detect_lesions(wanted, wanted, GRID).reference_ml) == 1
