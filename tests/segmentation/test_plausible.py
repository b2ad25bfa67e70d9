"""Lesions that can be, and those that cannot."""

import numpy as np
import pytest

from surgplan.segmentation._plausible import plausible_lesions

SPACING = (2.0, 1.5, 1.0)


def ball(centre_mm: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    z, y, x = np.meshgrid(*[np.arange(n) * s for n, s in zip((40, 60, 90), SPACING, strict=True)],
                          indexing="ij")  # fmt: skip
    away = [a - c for a, c in zip((z, y, x), centre_mm, strict=True)]
    return np.sqrt(sum(a**2 for a in away)) < radius_mm


LIVER = ball((40, 45, 45), 30)


@pytest.mark.parametrize("radius_mm", [5.0, 8.0, 15.0])
def test_a_lesion_inside_the_liver_stays_as_it_is(radius_mm: float) -> None:
    lesion = ball((40, 40, 50), radius_mm)
    kept = plausible_lesions(lesion, LIVER & ~lesion, SPACING)
    assert 2 * (kept & lesion).sum() / (kept.sum() + lesion.sum()) > 0.95


def test_one_that_bulges_out_of_the_liver_stays() -> None:
    lesion = ball((40, 45, 70), 12)
    kept = plausible_lesions(lesion, LIVER & ~lesion, SPACING)
    assert kept.sum() > 0.95 * lesion.sum()


def test_a_thin_rim_a_speck_and_a_neighbour_go() -> None:
    rim = LIVER & ~ball((40, 45, 45), 27)
    speck = ball((40, 40, 50), 3.5)
    neighbour = ball((40, 45, 83), 11)
    for mask in (rim, speck, neighbour & ~LIVER):
        assert mask.any()
        assert not plausible_lesions(mask, LIVER & ~mask, SPACING).any()


def test_a_rim_at_a_lesion_goes_and_the_lesion_stays() -> None:
    lesion = ball((40, 45, 60), 12) & LIVER
    rim = LIVER & ~ball((40, 45, 45), 28)
    kept = plausible_lesions(lesion | rim, LIVER & ~lesion & ~rim, SPACING)
    assert kept[lesion].mean() > 0.9
    assert kept[rim & ~ball((40, 45, 60), 16)].mean() < 0.02


def test_nothing_called_is_nothing_kept() -> None:
    nothing = np.zeros_like(LIVER)
    assert not plausible_lesions(nothing, LIVER, SPACING).any()
