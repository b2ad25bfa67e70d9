import itertools

import numpy as np
import pytest

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning import (
    PlaneResection,
    RehearsalSettings,
    VesselBranch,
    VesselTree,
    WedgeResection,
    rehearse,
    tumours_of,
)
from surgplan.volume import LIVER, LIVER_TUMOUR

RADIUS = 30.0
START = np.array([0.0, -1.0, -1.0]) / np.sqrt(2)
GRIDS = [((1.5, 1.2, 1.2), None), ((2.5, 1.0, 1.0), 3)]
"""A straight and an oblique grid, both anisotropic."""


def tube(start, end, radius, label="", system="portal"):
    points = np.linspace(start, end, 9)
    branch = VesselBranch(label=label, points_mm=points, radius_mm=np.full(9, radius))
    return VesselTree(system=system, branches=(branch,))


def to_arc_mm(y, z):
    """Distance in the plane x = 0 to the third of the circle that faces the start."""
    points = np.stack([y, z], axis=1)
    angle = np.arctan2(points @ (START[2], -START[1]), points @ START[1:])
    beside = np.clip(angle, -np.pi / 3, np.pi / 3)
    turn = np.arctan2(START[2], START[1]) - beside
    foot = RADIUS * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.linalg.norm(points - foot, axis=1)


@pytest.fixture(scope="module", params=GRIDS, ids=["straight", "oblique"])
def ball(request, space):
    spacing, turn = request.param
    body = space(spacing, (33, 33, 33), turn).ball(LIVER, (0, 0, 0), RADIUS)
    return body.ball(LIVER_TUMOUR, (14, 0, 0), 6).label_map


@pytest.fixture(scope="module")
def halved(ball):
    trees = (
        tube((-10, 10, 10), (10, 10, 10), 3.0, "deep"),
        tube((-10, -12, -12), (10, -12, -12), 1.5, "shallow", "hepatic"),
    )
    cut = PlaneResection(point_mm=(0, 0, 0), normal=(1, 0, 0))
    return rehearse(ball, cut, trees, steps=10)


def test_depth_is_the_way_from_the_arc_where_cutting_begins(halved):
    front = halved.front
    assert front.area_mm2.sum() == pytest.approx(np.pi * RADIUS**2, rel=0.01)
    truth = to_arc_mm(front.points_mm[:, 1], front.points_mm[:, 2])
    error = front.depth_mm - truth
    assert np.abs(error).max() < 3.0  # pieces of 2 mm, and voxels at the rim
    assert abs(error.mean()) < 1.0


def test_progress_is_the_share_of_the_area_that_is_divided(halved):
    front = halved.front
    assert front.parts == 1
    assert (np.diff(front.depth_mm) >= 0).all()
    assert (np.diff(front.progress) > 0).all()
    for progress in (0.2, 0.5, 0.8):
        reached = front.reached_mm(progress)[0]
        done = front.area_mm2[front.depth_mm <= reached].sum() / front.area_mm2.sum()
        assert done == pytest.approx(progress, abs=0.01)
    assert front.reached_mm(0.0)[0] == 0.0
    assert front.reached_mm(1.0)[0] == front.depth_mm.max()


def test_vessels_are_met_in_order_where_they_lie(halved):
    shallow, deep = halved.vessels
    assert (shallow.vessel.label, shallow.vessel.system) == ("shallow", "hepatic")
    assert (deep.vessel.label, deep.vessel.system) == ("deep", "portal")
    assert shallow.vessel.point_mm == pytest.approx((0, -12, -12), abs=0.01)
    for vessel, wide in ((shallow, 1.5), (deep, 3.0)):
        _, y, z = vessel.vessel.point_mm
        truth = to_arc_mm(np.array([y]), np.array([z]))[0] - wide
        assert vessel.depth_mm == pytest.approx(truth, abs=3.0)
        away = np.linalg.norm(np.array(vessel.vessel.point_mm) - (14, 0, 0)) - 6 - wide
        assert vessel.tumour == 1
        assert vessel.tumour_mm == pytest.approx(away, abs=0.7)
    assert 0 < shallow.progress < deep.progress < 1


def test_each_vessel_is_met_in_one_step(halved):
    met = [place for step in halved.steps for place in step.vessels]
    assert met == list(range(len(halved.vessels)))
    for before, step in itertools.pairwise(halved.steps):
        for place in step.vessels:
            assert before.progress < halved.vessels[place].progress <= step.progress
    assert [step.progress for step in halved.steps] == pytest.approx(np.linspace(0, 1, 11))
    assert halved.steps[5].opened_mm2 == pytest.approx(np.pi * RADIUS**2 / 2, rel=0.01)


