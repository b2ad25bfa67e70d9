import itertools

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import qmc

from surgplan.planning import (
    BezierResection,
    PlaneResection,
    WedgeResection,
    assess_prepared,
    cut_liver,
    prepare,
    propose,
)
from surgplan.planning._choose import front_of
from surgplan.planning._families import Families
from surgplan.planning._objectives import ENOUGH_MM, Objectives, Scorer, objectives_of
from surgplan.planning._pareto import non_dominated, spread
from surgplan.planning._plane_family import Scored, TightPlane
from surgplan.planning._samples import Samples
from surgplan.planning._search import sphere
from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_TUMOUR, PORTAL_VEIN, VENA_CAVA

pytestmark = pytest.mark.usefixtures("plain_trees")

MARGIN_MM = 5.0


TREES = {
    PORTAL_VEIN: [
        ((4, 26, -12), (0, 12, -8), 4.0),
        ((0, 12, -8), (-24, 4, -4), 3.0),
        ((-24, 4, -4), (-44, 8, 8), 2.0),
        ((-24, 4, -4), (-38, -12, -12), 2.0),
        ((0, 12, -8), (22, 0, -2), 3.0),
        ((22, 0, -2), (40, 6, 8), 2.0),
        ((22, 0, -2), (34, -16, -6), 2.0),
    ],
    HEPATIC_VEINS: [
        ((-6, 32, 22), (-36, 10, 16), 2.5),
        ((0, 32, 24), (-4, -10, 14), 2.5),
        ((6, 32, 22), (34, 6, 18), 2.5),
    ],
    VENA_CAVA: [((0, 36, -60), (0, 36, 60), 7.0)],
}


def phantom(space, seed):
    """A liver with two vessel trees and one to three tumours, on a grid of its own."""
    rng = np.random.default_rng(seed)
    body = space((rng.uniform(1.5, 2.5), 1.5, 1.5), (58, 44, 40), seed if seed % 2 else None)
    body = body.ellipsoid(LIVER, (0, 0, 0), (56, 42, 38))
    for segment, pieces in TREES.items():
        for start, end, radius in pieces:
            body = body.paint(segment, near_line(body.points, start, end) < radius)
    for _ in range(1 + seed % 3):
        way = rng.normal(size=3)
        centre = 0.7 * way / np.linalg.norm(way) * (56, 42, 38)
        body = body.ball(LIVER_TUMOUR, centre, rng.uniform(4, 8))
    return body.label_map


def near_line(points, start, end):
    way = np.subtract(end, start)
    share = np.clip((points - start) @ way / (way @ way), 0, 1)
    return np.linalg.norm(points - start - share[..., None] * way, axis=-1)


def families_of(label_map, margin_mm=MARGIN_MM, seed=0):
    prepared = prepare(label_map)
    scorer = Scorer.of(prepared, Samples.of(prepared))
    return Families(prepared=prepared, scorer=scorer, margin_mm=margin_mm, seed=seed)


@pytest.fixture(scope="module")
def label_map(space):
    return phantom(space, 1)


@pytest.fixture(scope="module")
def families(label_map):
    return families_of(label_map)


@pytest.fixture(scope="module")
def eight(label_map):
    return propose(label_map, margin_mm=MARGIN_MM, count=8)


