import numpy as np
import pytest

from surgplan.errors import IntensityError
from surgplan.io import check_intensities


def values(*numbers):
    return np.array(numbers, dtype=np.float32)


def test_air_far_below_zero_means_hounsfield_units():
    assert check_intensities(values(-1024, 40, 1023), None) == "CT"


@pytest.mark.parametrize("low", [-499.0, -10.0, 0.0])
def test_without_air_and_without_a_word_nothing_is_guessed(low):
    with pytest.raises(IntensityError, match="--modality mr"):
        check_intensities(values(low, 40, 1000), None)


def test_a_crop_without_air_is_ct_when_it_is_said_to_be():
    assert check_intensities(values(-120, 40, 300), "CT") == "CT"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, 128, 255), "8-bit pictures of a scan are not"),
        ((0, 300, 900), "for MR `--modality mr`"),
        ((-1000, 40, 1e6), "Hounsfield units"),
        ((-40_000, 40, 1000), "Hounsfield units"),
    ],
)
def test_values_that_cannot_be_hounsfield_units_are_refused_as_ct(numbers, words):
    with pytest.raises(IntensityError, match=words):
        check_intensities(values(*numbers), "CT")


def test_mr_may_be_slightly_negative_but_has_no_air():
    assert check_intensities(values(-47, 100, 833), "MR") == "MR"
    with pytest.raises(IntensityError, match="looks like CT; pass `--modality ct`"):
        check_intensities(values(-1000, 100, 833), "MR")


def test_an_8_bit_mr_is_an_mr():
    assert check_intensities(np.array([0, 255], dtype=np.uint8), "MR") == "MR"


@pytest.mark.parametrize("modality", ["CT", "MR", None])
def test_blank_and_infinite_scans_are_refused(modality):
    with pytest.raises(IntensityError, match="more than one value, got 7"):
        check_intensities(values(7, 7), modality)
    with pytest.raises(IntensityError, match="finite"):
        check_intensities(values(np.nan, 7, -1000), modality)