def test_the_book_opens_behind_the_front_only(halved):
    reached = halved.front.reached_mm(0.6)[0]
    deep = halved.front.points_mm[halved.front.depth_mm > reached + 6] + (1.0, 0, 0)
    begin = (RADIUS - 10) * START + (1.0, 0, 0)
    carried = halved.carry(np.vstack([deep, begin, begin - (2.0, 0, 0)]))
    moved = carried.at(0.6) - carried.points_mm
    assert np.abs(moved[:-2]).max() < 1e-9
    behind = reached - 10
    gap = 2 * np.tan(np.radians(12.5)) * behind**2 / (behind + 6)
    assert moved[-2] == pytest.approx((gap, 0, 0), abs=0.8)
    assert (moved[-1] == 0).all()  # the remnant lies still


def test_surfaces_keep_their_volume_and_move_smoothly(halved):
    remnant, before = halved.surfaces(0.0)
    assert remnant.volume_ml == pytest.approx(before.volume_ml, rel=0.03)
    assert (before.points == halved.specimen.points).all()
    slope = 2 * np.tan(np.radians(12.5))
    for progress in np.linspace(0.02, 1.0, 50):
        same, now = halved.surfaces(progress)
        assert same is remnant
        assert now.is_closed
        assert now.volume_ml == pytest.approx(halved.specimen.volume_ml, rel=0.01)
        step = np.diff([halved.front.reached_mm(p)[0] for p in (progress - 0.02, progress)])[0]
        assert np.linalg.norm(now.points - before.points, axis=1).max() <= slope * step + 1e-6
        before = now


def test_no_voxel_is_lost_as_the_cut_opens(ball, halved):
    liver = ball.whole_liver().sum()
    opened = []
    for progress in (0.0, 0.3, 0.7, 1.0):
        labels = halved.label_map(progress)
        counts = np.bincount(labels.array.ravel(), minlength=4)
        assert counts[1:].sum() == liver
        opened.append(labels.array == 3)
    assert not opened[0].any()
    for before, after in itertools.pairwise(opened):
        assert (after | ~before).all()
        assert after.sum() > before.sum()
    index = np.argwhere(opened[-1])
    assert np.abs(labels.geometry.to_lps(index)[:, 0]).max() < 3.0
    assert (labels.array == 2).sum() == pytest.approx(liver / 2, rel=0.15)


def test_the_camera_stands_where_cutting_begins_and_does_not_jump(halved):
    views = [step.view for step in halved.steps]
    for view in views:
        ahead, up = np.array(view.direction), np.array(view.up)
        assert np.linalg.norm(ahead) == pytest.approx(1)
        assert ahead @ START < -0.9
        assert ahead @ up == pytest.approx(0, abs=1e-9)
    places = np.array([view.point_mm for view in views])
    assert (np.diff(places @ START) < 0).all()  # deeper and deeper
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 12


def test_wedges_are_cut_one_after_the_other_all_around(space):
    body = space((2.0, 1.5, 1.5), (52, 34, 34)).ellipsoid(LIVER, (0, 0, 0), (50, 32, 32))
    body = body.ball(LIVER_TUMOUR, (-36, 0, 0), 5).ball(LIVER_TUMOUR, (30, -14, -8), 5)
    label_map = body.label_map
    wedges = WedgeResection.around(label_map, tumours_of(label_map), 5.0)
    found = rehearse(label_map, wedges, steps=20)
    assert found.front.parts == 2
    second = found.front.progress[found.front.part == 1].min()
    assert np.isinf(found.front.reached_mm(second - 0.02)[1])
    assert found.front.points_mm[found.front.part == 0].mean(axis=0)[0] > 0  # nearer to the start
    for part in (0, 1):
        own = found.front.part == part
        heights = wedges.only([part + 1]).distance_mm(found.front.points_mm[own])
        assert np.abs(heights).max() < 3 or part == 0
        assert found.front.depth_mm[own].max() < 40
    assert {step.part for step in found.steps} == {0, 1}
    assert found.steps[-1].view.direction[0] > 0.5  # into the wedge on the right side of the body


def test_a_start_elsewhere_begins_elsewhere(ball):
    cut = PlaneResection(point_mm=(0, 0, 0), normal=(1, 0, 0))
    above = RehearsalSettings(towards_start=(0, 0, 1), opening_deg=40, triangles=2000)
    found = rehearse(ball, cut, steps=4, settings=above)
    first = found.front.points_mm[found.front.depth_mm < 2]
    assert first[:, 2].min() > 0
    assert len(found.specimen.triangles) <= 2200


def test_what_cannot_be_rehearsed_is_refused(ball):
    cut = PlaneResection(point_mm=(100, 0, 0), normal=(1, 0, 0))
    with pytest.raises(NothingToDoError, match="leaves it on one side"):
        rehearse(ball, cut)
    with pytest.raises(UsageError, match="steps"):
        rehearse(ball, cut, steps=0)
    with pytest.raises(UsageError, match="direction"):
        RehearsalSettings(towards_start=(0, 0, 0))
    with pytest.raises(UsageError, match=r"1\.\.90"):
        RehearsalSettings(opening_deg=120)


def test_progress_outside_the_cut_is_refused(halved):
    with pytest.raises(UsageError, match=r"0\.\.1"):
        halved.surfaces(1.5)
