"""Kidneys and spleen reach as far as they are bright, not into what is as bright beside them."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from surgplan.segmentation._native import labels_on
from surgplan.segmentation._organs import settle_organs, settle_outlines
from surgplan.volume import BOWEL, LIVER, RIGHT_KIDNEY, SPLEEN, Geometry

KIDNEY = RIGHT_KIDNEY.label
FINE = Geometry.from_spacing(shape=(120, 150, 150), spacing_mm=(1.0, 1.0, 1.0))
GRID = FINE.with_spacing((3.0, 3.0, 3.0))
FAT, MUSCLE, PARENCHYMA = -100.0, 60.0, 110.0


def ball(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    at = np.indices(FINE.shape).transpose(1, 2, 3, 0)
    inside: np.ndarray = (((at - centre) / np.array(radii)) ** 2).sum(axis=-1) <= 1
    return inside


def coarse(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(40, 3, 50, 3, 50, 3).mean(axis=(1, 3, 5)).astype(np.float32)


SHAPE = ball((60, 75, 75), (45, 25, 22))
TISSUE = ball((60, 75, 20), (50, 40, 34))  # overlaps the kidney's side; the kidney wins
BELLY = ball((60, 118, 75), (50, 20, 40))


def scene(kidney_hu: float, beside_hu: float) -> np.ndarray:
    """Hounsfield units on the coarse grid, with partial volume and some noise."""
    hu = np.full(FINE.shape, FAT)
    hu[BELLY] = MUSCLE
    hu[TISSUE] = beside_hu
    hu[SHAPE] = kidney_hu
    return coarse(hu) + np.random.default_rng(1).normal(0, 4, GRID.shape).astype(np.float32)


def scores(mistaken: np.ndarray, extra: np.ndarray) -> torch.Tensor:
    """A network that calls a part of the kidney bowel and something else kidney."""
    labels = np.zeros(GRID.shape, dtype=int)
    labels[coarse(TISSUE) > 0.5] = LIVER.label
    labels[coarse(SHAPE) > 0.5] = KIDNEY
    labels[(coarse(SHAPE) > 0.5) & (coarse(mistaken) > 0.5)] = BOWEL.label
    labels[coarse(extra) > 0.5] = KIDNEY
    return torch.nn.functional.one_hot(torch.from_numpy(labels), 17).movedim(-1, 0).float() * 4


def found(logits: torch.Tensor) -> np.ndarray:
    labels, _ = labels_on(logits, GRID, FINE, temperature=1.0)
    return labels == KIDNEY


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


NOTHING = np.zeros(FINE.shape, dtype=bool)
FAR_END = np.indices(FINE.shape)[0] > 75
PSOAS = ball((40, 110, 75), (14, 9, 9)) & BELLY


@pytest.mark.parametrize("beside_hu", [PARENCHYMA, 200.0])
def test_a_bright_kidney_gets_back_what_was_called_bowel(beside_hu: float) -> None:
    logits = scores(FAR_END, PSOAS)
    before = found(logits)
    settle_organs(logits, scene(200.0, beside_hu), 3.0)
    after = found(logits)
    liver = TISSUE & ~SHAPE & ~ndimage.binary_dilation(SHAPE, iterations=3)
    assert dice(before, SHAPE) < 0.85
    assert dice(after, SHAPE) > 0.96
    assert (after & liver).sum() < 0.01 * SHAPE.sum()
    assert not (after & PSOAS & ~ndimage.binary_dilation(SHAPE, iterations=3)).any()


def test_an_outline_lies_between_the_voxels() -> None:
    logits = scores(FAR_END, NOTHING)
    settle_organs(logits, scene(200.0, FAT), 3.0)
    smooth = dice(found(logits), SHAPE)
    voxels = np.repeat(np.repeat(np.repeat(coarse(SHAPE) > 0.5, 3, 0), 3, 1), 3, 2)
    assert smooth > dice(voxels, SHAPE)
    assert smooth > 0.975


def test_without_contrast_agent_fat_alone_bounds_it() -> None:
    logits = scores(NOTHING, ball((60, 75, 75), (47, 29, 26)) & ~TISSUE & ~BELLY)
    before = found(logits)
    settle_organs(logits, scene(30.0, 55.0), 3.0)
    after = found(logits)
    assert dice(after, SHAPE) > dice(before, SHAPE) + 0.02
    leaked = after & BELLY & ~ndimage.binary_dilation(SHAPE, iterations=4)
    assert leaked.sum() < 0.01 * SHAPE.sum()


def test_cortex_and_medulla_in_the_arterial_phase_stay_together() -> None:
    hu = scene(170.0, FAT)
    pyramids = ball((60, 75, 75), (43, 23, 20)) & (np.indices(FINE.shape)[0] % 24 < 14)
    hu = hu - 95 * coarse(pyramids)
    logits = scores(NOTHING, NOTHING)
    before = found(logits)
    settle_organs(logits, hu, 3.0)
    assert dice(found(logits), SHAPE) > dice(before, SHAPE) - 0.005


def test_soft_tissue_alone_does_not_let_it_grow() -> None:
    logits = scores(NOTHING, NOTHING)
    logits[LIVER.label] = 0
    before = found(logits)
    hu = np.where(coarse(SHAPE) > 0.5, 40.0, MUSCLE).astype(np.float32)
    settle_organs(logits, hu, 3.0)
    assert not (found(logits) & ~ndimage.binary_dilation(before, iterations=1)).any()


def test_a_part_as_bright_behind_a_neck_is_something_else() -> None:
    hu = scene(200.0, FAT)
    bowel = ball((60, 112, 75), (10, 9, 9)) | ball((60, 100, 75), (2, 6, 2))
    hu = np.where(coarse(bowel) > 0, FAT + 300 * coarse(bowel), hu)
    logits = scores(FAR_END, NOTHING)
    settle_organs(logits, hu.astype(np.float32), 3.0)
    assert not (found(logits) & ball((60, 112, 75), (10, 9, 9))).any()


def test_what_is_too_small_or_not_there_stays() -> None:
    logits = scores(SHAPE, ball((60, 75, 75), (13, 13, 13)))
    expected = logits.clone()
    settle_organs(logits, scene(200.0, FAT), 3.0)
    assert torch.equal(logits, expected)
    assert not (logits.argmax(dim=0) == SPLEEN.label).any()


@pytest.mark.parametrize("sign", [1, -1], ids=["darker fat", "brighter fat"])
@pytest.mark.parametrize("grown", [1, -1], ids=["too wide", "too narrow"])
def test_in_mr_an_outline_within_a_voxel_follows_the_edge(sign: int, grown: int) -> None:
    kidney = coarse(SHAPE) > 0.5
    change = ndimage.binary_dilation if grown > 0 else ndimage.binary_erosion
    guess = change(kidney)
    labels = np.where(guess, KIDNEY, np.where((coarse(TISSUE) > 0.5) & ~kidney, LIVER.label, 0))
    logits = torch.nn.functional.one_hot(torch.from_numpy(labels), 17).movedim(-1, 0).float() * 4
    before = found(logits)
    settle_outlines(logits, sign * scene(100.0, 95.0), 3.0)
    after = found(logits)
    in_fat = ~ndimage.binary_dilation(TISSUE | BELLY, iterations=6)
    assert dice(before & in_fat, SHAPE & in_fat) < 0.9
    assert dice(after & in_fat, SHAPE & in_fat) > 0.97
    beside = ndimage.binary_dilation(TISSUE, iterations=3) & ~ndimage.binary_dilation(
        ~(TISSUE | SHAPE), iterations=9
    )
    assert (after == before)[beside].mean() > 0.98  # nothing tells it from what is as bright


def test_in_mr_an_organ_without_an_edge_stays() -> None:
    guess = scores(np.zeros(FINE.shape, bool), np.zeros(FINE.shape, bool))
    before = guess.clone()
    settle_outlines(guess, np.random.default_rng(0).normal(100, 4, GRID.shape).astype("f4"), 3.0)
    assert torch.equal(guess.argmax(dim=0), before.argmax(dim=0))
