"""Slices are cut more quickly than by napari, and look the same."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels
from napari.layers.labels._labels_utils import get_contours

from napari_surgplan._slices import outlined, quick


def blobs(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Patches of five labels that touch each other and the border."""
    coarse = np.random.default_rng(seed).integers(0, 5, (7, 9))
    array = np.kron(coarse, np.ones((6, 5), dtype=int))
    return array[: shape[0], : shape[1]].astype(np.uint8)


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("shape", [(42, 45), (1, 30), (30, 1), (5, 5)])
def test_outlines_are_those_of_napari(width, shape) -> None:
    for seed in range(5):
        labels = blobs(seed, shape)
        np.testing.assert_array_equal(outlined(labels, width, 0), get_contours(labels, width, 0))
    assert outlined(blobs(0, (42, 45)), 1, 0).any()


@pytest.mark.parametrize("width", [0, 1, 3])
def test_a_part_is_outlined_as_by_napari(width) -> None:
    labels = blobs(1, (42, 45))
    mine, theirs = quick(Labels(labels), listed=False), Labels(labels)
    mine.contour = theirs.contour = width
    for part in ((slice(10, 20), slice(5, 25)), (slice(0, 3), slice(40, 45))):
        found, wanted = (layer._calculate_contour(labels, part) for layer in (mine, theirs))
        assert (found is None) == (width == 0)
        if width:
            np.testing.assert_array_equal(found, wanted)


def test_the_picture_in_the_list_follows_the_data_and_not_the_slice() -> None:
    array = np.zeros((4, 20, 20), dtype=np.uint8)
    array[0, 5:15, 5:15] = 1
    layer = quick(Labels(array), listed=True)
    before = layer.thumbnail.copy()
    layer.refresh()
    layer.data = np.zeros_like(array)
    assert before.any()
    assert not layer.thumbnail[..., :3].any()
    seen = []
    layer.events.thumbnail.connect(lambda: seen.append(1))
    layer.refresh()
    assert seen == []
