"""Measures of realism and privacy against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.synthesis import (
    PATCH_SIDE,
    Gallery,
    audit_copies,
    edge_profile,
    feature_distance,
    histogram_distance,
    membership_auc,
    network_features,
    noise_power,
    texture_features,
    texture_of,
)
from surgplan.volume import Geometry

SIDE = 60
INDEX = np.ones((SIDE,) * 3, np.int64)
INDEX[:, 20:, :] = 2
INDEX[:, :, 45:] = 9
MEANS = np.array([0, 100, 40, 0, 0, 0, 0, 0, 0, 150])


def person(seed: int) -> np.ndarray:
    """Three structures, the same in everybody, with a texture and noise of one's own."""
    rng = np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(rng.normal(size=INDEX.shape), 1.6)
    noise = rng.normal(size=INDEX.shape)
    means = MEANS[INDEX]
    return (means + 15 * texture / texture.std() + 8 * noise).astype(np.float32)


def patches_of(image: np.ndarray, index: np.ndarray = INDEX) -> list[np.ndarray]:
    texture = texture_of(image, index)
    starts = [(z, y, x) for z in (0, 30) for y in (5, 33) for x in (3, 31)]
    return [texture[tuple(slice(n, n + PATCH_SIDE) for n in start)] for start in starts]


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery([texture_of(person(seed), INDEX) for seed in (0, 1)])


@pytest.fixture(scope="module")
def held_out() -> list[np.ndarray]:
    return [patch for seed in (2, 3) for patch in patches_of(person(seed))]


def noisy(image: np.ndarray) -> np.ndarray:
    return image + np.random.default_rng(9).normal(0, 15, image.shape)


NEAR_COPIES = {
    "noisy": noisy,
    "blurred": lambda image: noisy(ndimage.gaussian_filter(image, 1.2)),
    "brightened": lambda image: noisy(1.6 * image + 70),
    "moved by half a voxel": lambda image: noisy(ndimage.shift(image, 0.5, order=1)),
    "moved by voxels": lambda image: noisy(np.roll(image, (1, -2, 3), axis=(0, 1, 2))),
    "larger": lambda image: noisy(ndimage.zoom(image, 1.11, order=1)[:SIDE, :SIDE, :SIDE]),
}


@pytest.mark.parametrize("way", NEAR_COPIES)
def test_a_near_copy_is_found(gallery: Gallery, held_out: list[np.ndarray], way: str) -> None:
    strange, copy = patches_of(person(5)), patches_of(NEAR_COPIES[way](person(1)))
    audit = audit_copies([*strange, copy[6]], gallery, held_out)
    assert len(strange) in audit.suspects
    assert audit.copied <= 3 / 9
    match = audit.matches[-1]
    assert match.correlation == audit.largest > audit.threshold + 0.2
    assert match.scan == 1
    assert match.zoom == pytest.approx(1 / 1.11 if way == "larger" else 1.0)
    start = np.array((30, 33, 3))
    moved = {"moved by voxels": (-1, 2, -3), "larger": -0.1 * start}.get(way, (0, 0, 0))
    np.testing.assert_allclose(match.place, start + np.array(moved), atol=2)


def test_the_same_labels_in_another_brightness_are_no_copy(
    gallery: Gallery, held_out: list[np.ndarray]
) -> None:
    audit = audit_copies(patches_of(1.3 * person(6) - 20), gallery, held_out)
    assert audit.copied <= 3 / 8
    assert audit.largest < audit.largest_held_out + 0.1
    outlines = audit_copies(patches_of(noisy(MEANS[INDEX])), gallery, held_out)
    assert outlines.largest < audit.largest_held_out + 0.1


def test_an_audit_refuses_what_it_cannot_compare(gallery: Gallery) -> None:
    with pytest.raises(UsageError, match="audit"):
        audit_copies(patches_of(person(1)), gallery, [])
    with pytest.raises(UsageError, match="24 voxels a side"):
        gallery.nearest(np.zeros((24, 24, 20), np.float32))
    with pytest.raises(UsageError, match="24 voxels"):
        Gallery([np.zeros((20, 40, 40), np.float32)])


def test_membership_is_a_coin_where_losses_are_alike() -> None:
    rng = np.random.default_rng(0)
    assert membership_auc(
        list(rng.normal(size=4000)), list(rng.normal(size=4000))
    ) == pytest.approx(0.5, abs=0.02)
    assert membership_auc([3.0, 4.0], [1.0, 2.0]) == 0.0


