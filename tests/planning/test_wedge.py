import numpy as np
import pytest
from scipy.spatial import cKDTree

from surgplan.errors import CorruptFileError, NothingToDoError, ScanMismatchError, UsageError
from surgplan.planning import WedgeResection, assess, resection_from_dict, tumours_of
from surgplan.volume import LIVER, LIVER_TUMOUR, VENA_CAVA


@pytest.fixture(scope="module", params=[None, 11], ids=["straight", "oblique"])
def one_ball(request, space):
    body = space((1.5, 1.0, 1.0), (42, 34, 34), request.param)
    body = body.ellipsoid(LIVER, (0, 0, 0), (40, 32, 30))
    return body.ball(LIVER_TUMOUR, (3, 2, 12), 7).label_map


@pytest.fixture(scope="module")
def wedge(one_ball):
    return WedgeResection.around(one_ball, tumours_of(one_ball), 8.0)


def frame(wedge):
    """Centre and direction of the only corridor."""
    return np.asarray(wedge.swept[0].centre_mm), np.asarray(wedge.corridors[0].direction)


def test_the_way_out_is_the_shortest_one(wedge):
    centre, direction = frame(wedge)
    sphere = np.random.default_rng(0).normal(size=(20000, 3))
    sphere /= np.linalg.norm(sphere, axis=1)[:, None]
    capsule = sphere * (40, 32, 30) - centre
    reach = np.linalg.norm(capsule, axis=1)
    along = np.linalg.norm(capsule - direction * (capsule @ direction)[:, None], axis=1)
    taken = reach[(capsule @ direction > 0) & (along < 1)].mean()
    assert taken == pytest.approx(reach.min(), abs=1.0)


def test_distances_are_those_of_a_ball_swept_along_a_line(wedge):
    centre, direction = frame(wedge)
    points = np.random.default_rng(3).uniform(-60, 60, (4000, 3))
    along = (points - centre) @ direction
    across = np.linalg.norm(points - centre - along[:, None] * direction, axis=1)
    truth = np.where(along < 0, np.hypot(along, across), across) - 15.0
    truth = np.maximum(truth, along - wedge.corridors[0].end_mm)
    within = np.abs(truth) < 2
    distance = wedge.distance_mm(points)
    assert np.abs(distance - truth)[within].max() < 0.35  # the voxel surface of the tumour itself
    assert np.abs(distance - truth)[truth > -7].max() < 0.9
    assert ((distance < 0) == (truth < 0))[np.abs(truth) > 0.35].all()


def test_distances_far_away_are_those_to_the_cut(wedge):
    swept = wedge.swept[0]
    points = np.random.default_rng(4).uniform(-60, 60, (300, 3))
    local = ((points - swept.centre_mm) @ swept.axes.T).copy()
    outside = (local < swept.low_mm).any(axis=1)
    sheet = cKDTree(swept.sheet.data @ swept.axes + swept.centre_mm)
    below = outside & (local[:, 0] < swept.high_mm[0])
    truth, _ = sheet.query(points[below])
    assert below.sum() > 50
    assert wedge.distance_mm(points[below]) == pytest.approx(truth, abs=1e-6)


def test_no_liver_stays_within_the_margin(one_ball, wedge):
    geometry = one_ball.geometry
    tumour = geometry.to_lps(np.argwhere(one_ball.mask(LIVER_TUMOUR)))
    liver = geometry.to_lps(np.argwhere(one_ball.whole_liver()))
    stays = liver[wedge.distance_mm(liver) > 0.05]
    nearest, _ = cKDTree(tumour).query(stays)
    assert nearest.min() >= 8.0
    (margin,) = assess(one_ball, wedge, margin_mm=8).tumours
    assert margin.resected
    assert margin.margin_mm == pytest.approx(8.0, abs=0.15)


@pytest.mark.parametrize("margin_mm", [1.0, 2.0, 3.5])
def test_narrow_margins_hold_too(one_ball, margin_mm):
    wedge = WedgeResection.around(one_ball, tumours_of(one_ball), margin_mm)
    geometry = one_ball.geometry
    tumour = cKDTree(geometry.to_lps(np.argwhere(one_ball.mask(LIVER_TUMOUR))))
    near = np.random.default_rng(5).uniform(-13, 13, (60000, 3)) + np.array([3, 2, 12])
    distance, _ = tumour.query(near)
    assert (wedge.distance_mm(near[distance <= margin_mm]) <= 0.02).all()
    (margin,) = assess(one_ball, wedge, margin_mm=margin_mm).tumours
    assert margin_mm - 0.25 <= margin.margin_mm <= margin_mm + 0.25


