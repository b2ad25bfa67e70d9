"""Windows, native labels and post-processing against independent ways to the same result."""

import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer
from scipy import ndimage

from surgplan.segmentation._native import Canvas, labels_of_planes, labels_on
from surgplan.segmentation._postprocess import forbid_fragments, without_specks
from surgplan.segmentation._window import finished_planes, sliding_logits, window_count
from surgplan.volume import LIVER, LIVER_CYST, LIVER_TUMOUR, PORTAL_VEIN, SPLEEN, Geometry


def small_network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv3d(1, 6, 5, padding=2), torch.nn.Tanh(), torch.nn.Conv3d(6, 4, 3, padding=1)
    ).eval()


@pytest.mark.parametrize("shape", [(30, 41, 37), (16, 40, 18)])
def test_windows_blend_as_in_monai(shape: tuple[int, int, int]) -> None:
    network = small_network()
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    window = (16, 24, 16)
    monai = SlidingWindowInferer(window, sw_batch_size=1, overlap=0.5, mode="gaussian")
    with torch.inference_mode():
        expected = monai(image[None, None], network)[0]
        ours = sliding_logits(image[None], network, window=window, overlap=0.5)
    assert torch.equal(ours.argmax(0), expected.argmax(0))
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)


def test_a_volume_smaller_than_the_window_is_padded_and_cut_back() -> None:
    image = torch.rand((5, 7, 9), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        scores = sliding_logits(image[None], small_network(), window=(16, 16, 16), overlap=0.5)
    assert scores.shape == (4, 5, 7, 9)
    assert torch.isfinite(scores).all()


def test_labels_on_a_finer_grid_are_those_of_interpolated_scores() -> None:
    coarse = Geometry.from_spacing(shape=(9, 10, 11), spacing_mm=(3.0, 3.0, 3.0))
    fine = Geometry.from_spacing(
        shape=(14, 25, 30), spacing_mm=(1.9, 1.1, 1.0), origin_mm=(-0.7, 0.4, 0.3)
    )
    scores = torch.randn(5, 9, 10, 11, generator=torch.Generator().manual_seed(2))
    labels, confidence = labels_on(scores, coarse, fine, temperature=1.0)
    where = np.stack(np.meshgrid(*[np.arange(n) for n in fine.shape], indexing="ij"), axis=-1)
    at = np.moveaxis(coarse.to_index(fine.to_lps(where)), -1, 0)
    maps = np.stack([ndimage.map_coordinates(s, at, order=1, mode="nearest") for s in scores])
    assert (labels == maps.argmax(0)).mean() > 0.9995  # ties aside
    best = torch.softmax(torch.from_numpy(maps), dim=0).max(0).values
    np.testing.assert_allclose(confidence, best.numpy(), atol=0.5 / 256 + 1e-4)


def test_a_hotter_temperature_lowers_confidence_and_keeps_labels() -> None:
    grid = Geometry.from_spacing(shape=(6, 6, 6), spacing_mm=(3.0, 3.0, 3.0))
    scores = torch.randn(3, 6, 6, 6, generator=torch.Generator().manual_seed(2))
    cold, sure = labels_on(scores, grid, grid, temperature=1.0)
    hot, unsure = labels_on(scores, grid, grid, temperature=3.0)
    assert np.array_equal(cold, hot)
    assert (unsure <= sure).all()
    assert unsure.mean() < sure.mean() - 0.1


def scores_of(labels: np.ndarray) -> torch.Tensor:
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(labels).long(), 17)
    return one_hot.permute(3, 0, 1, 2).float() * 10


def test_fragments_far_from_the_liver_lose_their_label() -> None:
    labels = np.zeros((30, 30, 30), dtype=np.int64)
    labels[5:20, 5:20, 5:20] = LIVER.label
    labels[8:12, 8:12, 8:12] = LIVER_TUMOUR.label
    labels[10, 10, 20:24] = PORTAL_VEIN.label  # leaves the liver, touches it
    labels[25:28, 25:28, 25:28] = LIVER.label
    labels[25:28, 2:4, 2:4] = PORTAL_VEIN.label
    labels[25:28, 2:12, 20:25] = SPLEEN.label
    labels[24, 28, 2] = SPLEEN.label
    kept = forbid_fragments(scores_of(labels), (3.0, 3.0, 3.0)).argmax(0).numpy()
    wanted = labels.copy()
    wanted[25:28, 25:28, 25:28] = 0
    wanted[25:28, 2:4, 2:4] = 0
    wanted[24, 28, 2] = 0
    assert np.array_equal(kept, wanted)