def beats(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


def test_non_dominated_rows_are_those_of_brute_force():
    for seed in range(20):
        costs = np.random.default_rng(seed).integers(0, 4, size=(60, 3)).astype(float)
        brute = [
            n
            for n, own in enumerate(costs)
            if not any(beats(other, own) for other in costs)
            and not any((other == own).all() for other in costs[:n])
        ]
        assert non_dominated(costs).tolist() == brute


def test_a_spread_has_the_best_of_each_cost_and_what_lies_far_apart():
    costs = np.array([[0, 9.0], [1, 8.9], [4, 4], [4.1, 3.9], [9, 0]])
    assert spread(costs, 3, []) == [0, 4, 2]
    assert spread(costs, 3, [3]) == [3, 0, 4]
    assert sorted(spread(costs, 9, [])) == [0, 1, 2, 3, 4]


def test_rough_objectives_are_near_the_exact_ones(families):
    prepared, scorer = families.prepared, families.scorer
    ids = [shape.tumour.id for shape in prepared.tumours]
    cuts = [
        PlaneResection(point_mm=(5, 0, 0), normal=(1, 0.5, -0.3)),
        WedgeResection.on(prepared, ids, 6.0),
        BezierResection.on(prepared, ids, 6.0),
    ]
    for cut in cuts:
        exact = objectives_of(prepared, cut, assess_prepared(prepared, cut, margin_mm=5.0))
        rough = scorer.score(cut, 6.0)
        assert rough.flr_percent == pytest.approx(exact.flr_percent, abs=2.0)
        assert rough.downstream_ml == pytest.approx(exact.downstream_ml, rel=1e-9)
        assert rough.cut_area_mm2 == pytest.approx(exact.cut_area_mm2, rel=0.1)
        assert rough.bend == pytest.approx(exact.bend, abs=0.1)
        if not isinstance(cut, PlaneResection):
            assert exact.margin_mm == pytest.approx(6.0, abs=0.3)


def test_bend_is_known_for_a_flat_cut_and_half_a_ball(space):
    body = space((1.5, 1.5, 1.5), (50, 40, 40)).ellipsoid(LIVER, (0, 0, 0), (48, 38, 38))
    label_map = body.ball(LIVER_TUMOUR, (0, 0, 0), 5).label_map
    prepared = prepare(label_map)
    flat = PlaneResection(point_mm=(-20, 0, 0), normal=(1, 1, 0))
    assert objectives_of(prepared, flat, assess_prepared(prepared, flat, margin_mm=1.0)).bend == 0
    wedge = WedgeResection.on(prepared, [1], 8.0)
    said = assess_prepared(prepared, wedge, margin_mm=1.0)
    # A half ball of radius 13 with a wall of a cylinder on it, the length of the corridor in liver.
    bottom = 2 * np.pi * 13**2
    truth = 1 - np.pi * 13**2 / said.cut_area_mm2
    assert said.cut_area_mm2 > bottom
    assert objectives_of(prepared, wedge, said).bend == pytest.approx(truth, abs=0.03)


def test_eight_proposals_none_of_which_beats_another(label_map, eight):
    assert len(eight) == 8
    prepared = prepare(label_map)
    costs = []
    for plan in eight:
        said = plan.assessment
        patches = cut_liver(prepared.blocks, plan.resection).patches.in_liver()
        mean = patches.area_mm2 @ patches.normals / patches.area_mm2.sum()
        behind = 0.0
        for perfusion in prepared.perfusions.each():
            lost = perfusion.lost(plan.resection)
            served = perfusion.node_of[perfusion.node_of >= 0]
            behind += lost[served].sum() * label_map.geometry.voxel_volume_mm3 / 1000
        costs.append(
            (
                -min(said.smallest_margin_mm, 20.0),
                -said.function.flr_percent,
                round(behind, 6),
                said.cut_area_mm2,
                round(1 - float(np.linalg.norm(mean)), 3),
            )
        )
    for a, b in itertools.permutations(costs, 2):
        assert not beats(a, b)
    assert len({plan.resection.kind for plan in eight}) >= 3


def test_every_one_of_eight_is_verified_and_explained(label_map, eight):
    tumour = label_map.mask(LIVER_TUMOUR)
    away = ndimage.distance_transform_edt(~tumour, sampling=label_map.geometry.spacing_mm)
    liver = np.argwhere(label_map.whole_liver())
    for plan in eight:
        stays = plan.resection.distance_mm(label_map.geometry.to_lps(liver)) >= 0
        assert away[tuple(liver[stays].T)].min() > MARGIN_MM
        assert plan.assessment.keeps_enough_liver
        assert "Of these proposals it" in plan.why or "A compromise" in plan.why
    reasons = [plan.why.split("Of these proposals it ")[-1] for plan in eight]
    assert any(
        "keeps the most liver with both portal supply and hepatic drainage" in reason
        for reason in reasons
    )
    assert any("has the smallest cut" in reason for reason in reasons)


def candidate(flr_percent, area_mm2, margin_mm=5.0, left_percent=None):
    objectives = Objectives(
        margin_mm=margin_mm,
        flr_percent=flr_percent,
        downstream_ml=10.0,
        cut_area_mm2=area_mm2,
        bend=0.0,
        left_percent=flr_percent if left_percent is None else left_percent,
    )
    cut = PlaneResection(point_mm=(0, 0, 0), normal=(1, 0, 0))
    return Scored(name="plane", resection=cut, objectives=objectives)


def test_the_front_leaves_out_what_leaves_too_little():
    most, less, beaten = candidate(80.0, 900.0), candidate(50.0, 500.0), candidate(45.0, 600.0)
    little, nothing = candidate(15.0, 100.0), candidate(0.0, 0.0, margin_mm=20.0)
    pool = [most, less, beaten, little, nothing]
    assert front_of(pool, 20.0) == [most, less]
    assert front_of(pool, 60.0) == [most]
    assert front_of([little, nothing], 20.0) == [little]
    assert front_of([nothing], 20.0) == []


def test_where_no_vessels_can_be_trusted_volume_says_what_stays():
    large = candidate(0.0, 900.0, left_percent=60.0)
    small = candidate(0.0, 500.0, left_percent=30.0)
    tiny = candidate(0.0, 100.0, left_percent=2.0)
    assert front_of([large, small, tiny], 25.0) == [small]
    assert front_of([large, small, tiny], 50.0) == [large]
    assert front_of([small, tiny], 50.0) == [small]


def volume(costs, points):
    """Share of points that any row of costs dominates."""
    covered = np.zeros(len(points), dtype=bool)
    for row in costs:
        covered |= (row <= points).all(axis=1)
    return covered.mean()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_hypervolume_is_nearly_that_of_an_exhaustive_grid(space, seed):
    families = families_of(phantom(space, seed), seed=seed)
    found = np.array([s.objectives.costs for s in families.every()])
    margins = np.linspace(MARGIN_MM, ENOUGH_MM, 8)
    grid = [
        TightPlane.of(families.scorer, families.search, direction, margin).objectives.costs
        for direction in sphere(1500, seed + 100)
        for margin in margins
    ]
    ids = [shape.tumour.id for shape in families.prepared.tumours]
    grid += [
        families.scored("", kind.on(families.prepared, ids, margin), margin).objectives.costs
        for kind in (WedgeResection, BezierResection)
        for margin in margins
    ]
    best = np.array(grid)[non_dominated(np.array(grid))]
    low, high = best.min(axis=0), best.max(axis=0)
    high = high + 0.1 * (high - low)  # so that the worst on the front count too
    points = low + qmc.Sobol(5, seed=0).random_base2(16) * (high - low)
    exhaustive = volume(best, points)
    assert exhaustive > 0.01
    assert volume(found, points) >= 0.95 * exhaustive