def test_the_piece_comes_out(one_ball, wedge):
    """What is resected stays resected all the way along the corridor."""
    _, direction = frame(wedge)
    geometry = one_ball.geometry
    liver = geometry.to_lps(np.argwhere(one_ball.whole_liver()))
    piece = liver[wedge.distance_mm(liver) < 0]
    for step in (4.0, 10.0, 20.0):
        moved = piece + step * direction
        index = np.round(geometry.to_index(moved)).astype(int)
        inside = ((index >= 0) & (index < geometry.shape)).all(axis=1)
        in_liver = one_ball.whole_liver()[tuple(index[inside].T)]
        assert (wedge.distance_mm(moved[inside][in_liver]) < 0.1).all()


def test_a_wedge_is_smaller_than_a_half_and_larger_than_the_ball(one_ball, wedge):
    assessment = assess(one_ball, wedge, margin_mm=8)
    ball = 4 / 3 * np.pi * 15**3 / 1000
    assert ball * 0.9 < assessment.resected_ml < 0.4 * assessment.total_ml


def test_no_piece_comes_out_towards_the_vena_cava(space):
    body = space((1.5, 1.0, 1.0), (42, 34, 34)).ellipsoid(LIVER, (0, 0, 0), (40, 32, 30))
    free = body.ball(LIVER_TUMOUR, (0, 17, 0), 5)
    barred = free.tube(VENA_CAVA, (0, 37, 0), (1, 0, 0), 6)
    directions = []
    for label_map in (free.label_map, barred.label_map):
        wedge = WedgeResection.around(label_map, tumours_of(label_map), 5.0)
        directions.append(np.asarray(wedge.corridors[0].direction))
    assert directions[0][1] > 0.95
    assert directions[1][1] < 0.9


def test_wedges_around_several_tumours_are_their_union(three_tumours):
    tumours = tumours_of(three_tumours)
    both = WedgeResection.around(three_tumours, tumours[:2], 6.0)
    each = [WedgeResection.around(three_tumours, [t], 6.0) for t in tumours[:2]]
    points = np.random.default_rng(1).uniform(-50, 50, (500, 3))
    smallest = np.minimum(*(w.distance_mm(points) for w in each))
    assert both.distance_mm(points) == pytest.approx(smallest, abs=1e-9)
    assert both.only([2]) == each[1]
    assert not assess(three_tumours, both, margin_mm=6).tumours[2].resected


def test_thin_tumours_get_their_margin_too(space):
    body = space((1.5, 0.8, 0.8), (26, 26, 26)).ball(LIVER, (0, 0, 0), 25)
    thread = (np.abs(body.points[..., 0]) < 0.5) & (np.abs(body.points[..., 1]) < 9)
    thread &= np.abs(body.points[..., 2]) < 0.8
    label_map = body.paint(LIVER_TUMOUR, thread).label_map
    wedge = WedgeResection.around(label_map, tumours_of(label_map), 5.0)
    (margin,) = assess(label_map, wedge, margin_mm=5).tumours
    assert margin.margin_mm == pytest.approx(5.0, abs=0.15)


def test_a_wedge_is_built_again_exactly(one_ball, wedge):
    again = resection_from_dict(wedge.to_dict(), one_ball)
    points = np.random.default_rng(2).uniform(-50, 50, (200, 3))
    assert again == wedge
    assert (again.distance_mm(points) == wedge.distance_mm(points)).all()


def test_lowering_is_a_minimum(wedge):
    points = np.random.default_rng(8).uniform(-50, 50, (300, 3))
    given = np.random.default_rng(9).uniform(-20, 40, 300)
    lowered = given.copy()
    wedge.lower(points, lowered)
    assert lowered == pytest.approx(np.minimum(given, wedge.distance_mm(points)), abs=1e-9)


def test_a_wedge_needs_its_tumours_and_a_sensible_margin(one_ball, wedge):
    tumours = tumours_of(one_ball)
    with pytest.raises(NothingToDoError, match="at least one tumour"):
        WedgeResection.around(one_ball, [], 8.0)
    with pytest.raises(UsageError, match=r"0.5\.\.50"):
        WedgeResection.around(one_ball, tumours, 0.0)
    other = wedge.to_dict()
    other["corridors"][0]["tumour"] = 7
    with pytest.raises(ScanMismatchError, match=r"not \[7\]"):
        resection_from_dict(other, one_ball)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "scissors"},
        {"margin_mm": "8"},
        {"corridors": []},
        {"corridors": [{"tumour": 1}]},
        {"corridors": [{"tumour": 1.5, "end_mm": 3, "direction": [0, 0, 1]}]},
        {"corridors": [{"tumour": 1, "end_mm": 3, "direction": [0, 1]}]},
    ],
)
def test_a_damaged_wedge_is_refused(one_ball, wedge, change):
    with pytest.raises(CorruptFileError):
        resection_from_dict(wedge.to_dict() | change, one_ball)
