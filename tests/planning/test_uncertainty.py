"""Intervals from boundary errors: against formulae, and against truths that were disturbed."""

import numpy as np
import pytest
from scipy import ndimage

from surgplan.errors import GeometryMismatchError, UsageError
from surgplan.planning import (
    BoundaryError,
    PlaneResection,
    assess_prepared,
    prepare,
    uncertainty,
)
from surgplan.planning._surface_nodes import surface_nodes
from surgplan.volume import LIVER, LIVER_TUMOUR

CUT = PlaneResection(point_mm=(-6, 0, 0), normal=(-1, 0, 0))
TUMOUR_AT, TUMOUR_MM, LIVER_MM = (-20.0, 0.0, 0.0), 8.0, 36.0


@pytest.fixture(scope="module")
def ball(space):
    body = space((2.0, 1.5, 1.5), (40, 40, 40), 3).ball(LIVER, (0, 0, 0), LIVER_MM)
    prepared = prepare(body.ball(LIVER_TUMOUR, TUMOUR_AT, TUMOUR_MM).label_map)
    return prepared, assess_prepared(prepared, CUT, margin_mm=5)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.8, 0.8)])
def test_pieces_of_a_surface_have_its_area(space, spacing):
    body = space(spacing, (30, 30, 30), 5).ball(LIVER, (0, 0, 0), 25)
    nodes = surface_nodes(body.array > 0, body.geometry, 7.0)
    assert nodes.area_mm2.sum() == pytest.approx(4 * np.pi * 25**2, rel=0.03)
    assert np.linalg.norm(nodes.points_mm, axis=1) == pytest.approx(25, abs=2)


def test_an_error_of_the_whole_outline_moves_the_remnant_as_by_formula(ball):
    """With all displacement in common the remnant's variance is (area x error)^2."""
    prepared, said = ball
    error = BoundaryError(liver_mm=0.5, tumour_mm=0.0, common=1.0)
    found = uncertainty(prepared, CUT, said, error)
    cap_mm2 = 2 * np.pi * LIVER_MM * (LIVER_MM + 6)
    half = 1.645 * 0.5 * cap_mm2 / 1000
    assert found.remnant_ml.width == pytest.approx(2 * half, rel=0.05)
    middle = (found.remnant_ml.low + found.remnant_ml.high) / 2
    assert middle == pytest.approx(said.remnant_functional_ml, abs=0.1 * half)
    assert found.margins[0].margin_mm.width == pytest.approx(0, abs=1e-9)
    assert [d.structure for d in found.drivers] == ["liver", "tumour 1"]
    assert found.drivers[0].share == pytest.approx(1.0)


def test_errors_that_are_not_alike_cancel(ball):
    prepared, said = ball
    widths = [
        uncertainty(
            prepared, CUT, said, BoundaryError(liver_mm=1, tumour_mm=0, correlation_mm=c, common=0)
        ).remnant_ml.width
        for c in (5, 15, 60)
    ]
    assert widths[0] < 0.6 * widths[1] < 0.6 * widths[2]


def test_the_margin_moves_with_the_outline_of_its_tumour(ball):
    prepared, said = ball
    error = BoundaryError(liver_mm=0.0, tumour_mm=2.0, common=1.0)
    found = uncertainty(prepared, CUT, said, error)
    (risk,) = found.margins
    assert said.tumours[0].margin_mm == pytest.approx(6, abs=0.3)
    assert risk.margin_mm.low == pytest.approx(6 - 1.645 * 2, abs=0.5)
    assert risk.margin_mm.high == pytest.approx(6 + 1.645 * 2, abs=0.5)
    assert risk.below_1_mm == pytest.approx(0.0062, abs=0.006)  # 2.5 standard deviations
    assert risk.below_wanted == pytest.approx(0.31, abs=0.08)  # half a standard deviation
    assert found.drivers[0].structure == "tumour 1"


