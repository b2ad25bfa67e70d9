import numpy as np
import pytest
from scipy.spatial.distance import cdist

from surgplan.planning import BezierResection, PlaneResection, UnionResection, prepare
from surgplan.planning._clusters import Clusters, Look, looks_at, lowest, sides
from surgplan.planning._nearest import nearest_of_voxels
from surgplan.volume import LIVER

PLANE = PlaneResection(point_mm=(3, 1, 0), normal=(1, 0.4, -0.2))
BENT = BezierResection.from_plane((-4, 0, 2), (0.2, 1, 0.3), size_mm=90)
CUTS = (PLANE, BENT, UnionResection(parts=(PLANE, BENT)))


@pytest.fixture(scope="module")
def clusters():
    points = np.random.default_rng(3).normal(scale=(50, 12, 12), size=(8000, 3))
    return Clusters.of(points, 8.0)


def test_every_point_lies_in_the_ball_of_its_cluster(clusters):
    away = np.linalg.norm(clusters.points_mm - clusters.centre_mm[clusters.cluster], axis=1)
    assert (away <= clusters.radius_mm[clusters.cluster] + 1e-9).all()
    assert clusters.radius_mm.max() <= 8.0 * np.sqrt(3)
    assert len(clusters.centre_mm) < len(clusters.points_mm)


@pytest.mark.parametrize("cut", CUTS, ids=lambda c: c.kind)
def test_distances_are_the_cuts_own_within_reach_and_sides_everywhere(clusters, cut):
    true = cut.distance_mm(clusters.points_mm)
    look = Look(clusters, cut)
    for reach in (0.0, 3.0, 12.0):
        found = look.within(reach)
        near = np.abs(true) <= reach
        np.testing.assert_allclose(found[near], true[near], atol=1e-9)
        assert ((found < 0) == (true < 0)).all()
    assert (sides(clusters, cut) == (true < 0)).all()


@pytest.mark.parametrize("cut", CUTS, ids=lambda c: c.kind)
def test_the_highest_and_the_least_are_found(clusters, cut):
    true = cut.distance_mm(clusters.points_mm)
    highest, at = Look(clusters, cut).highest()
    assert highest == pytest.approx(true.max(), abs=1e-9)
    assert at == np.argmax(true)
    look = Look(clusters, cut)
    assert np.abs(look.within(look.least_mm)).min() == pytest.approx(np.abs(true).min(), abs=1e-9)


def test_few_points_are_asked_about(clusters):
    class Counted:
        kind = "plane"
        asked = 0

        def distance_mm(self, points_mm):
            self.asked += len(points_mm)
            return PLANE.distance_mm(points_mm)

        def lower(self, points_mm, distance_mm):
            np.minimum(distance_mm, self.distance_mm(points_mm), out=distance_mm)

    cut = Counted()
    sides(clusters, cut)
    assert cut.asked < 0.5 * len(clusters.points_mm)


@pytest.mark.parametrize("cut", CUTS, ids=lambda c: c.kind)
def test_the_lowest_of_points_is_that_of_all_of_them(cut):
    points = np.random.default_rng(4).uniform(-60, 60, size=(8000, 3))
    clusters = Clusters.of(points, 12.0)
    asked = []

    def distance_mm(points_mm):
        asked.append(len(points_mm))
        return cut.distance_mm(points_mm)

    assert lowest(clusters, distance_mm) == cut.distance_mm(clusters.points_mm).min()
    assert sum(asked) < 0.5 * len(clusters.points_mm)


@pytest.mark.parametrize("cut", CUTS, ids=lambda c: c.kind)
def test_sets_in_regions_know_what_they_know_alone(clusters, cut):
    """Middles that are not asked about change neither sides, nor what is near, nor the highest."""
    other = Clusters.of(clusters.points_mm[::3] + np.array([9.0, -4.0, 2.0]), 5.0)
    regions = Clusters.of(np.concatenate([clusters.centre_mm, other.centre_mm]), 24.0)
    many = looks_at(cut, (clusters, other), regions, (3.0, np.inf))
    assert not np.isfinite(many[0].known).any()
    for look, own in zip(many, (clusters, other), strict=True):
        alone, true = Look(own, cut), cut.distance_mm(own.points_mm)
        assert look.highest() == alone.highest()
        near = np.abs(true) <= 3.0
        np.testing.assert_allclose(look.within(3.0)[near], true[near], atol=1e-9)
        assert ((look.known < 0) == (true < 0)).all()
    assert np.flatnonzero(many[1].nearest_cluster()) == np.argmin(
        np.abs(cut.distance_mm(other.centre_mm))
    )


def test_no_points_are_no_clusters():
    none = Clusters.of(np.zeros((0, 3)), 8.0)
    assert sides(none, PLANE).shape == (0,)


@pytest.mark.parametrize("turn", [None, 5])
def test_the_nearest_of_points_is_that_of_all_of_them(space, turn):
    body = space((2.5, 1.2, 1.2), (22, 18, 20), turn).ellipsoid(LIVER, (0, 0, 0), (20, 16, 18))
    blocks = prepare(body.label_map).blocks
    points = np.random.default_rng(1).normal(scale=(30, 10, 15), size=(300, 3))
    found = nearest_of_voxels(points, blocks)
    assert found.shape == blocks.tissue.shape
    row, column = np.indices(found.shape).reshape(2, -1)
    index = (blocks.first[row] + blocks.offsets[column]).astype(float)
    away = cdist(blocks.geometry.to_lps(index), points)
    chosen = away[np.arange(len(row)), found.ravel()]
    np.testing.assert_allclose(chosen, away.min(axis=1), atol=1e-9)
