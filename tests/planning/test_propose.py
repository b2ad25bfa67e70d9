import itertools

import numpy as np
import pytest
from scipy import ndimage

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning import UnionResection, WedgeResection, propose
from surgplan.volume import BILIARY, LIVER, LIVER_TUMOUR, VENA_CAVA


@pytest.fixture(scope="module")
def plans(three_tumours):
    return propose(three_tumours, margin_mm=6.0, count=4)


def one_tumour(space, turn=None):
    body = space((2.0, 1.5, 1.5), (42, 34, 34), turn).ellipsoid(LIVER, (0, 0, 0), (40, 32, 30))
    return body.ball(LIVER_TUMOUR, (15, 3, -4), 7).label_map


def resected(label_map, plan):
    centres = label_map.geometry.to_lps(np.argwhere(label_map.whole_liver()))
    return plan.resection.distance_mm(centres) < 0


def test_every_proposal_keeps_the_margin_by_distance_transform(three_tumours, plans):
    tumour = three_tumours.mask(LIVER_TUMOUR)
    away = ndimage.distance_transform_edt(~tumour, sampling=three_tumours.geometry.spacing_mm)
    away = away[three_tumours.whole_liver()]
    assert plans
    for plan in plans:
        stays = ~resected(three_tumours, plan)
        assert away[stays].min() >= 6.0
        assert plan.assessment.clears_tumours
        assert plan.assessment.smallest_margin_mm >= 6.0


def test_proposals_differ_from_each_other(three_tumours, plans):
    assert len(plans) == 4
    assert len({plan.name for plan in plans}) == 4
    taken = [resected(three_tumours, plan) for plan in plans]
    for a, b in itertools.combinations(taken, 2):
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) < 0.95


def test_wedges_keep_the_most_and_come_first(plans):
    kept = [plan.assessment.flr_percent for plan in plans]
    assert kept == sorted(kept, reverse=True)
    assert isinstance(plans[0].resection, WedgeResection)
    assert any(isinstance(plan.resection, UnionResection) for plan in plans)


def test_every_proposal_says_why(plans):
    assert plans
    for plan in plans:
        percent = f"{plan.assessment.flr_percent:.0f} %"
        assert percent in plan.why
        assert plan.why.endswith(".")
    assert "the most of these proposals" in plans[0].why


def test_the_same_seed_gives_the_same_plans(three_tumours, plans):
    assert propose(three_tumours, margin_mm=6.0, count=4) == plans


@pytest.mark.parametrize("turn", [None, 2])
def test_one_tumour_gets_three_proposals(space, turn):
    label_map = one_tumour(space, turn)
    found = propose(label_map, margin_mm=5.0)
    assert len(found) == 3
    assert found[0].name == "wedge"
    assert all(plan.assessment.clears_tumours for plan in found)


def test_the_best_plane_is_as_good_as_any_of_many(space):
    from surgplan.planning import PlaneResection, assess_prepared, prepare
    from surgplan.planning._boundary import boundary_of

    label_map = one_tumour(space)
    found = propose(label_map, margin_mm=5.0, count=8)
    best = max(p.assessment.flr_percent for p in found if isinstance(p.resection, PlaneResection))
    prepared = prepare(label_map)
    surface = boundary_of(label_map.mask(LIVER_TUMOUR), label_map.geometry).points_mm
    for normal in np.random.default_rng(0).normal(size=(60, 3)):
        unit = normal / np.linalg.norm(normal)
        start = (surface @ unit).min() - 5.1
        cut = PlaneResection(point_mm=tuple(unit * start), normal=tuple(unit))
        other = assess_prepared(prepared, cut, margin_mm=5.0)
        assert other.flr_percent <= best + 0.3


def test_a_liver_without_tumours_gets_geometric_halves(space):
    body = space((2.0, 2.0, 2.0), (42, 30, 30)).ellipsoid(LIVER, (0, 0, 0), (40, 28, 26))
    plain = propose(body.label_map)
    assert [plan.name for plan in plain] != []
    assert len(plain) == 3
    assert all("geometric" in plan.name and "geometric" in plan.why for plan in plain)
    halves = {p.name: p.assessment.resected_ml / p.assessment.total_ml for p in plain}
    assert halves["right-half-geometric"] == pytest.approx(0.5, abs=0.02)
    assert halves["left-third-geometric"] == pytest.approx(1 / 3, abs=0.03)
    marked = body.tube(VENA_CAVA, (-6, 29, 0), (0, 0, 1), 5).ball(BILIARY, (-6, -26, -10), 5)
    right = next(p for p in propose(marked.label_map) if p.name.startswith("right"))
    assert "gallbladder to the vena cava" in right.why
    near = body.tube(VENA_CAVA, (9, 29, 0), (0, 0, 1), 5).ball(BILIARY, (9, -26, -10), 5)
    uneven = propose(near.label_map)  # the left half is nearly the left third
    assert len(uneven) == 3
    assert "right-third-geometric" in {plan.name for plan in uneven}
    landmarks = np.array([[-6.0, 29, 0], [-6.0, -26, -10]])
    assert right.resection.distance_mm(landmarks) == pytest.approx(0, abs=1.0)


def test_tumours_everywhere_are_still_cleared_and_flagged(space):
    body = space((2.5, 2.0, 2.0), (42, 30, 30)).ellipsoid(LIVER, (0, 0, 0), (40, 28, 26))
    for x in (-28, -10, 10, 28):
        body = body.ball(LIVER_TUMOUR, (x, 0, 0), 7)
    found = propose(body.label_map, margin_mm=12.0, condition="cirrhosis")
    assert len(found) == 3
    assert all(plan.assessment.clears_tumours for plan in found)
    assert any("below 40 %" in flag for plan in found for flag in plan.assessment.flags)


def test_narrow_margins_get_the_same_kinds(space):
    label_map = one_tumour(space)
    found = propose(label_map, margin_mm=1.0, count=4)
    assert found[0].name == "wedge"
    for plan in found:
        assert plan.assessment.smallest_margin_mm >= 1.0
        assert not any("below the 1 mm" in flag for flag in plan.assessment.flags)


def test_what_fills_up_keeps_liver_too(space):
    body = space((2.5, 2.0, 2.0), (42, 30, 30)).ellipsoid(LIVER, (0, 0, 0), (40, 28, 26))
    for axis, reach in ((0, 32), (1, 21), (2, 19)):  # a plane for all leaves nearly nothing
        for side in (-1, 1):
            body = body.ball(LIVER_TUMOUR, side * reach * np.eye(3)[axis], 4)
    found = propose(body.label_map, margin_mm=3.0, count=40)
    assert len(found) >= 3
    assert min(plan.assessment.flr_percent for plan in found) > 22  # 25, by coarse samples


def test_progress_rises_to_one(space):
    told = []
    propose(one_tumour(space), margin_mm=5.0, progress=lambda f, text: told.append((f, text)))
    fractions = [f for f, _ in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert all(text for _, text in told)


def test_impossible_wishes_are_refused(space):
    label_map = one_tumour(space)
    with pytest.raises(UsageError, match="1 or more"):
        propose(label_map, count=0)
    with pytest.raises(UsageError, match=r"0.5\.\.50"):
        propose(label_map, margin_mm=0)
    with pytest.raises(NothingToDoError):
        propose(space((2.0, 2.0, 2.0), (8, 8, 8)).label_map)
