"""Images drawn from labels fit the labels, whatever chance does."""

import numpy as np
import torch

from surgplan.synthesis import (
    PHASES,
    UNLABELLED,
    DrawSettings,
    LesionSettings,
    WarpSettings,
    draw_image,
    paint_lesions,
    paint_mass,
    perturb_scan,
    phase_means_hu,
    sampling_grid,
    surround,
    unlabelled_tissue,
    warp,
)
from surgplan.volume import ARTERIES, LEFT_KIDNEY, LIVER, LIVER_CYST, LIVER_TUMOUR, RIGHT_KIDNEY


def chance(seed: int = 0) -> tuple[np.random.Generator, torch.Generator]:
    return np.random.default_rng(seed), torch.Generator().manual_seed(seed)


def liver_block() -> torch.Tensor:
    labels = torch.full((24, 32, 40), 203)
    labels[4:20, 6:26, 8:30] = LIVER.label
    return labels


def test_a_warp_that_does_nothing_returns_the_patch_around_its_centre() -> None:
    rng, _ = chance()
    still = WarpSettings(log_scale=0, rotation_deg=0, bend_voxels=0)
    image = torch.arange(20 * 22 * 24, dtype=torch.float32).reshape(20, 22, 24)
    grid = sampling_grid((4, 6, 8), (9.5, 10.5, 11.5), still, rng)
    patch = warp(image, grid, mode="bilinear", outside=0)
    torch.testing.assert_close(patch, image[8:12, 8:14, 8:16], rtol=0, atol=0.01)


def test_outside_the_scan_a_warp_reads_the_given_value() -> None:
    rng, _ = chance()
    still = WarpSettings(log_scale=0, rotation_deg=0, bend_voxels=0)
    grid = sampling_grid((4, 4, 4), (-50.0, 0.0, 0.0), still, rng)
    assert (warp(torch.zeros(8, 8, 8), grid, mode="bilinear", outside=-1000) == -1000).all()


def test_a_warped_label_map_has_no_new_labels() -> None:
    rng, _ = chance(3)
    grid = sampling_grid((16, 24, 24), (12.0, 16.0, 20.0), WarpSettings(), rng)
    warped = warp(liver_block().float(), grid, mode="nearest", outside=0)
    assert set(warped.unique().tolist()) <= {0.0, float(LIVER.label), 203.0}
    assert (warped == LIVER.label).any()


