import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning import (
    FreehandResection,
    Plan,
    PlaneResection,
    assess,
    cut_liver,
    plan_from_json,
    plan_to_json,
    plan_to_mrk_json,
    prepare,
    replay,
    resection_from_dict,
)
from surgplan.volume import LIVER

DOWN = (0.0, 0.0, -1.0)


def path_of(xy, heights=0.0):
    xy = np.asarray(xy, dtype=float)
    return np.column_stack([xy, np.broadcast_to(heights, len(xy))])


def cut_of(xy, direction=DOWN, heights=0.0) -> FreehandResection:
    return FreehandResection(path_mm=path_of(xy, heights), direction=direction)


BEND = [(-40, -10), (-15, 5), (0, -12), (20, 15), (45, 12)]


def one_by_one(xy, points):
    """Distance of each point to each piece in turn; the ends as very long pieces."""
    xy = np.asarray(xy, dtype=float)
    first, last = xy[0] - xy[1], xy[-1] - xy[-2]
    far = [xy[0] + 1e4 * first / np.linalg.norm(first), xy[-1] + 1e4 * last / np.linalg.norm(last)]
    corners = [far[0], *xy, far[1]]
    least = np.full(len(points), np.inf)
    for a, b in pairwise(corners):
        t = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        least = np.minimum(least, np.linalg.norm(points - a - t[:, None] * (b - a), axis=1))
    return least


def left_of(xy, points):
    """By crossings of a line straight up: left of a path that runs from -x to +x is above it."""
    xy = np.asarray(xy, dtype=float)
    x = np.concatenate([[xy[0, 0] - 1e4], xy[:, 0], [xy[-1, 0] + 1e4]])
    slopes = [(xy[1] - xy[0]), (xy[-1] - xy[-2])]
    ends = [
        xy[0, 1] - 1e4 * slopes[0][1] / slopes[0][0],
        xy[-1, 1] + 1e4 * slopes[1][1] / slopes[1][0],
    ]
    return points[:, 1] > np.interp(points[:, 0], x, [ends[0], *xy[:, 1], ends[1]])


@pytest.mark.parametrize("dense", [False, True])
def test_distances_are_those_to_the_extruded_path(dense):
    xy = np.array(BEND, dtype=float)
    if dense:  # the same path of many pieces
        at = np.linspace(0, len(xy) - 1, 16 * (len(xy) - 1) + 1)
        xy = np.column_stack([np.interp(at, np.arange(len(xy)), xy[:, axis]) for axis in (0, 1)])
    points = np.random.default_rng(0).uniform(-120, 120, (4000, 3))
    distance = cut_of(xy, heights=np.linspace(30, 50, len(xy))).distance_mm(points)
    assert np.abs(distance) == pytest.approx(one_by_one(BEND, points[:, :2]), abs=1e-9)
    assert ((distance < 0) == left_of(BEND, points[:, :2])).all()


def test_a_straight_path_is_a_plane():
    direction = np.array([0.2, -0.3, -1.0])
    path = np.array([[-20.0, 3, 40], [5, 8, 44], [30, 13, 48]])
    normal = np.cross(path[1] - path[0], direction)
    plane = PlaneResection(point_mm=tuple(path[0]), normal=tuple(normal))
    points = np.random.default_rng(1).uniform(-200, 200, (2000, 3))
    cut = FreehandResection(path_mm=path, direction=tuple(direction))
    assert cut.distance_mm(points) == pytest.approx(plane.distance_mm(points), abs=1e-9)


def test_left_is_left_for_one_who_looks_along_the_direction():
    """From the front, towards the back: up the patient, what is left is the patient's right."""
    path = np.array([[0.0, -90, -30], [0, -90, 30]])
    cut = FreehandResection(path_mm=path, direction=(0, 1, 0))
    assert cut.distance_mm(np.array([[-10.0, 0, 0], [10.0, 0, 0]])).tolist() == [-10, 10]
    back = FreehandResection(path_mm=path[::-1], direction=(0, 1, 0))
    assert back.distance_mm(np.array([[-10.0, 0, 0]])).tolist() == [10]


def test_depth_along_the_direction_does_not_matter():
    points = np.random.default_rng(2).uniform(-60, 60, (500, 3))
    cut = cut_of(BEND)
    deeper = cut.distance_mm(points + 37.0 * np.array(DOWN))
    assert deeper == pytest.approx(cut.distance_mm(points), abs=1e-9)
    upside_down = FreehandResection(path_mm=cut.path_mm, direction=(0, 0, 2))
    assert upside_down.distance_mm(points) == pytest.approx(-cut.distance_mm(points), abs=1e-9)


def test_ends_go_on_the_way_of_their_last_ten_millimetres():
    xy = [(-30, 0), (-20, 0), (20, 0), (28, 6), (28.1, 6)]  # the hand slips at the very end
    points = np.array([[-90.0, 4, 0]])
    assert cut_of(xy).distance_mm(points) == pytest.approx(-4.0)
    before = np.array([20.0, 0]) + 0.1 / 10 * np.array([8, 6])
    way = np.array([28.1, 6]) - before
    beyond = np.array([[*(np.array([28.1, 6]) + 50 * way / np.linalg.norm(way)), 0]])
    assert cut_of(xy).distance_mm(beyond) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(-25, 25), min_size=3, max_size=9), st.integers(0, 99))