def test_what_lies_apart_from_the_liver_is_no_lesion_of_it_either() -> None:
    labels = np.zeros((30, 30, 30), dtype=np.int64)
    labels[5:20, 5:20, 5:20] = LIVER.label
    labels[24:29, 5:20, 5:20] = LIVER.label  # a full bladder, say
    scores = scores_of(labels)
    for segment in (LIVER_TUMOUR, LIVER_CYST, PORTAL_VEIN):  # each more likely than background
        scores[segment.label, 24:29] = 5
    kept = forbid_fragments(scores, (3.0, 3.0, 3.0)).argmax(0).numpy()
    assert np.array_equal(kept[:23] > 0, labels[:23] > 0)
    assert not np.isin(kept[23:], [1, 2, 3, 4, LIVER_CYST.label]).any()


def test_a_speck_of_tumour_becomes_parenchyma_again() -> None:
    labels = np.zeros((20, 20, 20), dtype=np.int64)
    labels[3:17, 3:17, 3:17] = LIVER.label
    scores = scores_of(labels)
    scores[LIVER_TUMOUR.label, 9, 9, 9:12] = 20
    kept = forbid_fragments(scores, (3.0, 3.0, 3.0)).argmax(0).numpy()
    assert np.array_equal(kept, labels)


def test_specks_of_tumour_on_the_fine_grid_become_parenchyma() -> None:
    labels = np.full((20, 30, 30), LIVER.label, dtype=np.uint8)
    labels[2:10, 2:12, 2:12] = LIVER_TUMOUR.label  # 800 voxels of 1 microlitre: 0.8 ml
    labels[15, 20:25, 20:25] = LIVER_TUMOUR.label  # 0.025 ml
    kept = without_specks(labels.copy(), voxel_ml=0.001)
    wanted = labels.copy()
    wanted[15, 20:25, 20:25] = LIVER.label
    assert np.array_equal(kept, wanted)


@pytest.mark.parametrize("shape", [(37, 20, 18), (9, 12, 30)])
def test_labels_made_as_windows_pass_are_those_of_monai(shape: tuple[int, int, int]) -> None:
    network = small_network()
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    window = (12, 16, 16)
    monai = SlidingWindowInferer(window, sw_batch_size=1, overlap=0.5, mode="gaussian")
    grid = Geometry.from_spacing(shape=shape, spacing_mm=(3.0, 3.0, 3.0))
    with torch.inference_mode():
        expected = monai(image[None, None], network)[0].argmax(0).numpy()
        if shape[0] < window[0]:  # MONAI pads with 0, we with the least value
            expected = sliding_logits(image[None], network, window=window, overlap=0.5).argmax(0)
        planes = finished_planes(image[None], network, window=window, overlap=0.5)
        labels, _ = labels_of_planes(planes, grid, grid, temperature=1.0)
    assert np.array_equal(labels, expected)


def test_scores_that_come_in_slabs_make_the_labels_of_the_whole() -> None:
    coarse = Geometry.from_spacing(shape=(21, 10, 11), spacing_mm=(3.0, 3.0, 3.0))
    fine = Geometry.from_spacing(
        shape=(50, 25, 30), spacing_mm=(1.2, 1.1, 1.0), origin_mm=(-0.7, 0.4, 0.3)
    )
    scores = torch.randn(5, 21, 10, 11, generator=torch.Generator().manual_seed(2))
    whole = labels_on(scores, coarse, fine, temperature=1.0)
    slabs = iter(scores.split((1, 6, 4, 10), dim=1))
    parts = labels_of_planes(slabs, coarse, fine, temperature=1.0)
    assert np.array_equal(whole[0], parts[0])
    np.testing.assert_allclose(whole[1], parts[1], atol=1 / 256)


def test_a_box_that_is_filled_later_is_left_and_all_else_is_not() -> None:
    coarse = Geometry.from_spacing(shape=(20, 60, 60), spacing_mm=(3.0, 3.0, 3.0))
    fine = coarse.with_spacing((1.0, 1.0, 1.0))
    scores = torch.randn(5, *coarse.shape, generator=torch.Generator().manual_seed(2))
    whole, sure = labels_on(scores, coarse, fine, temperature=1.0)
    later = slice(5, 50), slice(30, 140), slice(60, 160)
    canvas = Canvas(
        labels=np.full(fine.shape, 99, dtype=np.uint8),
        confidence=np.full(fine.shape, -1, dtype=np.float32),
        left_out=later,
    )
    labels_on(scores, coarse, fine, temperature=1.0, out=canvas)
    left = canvas.labels == 99
    assert left.any()
    assert not left[later].all()  # blocks at its edge are written
    left[later] = False
    assert not left.any()
    written = canvas.labels != 99
    assert np.array_equal(canvas.labels[written], whole[written])
    assert np.array_equal(canvas.confidence[written], sure[written])


def test_windows_are_counted() -> None:
    seen = []

    def forward(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch.shape)
        return batch

    list(finished_planes(torch.rand(1, 37, 20, 9), forward, window=(12, 16, 16), overlap=0.5))
    assert len(seen) == window_count((37, 20, 9), (12, 16, 16), 0.5)
