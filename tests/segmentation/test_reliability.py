"""Bounds by split conformal prediction."""

import numpy as np
import pytest

from surgplan.errors import UsageError
from surgplan.segmentation import Reliability, conformal_bound


def test_a_volume_lies_between_its_quotient_and_its_product() -> None:
    bound = Reliability(volume_factor=1.25, boundary_mm=4.0, cases=20)
    assert bound.volume_ml(1000) == (800, 1250)


def test_the_bound_covers_the_next_case_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(4000):
        seen = rng.lognormal(size=20)
        inside += rng.lognormal() <= conformal_bound(list(seen))
    assert 0.89 < inside / 4000 < 0.93  # 19 of 21


def test_too_few_cases_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(UsageError, match="needs 9 cases"):
        conformal_bound([1.0] * 8)
    assert conformal_bound([float(n) for n in range(9)]) == 8