def test_the_same_seed_draws_the_same_image_and_another_seed_another() -> None:
    first, _ = draw_image(liver_block(), DrawSettings(), *chance(5))
    again, _ = draw_image(liver_block(), DrawSettings(), *chance(5))
    other, _ = draw_image(liver_block(), DrawSettings(), *chance(6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_drawn_ct_shows_the_liver_within_the_bands_of_its_phases() -> None:
    for seed in range(6):
        image, is_ct = draw_image(liver_block(), DrawSettings(ct_share=1), *chance(seed))
        assert is_ct
        assert 0 < float(image[8:16, 10:22, 12:26].mean()) < 170


def test_phases_move_arteries_and_parenchyma_together() -> None:
    rng, _ = chance()
    means = {p: [phase_means_hu(p, rng) for _ in range(200)] for p in PHASES}

    def average(phase: str, label: int) -> float:
        return float(np.mean([m[label] for m in means[phase]]))

    assert average("arterial", ARTERIES.label) > average("portal", ARTERIES.label) + 80
    assert average("portal", LIVER.label) > average("native", LIVER.label) + 30
    assert all(m[LEFT_KIDNEY.label] == m[RIGHT_KIDNEY.label] for m in means["portal"])


def test_lesions_lie_in_the_parenchyma_and_their_labels_fit_the_change() -> None:
    labels = liver_block()
    image = torch.full(labels.shape, 100.0)
    settings = LesionSettings(contrast_hu=(60, 61), cyst_share=0)
    painted, lesions = paint_lesions(image, labels, settings, 3.0, *chance(2))
    tumour = lesions == LIVER_TUMOUR.label
    assert tumour.any()
    assert (labels[tumour] == LIVER.label).all()
    assert (lesions[~tumour] == labels[~tumour]).all()
    assert float((painted - image)[tumour].abs().mean()) > 20
    far = torch.nn.functional.max_pool3d(tumour.float()[None], 9, 1, 4)[0] == 0
    assert torch.equal(painted[far], image[far])
    assert torch.equal(image, torch.full(labels.shape, 100.0))


def test_cysts_get_their_own_label_and_nearly_water() -> None:
    image = torch.full((24, 32, 40), 100.0)
    settings = LesionSettings(cyst_share=1, radius_mm=15, radius_spread=0.01)
    painted, lesions = paint_lesions(image, liver_block(), settings, 3.0, *chance(2))
    cyst = lesions == LIVER_CYST.label
    assert cyst.any()
    assert not (lesions == LIVER_TUMOUR.label).any()
    assert float(painted[cyst].median()) < 40


def test_dense_clumps_lie_inside_their_lesion() -> None:
    image = torch.full((24, 32, 40), 100.0)
    settings = LesionSettings(cyst_share=0, bright_share=0, dense_share=1, radius_mm=20, most=1)
    plain = LesionSettings(cyst_share=0, bright_share=0, radius_mm=20, most=1)
    bright = []
    for seed in range(6):
        painted, lesions = paint_lesions(image, liver_block(), settings, 3.0, *chance(seed))
        without, _ = paint_lesions(image, liver_block(), plain, 3.0, *chance(seed))
        assert not (painted[lesions != LIVER_TUMOUR.label] > 180).any()
        bright.append(int((painted > 180).sum()) - int((without > 180).sum()))
    assert max(bright) > 20


def test_a_patch_without_liver_gets_no_lesion() -> None:
    labels = torch.full((16, 16, 16), RIGHT_KIDNEY.label)
    image = torch.zeros(labels.shape)
    painted, lesions = paint_lesions(image, labels, LesionSettings(), 3.0, *chance())
    assert torch.equal(painted, image)
    assert torch.equal(lesions, labels)


def test_a_perturbed_scan_keeps_its_place_and_its_input() -> None:
    labels = liver_block()
    image = torch.where(labels == LIVER.label, 110.0, 40.0)
    before = image.clone()
    for seed in range(8):
        changed = perturb_scan(image, labels * 0, *chance(seed))
        inside, outside = changed[8:16, 10:22, 12:26].mean(), changed[:, :2].mean()
        assert 40 < float(inside - outside) < 100
    assert torch.equal(image, before)


def test_unlabelled_tissue_is_told_by_hounsfield_unit() -> None:
    image = np.array([-900, -100, 0, 60, 150, 800], dtype=np.float32)
    assert unlabelled_tissue(image).tolist() == sorted(UNLABELLED)


def test_a_mass_lies_beside_the_liver_and_leaves_it_as_it_was() -> None:
    labels = liver_block()
    labels[labels == 203] = 0
    image = torch.where(labels > 0, 105.0, -80.0)
    changed = 0
    for seed in range(6):
        out, after = paint_mass(image, labels, 3.0, *chance(seed))
        liver = labels == LIVER.label
        assert torch.equal(after == LIVER.label, liver)
        assert torch.equal(out[liver], image[liver])
        mass = (out != image) & (out > -20)
        changed += bool(mass.sum() > 50)
        assert (after[mass] == 0).all()
    assert changed >= 5


def test_a_patch_without_liver_gets_no_mass() -> None:
    image, labels = torch.zeros(10, 10, 10), torch.zeros(10, 10, 10)
    out, after = paint_mass(image, labels, 3.0, *chance(1))
    assert torch.equal(out, image)
    assert torch.equal(after, labels)


def test_surroundings_fill_only_what_has_no_label() -> None:
    labels = liver_block()
    labels[labels == 203] = 0
    filled = surround(labels, *chance(4))
    assert torch.equal(filled == LIVER.label, labels == LIVER.label)
    outside = filled[labels == 0].unique()
    assert len(outside) >= 3
    assert (outside > 0).all()