def test_a_remnant_at_its_threshold_is_missed_half_the_time(ball):
    prepared, _ = ball
    place = next(
        x
        for x in np.linspace(30, -30, 241)
        if assess_prepared(
            prepared, PlaneResection(point_mm=(x, 0, 0), normal=(-1, 0, 0)), margin_mm=5
        ).flr_percent
        >= 25
    )
    cut = PlaneResection(point_mm=(place, 0, 0), normal=(-1, 0, 0))
    said = assess_prepared(prepared, cut, margin_mm=5)
    found = uncertainty(prepared, cut, said, BoundaryError(liver_mm=1.5, tumour_mm=1.5))
    assert found.verdicts[0].below == pytest.approx(0.5, abs=0.3)
    assert found.verdicts[0].value_percent == found.flr_percent
    assert found.functional_flr_percent is None


def test_the_same_seed_gives_the_same_numbers(ball):
    prepared, said = ball
    error = BoundaryError(liver_mm=1, tumour_mm=1)
    first, again = (uncertainty(prepared, CUT, said, error, seed=4) for _ in range(2))
    assert first == again
    assert uncertainty(prepared, CUT, said, error, seed=5) != first


def test_confidence_becomes_millimetres(ball):
    """Where the chance to be wrong falls off as for a normal displacement, its size comes back."""
    from scipy.special import ndtr

    prepared, _ = ball
    label_map = prepared.label_map
    index = np.stack(np.indices(label_map.geometry.shape), axis=-1)
    away = np.linalg.norm(label_map.geometry.to_lps(index), axis=-1) - LIVER_MM
    confidence = ndtr(np.abs(away) / 1.5).astype(np.float32)
    tumour = np.linalg.norm(label_map.geometry.to_lps(index) - TUMOUR_AT, axis=-1) < 20
    confidence[tumour & (away < -8)] = 1.0
    found = BoundaryError.from_confidence(label_map, confidence)
    assert found.liver_mm == pytest.approx(1.5, rel=0.15)
    assert found.tumour_mm < 0.4
    with pytest.raises(GeometryMismatchError, match="shape"):
        BoundaryError.from_confidence(label_map, confidence[1:])


def test_refusals():
    for change in ({"liver_mm": -1}, {"correlation_mm": 0}, {"common": 2}):
        with pytest.raises(UsageError, match="must lie"):
            BoundaryError(**({"liver_mm": 1, "tumour_mm": 1} | change))


def disturbed(body, rng, size_mm, correlation_mm):
    """The ball with a tumour, both outlines displaced by smooth noise of their own."""
    spacing = np.asarray(body.geometry.spacing_mm)

    def noise():
        field = ndimage.gaussian_filter(
            rng.normal(size=body.array.shape), correlation_mm / np.sqrt(2) / spacing, mode="wrap"
        )
        return size_mm * field / field.std()

    away = np.linalg.norm(body.points, axis=-1)
    tumour = np.linalg.norm(body.points - TUMOUR_AT, axis=-1)
    return body.paint(LIVER, away < LIVER_MM + noise()).paint(
        LIVER_TUMOUR, tumour < TUMOUR_MM + noise()
    )


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(space):
    """200 disturbed segmentations of one truth: its FLR, remnant and margin lie in 85-95 %."""
    rng = np.random.default_rng(11)
    empty = space((2.5, 2.0, 2.0), (62, 62, 62))
    true = prepare(
        empty.ball(LIVER, (0, 0, 0), LIVER_MM).ball(LIVER_TUMOUR, TUMOUR_AT, TUMOUR_MM).label_map
    )
    truth = assess_prepared(true, CUT, margin_mm=5)
    error = BoundaryError(liver_mm=1.5, tumour_mm=1.5, correlation_mm=15.0, common=0.0)
    held = []
    for _ in range(200):
        prepared = prepare(disturbed(empty, rng, 1.5, 15.0).label_map)
        said = assess_prepared(prepared, CUT, margin_mm=5)
        found = uncertainty(prepared, CUT, said, error)
        margin = found.margins[0].margin_mm
        held.append(
            (
                found.flr_percent.low <= truth.flr_percent <= found.flr_percent.high,
                found.remnant_ml.low <= truth.remnant_functional_ml <= found.remnant_ml.high,
                margin.low <= 6.0 <= margin.high,
            )
        )
    assert np.mean(held, axis=0) == pytest.approx(0.9, abs=0.05)