def test_equal_sets_are_near_and_shifted_ones_far() -> None:
    rng = np.random.default_rng(0)
    real, same = rng.normal(size=(80, 12)), rng.normal(size=(80, 12))
    near = feature_distance(same, real)
    steps = [feature_distance(same + shift, real) for shift in (0.3, 1.0)]
    assert 0 < near < 0.04
    assert feature_distance(real, real) == pytest.approx(0, abs=1e-12)
    assert near < steps[0] < steps[1]


def test_white_noise_has_a_flat_spectrum_of_the_right_height() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 10, (12, 64, 64))
    frequency, power = noise_power(noise, np.ones(noise.shape, bool), 2.0, most=10_000)
    np.testing.assert_allclose(power[1:], 100 * 4, rtol=0.12)  # variance times pixel area
    assert frequency[-1] <= 0.25 + 0.02
    smooth = ndimage.gaussian_filter(noise, (0, 1, 1))
    _, less = noise_power(smooth, np.ones(noise.shape, bool), 2.0)
    assert less[-1] < 0.1 * less[0]
    with pytest.raises(UsageError, match="square"):
        noise_power(noise, np.zeros(noise.shape, bool), 2.0)


def test_an_edge_is_as_wide_as_its_blur() -> None:
    geometry = Geometry.from_spacing(shape=(20, 40, 40), spacing_mm=(1.5, 1.5, 1.5))
    mask = np.zeros(geometry.shape, bool)
    mask[:, :, :20] = True
    widths = []
    for sigma in (0.7, 2.0):
        image = ndimage.gaussian_filter(np.where(mask, 100.0, -100.0), sigma)
        distance, share = edge_profile(image, mask, ~mask, geometry)
        assert share[0] == pytest.approx(0, abs=0.05)
        assert share[-1] == pytest.approx(1, abs=0.05)
        widths.append(np.interp(0.8, share, distance) - np.interp(0.2, share, distance))
    assert widths[1] > 1.8 * widths[0]


def test_histograms_differ_by_shape_not_by_place() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(100, 10, 20_000)
    assert histogram_distance(rng.normal(60, 10, 20_000), real) < 0.5
    assert histogram_distance(rng.normal(100, 20, 20_000), real) == pytest.approx(
        10 * np.sqrt(2 / np.pi), rel=0.05
    )


def test_texture_tells_grain_and_its_size_not_place() -> None:
    def patches(sigma: float, spread: float, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(12):
            noise = ndimage.gaussian_filter(rng.normal(size=(20,) * 3), sigma)
            found.append(60 + spread * noise / noise.std())
        return found

    real = texture_features(patches(1.0, 20, 0))
    same, finer, stronger = (
        feature_distance(texture_features(patches(sigma, spread, 1)), real)
        for sigma, spread in ((1.0, 20), (0.5, 20), (1.0, 35))
    )
    assert same < 0.5 * min(finer, stronger)
    turned = texture_features([np.flip(p, 0).transpose(2, 1, 0) for p in patches(1.0, 20, 0)])
    np.testing.assert_allclose(turned, real, atol=1e-9)
    with pytest.raises(UsageError, match="texture"):
        texture_features([np.full((8, 8, 8), -900.0)])


def test_co_occurrence_of_a_chequerboard() -> None:
    board = np.where(np.indices((8, 8, 8)).sum(axis=0) % 2, 112.0, 37.0)  # three levels apart
    contrast, _, correlation, energy, _, entropy = texture_features([board])[0][9:15]
    assert contrast == pytest.approx(9)
    assert correlation == pytest.approx(-1)
    assert energy == pytest.approx(0.5)
    assert entropy == pytest.approx(1)
    assert texture_features([board])[0][15] == pytest.approx(0)  # two voxels apart all are alike


def test_network_features_come_by_level_and_see_noise() -> None:
    rng = np.random.default_rng(0)
    fine = [100 + rng.normal(0, 30, (32, 32, 32)) for _ in range(2)]
    coarse = [ndimage.gaussian_filter(patch, 1.5) for patch in fine]
    levels = network_features([*fine, *coarse])
    assert len(levels) >= 4
    assert all(len(level) == 4 and level.shape[1] % 2 == 0 for level in levels)
    same = np.linalg.norm(levels[0][0] - levels[0][1])
    assert np.linalg.norm(levels[0][0] - levels[0][2]) > 3 * same
    for level in levels:  # a normalised level would be the same for every patch
        assert np.linalg.norm(level[0] - level[2]) > 0.05 * np.linalg.norm(level[0])