def test_nothing_jumps(heights, seed):
    xy = np.column_stack([np.linspace(-50, 50, len(heights)), np.array(heights) * 0.8])
    rng = np.random.default_rng(seed)
    turn = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    cut = FreehandResection(path_mm=path_of(xy) @ turn.T, direction=tuple(turn @ DOWN))
    points = rng.uniform(-90, 90, (400, 3))
    moved = points + rng.normal(size=points.shape)
    before, after = (cut.distance_mm(p @ turn.T) for p in (points, moved))
    assert (np.abs(after - before) <= np.linalg.norm(moved - points, axis=1) + 1e-9).all()
    assert np.abs(before) == pytest.approx(np.abs(cut_of(xy).distance_mm(points)), abs=1e-8)


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 0.8), (2.5, 0.8, 0.8), (5.0, 0.8, 0.8)], ids=str)
@pytest.mark.parametrize("turn", [None, 5], ids=["straight", "oblique"])
def test_a_corner_takes_its_part_of_an_ellipsoid(space, spacing, turn):
    half = (40.0, 30.0, 26.0)
    liver = prepare(space(spacing, half, turn).ellipsoid(LIVER, (0, 0, 0), half).label_map)
    corner = cut_of([(-60, 5), (4, 5), (4, 70)])  # above y = 5 and left of x = 4
    resected, remnant = (
        m[:8].sum() / 1000
        for m in (lambda c: (c.resected_mm3, c.remnant_mm3))(cut_liver(liver.blocks, corner))
    )
    step = 0.1
    x, y = (np.arange(-h + step / 2, h, step) for h in half[:2])
    tall = 2 * half[2] * np.sqrt(np.maximum(1 - (x[:, None] / 40) ** 2 - (y / 30) ** 2, 0))
    truth = tall[np.ix_(x < 4, y > 5)].sum() * step**2 / 1000
    whole = 4 / 3 * np.pi * np.prod(half) / 1000
    voxels = liver.liver.sum() * liver.blocks.geometry.voxel_volume_mm3 / 1000
    assert resected == pytest.approx(truth, abs=0.003 * whole)
    assert resected + remnant - voxels == pytest.approx(0, abs=0.01)


def test_a_plan_with_a_path_is_written_read_and_replayed(three_tumours):
    path = path_of(np.array(BEND) * (0.9, 1) + (0, 4), 44.0)
    cut = FreehandResection(path_mm=path, direction=(0.1, 0.2, -1.0))
    plan = Plan(
        name="freehand",
        resection=cut,
        assessment=assess(three_tumours, cut, margin_mm=5),
        labels_fingerprint=three_tumours.fingerprint(),
    )
    again = plan_from_json(plan_to_json(plan), three_tumours)
    assert again == plan
    assert hash(again.resection) == hash(cut)
    assert again.resection != cut_of(BEND)
    assert replay(again, three_tumours).exact
    curve, depth = json.loads(plan_to_mrk_json(plan))["markups"]
    assert [p["position"] for p in curve["controlPoints"]] == path.tolist()
    ends = np.array([p["position"] for p in depth["controlPoints"]])
    assert ends[1] - ends[0] == pytest.approx(100 * np.array(cut.direction))


def test_lowering_is_a_minimum():
    points = np.random.default_rng(8).uniform(-50, 50, (300, 3))
    given = np.random.default_rng(9).uniform(-20, 40, 300)
    lowered = given.copy()
    cut_of(BEND).lower(points, lowered)
    assert lowered == pytest.approx(np.minimum(given, cut_of(BEND).distance_mm(points)))
    assert cut_of(BEND).distance_mm(np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("xy", "words"),
    [
        ([(0, 0), (40, 0), (40, 30), (20, 30), (20, -30)], "cross themselves"),
        ([(0, 0), (40, 0), (10, 0)], "cross themselves"),  # straight back
        ([(-40, 0), (-20, 40), (20, 40), (-15, 0)], "cross themselves"),
        ([(-40, 0), (-60, 40), (60, 40), (40, 0), (20, -40)], "cross themselves"),  # its ends do
        ([(5, 5), (5, 5)], "have a length"),
        ([(5, 5)], "2 points or more"),
        ([(5, 5), (np.nan, 5)], "finite"),
    ],
)
def test_paths_without_two_sides_are_refused(xy, words):
    with pytest.raises(UsageError, match=words):
        cut_of(xy)


def test_points_drawn_twice_and_open_bends_are_fine():
    twice = cut_of([(0, 0), (0, 0), (40, 0), (40, 0), (50, 9), (50, 9)])
    once = cut_of([(0, 0), (40, 0), (50, 9)])
    points = np.random.default_rng(3).uniform(-60, 60, (200, 3))
    assert twice.distance_mm(points) == pytest.approx(once.distance_mm(points), abs=1e-9)
    opening = cut_of([(-20, -40), (-15, 0), (0, 15), (15, 0), (20, -40)])
    assert opening.distance_mm(np.array([[0.0, -60, 0]]))[0] > 0


@pytest.mark.parametrize("direction", [(0, 0, 0), (0, np.inf, 1), (0, 1)])
def test_directions_must_point_somewhere(direction):
    with pytest.raises(UsageError, match="direction"):
        cut_of(BEND, direction=direction)
    with pytest.raises(UsageError, match="have a length"):
        FreehandResection(path_mm=np.array([[0, 0, 0], [0, 0, 9.0]]), direction=DOWN)


@pytest.mark.parametrize(
    "change",
    [
        {"path_mm": None},
        {"path_mm": []},
        {"path_mm": [[0, 0, 0], [1, 2]]},
        {"path_mm": [[0, 0, 0], [1, 2, "a"]]},
        {"path_mm": [[0, 0, 0]]},
        {"direction": [0, 0]},
        {"direction": [0, 0, 0]},
    ],
)
def test_a_damaged_path_is_refused(three_tumours, change):
    with pytest.raises(CorruptFileError):
        resection_from_dict(cut_of(BEND).to_dict() | change, three_tumours)
