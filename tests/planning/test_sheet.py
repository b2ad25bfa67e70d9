"""Cuts to look at: where they lie, how large they are, and how they are laid flat."""

import numpy as np
import pytest

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning import (
    BezierResection,
    FreehandResection,
    PlaneResection,
    UnionResection,
    WedgeResection,
    assess_prepared,
    best_plane,
    cut_map,
    cut_sheet,
    prepare,
)
from surgplan.volume import LIVER, LIVER_TUMOUR


def area_mm2(points, triangles):
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    size = np.abs(normals) if normals.ndim == 1 else np.linalg.norm(normals, axis=1)
    return float(size.sum()) / 2


@pytest.fixture(scope="module", params=[None, 3], ids=["straight", "oblique"])
def ball(request, space):
    """A ball of liver, radius 45 mm, with a tumour of 6 mm 20 mm to the left of its middle."""
    body = space((2.0, 1.5, 1.2), (50, 50, 50), turn=request.param)
    body = body.ball(LIVER, (0, 0, 0), 45).ball(LIVER_TUMOUR, (20, 0, 0), 6)
    return prepare(body.label_map)


def test_a_plane_through_a_ball_is_a_disc_of_the_known_area(ball):
    sheet = cut_sheet(ball, PlaneResection(point_mm=(9, 5, 5), normal=(1, 0, 0)))
    assert area_mm2(sheet.points_mm, sheet.triangles) == pytest.approx(
        np.pi * (45**2 - 9**2), rel=0.03
    )
    assert np.abs(sheet.points_mm[:, 0] - 9).max() < 1e-9


def test_the_map_of_a_plane_keeps_distances_and_shows_the_head_up(ball):
    sheet = cut_sheet(ball, PlaneResection(point_mm=(9, 0, 0), normal=(1, 0.2, 0.1)))
    some = np.random.default_rng(0).integers(0, len(sheet.points_mm), (200, 2))
    real = np.linalg.norm(np.diff(sheet.points_mm[some], axis=1)[:, 0], axis=1)
    flat = np.linalg.norm(np.diff(sheet.flat_mm[some], axis=1)[:, 0], axis=1)
    np.testing.assert_allclose(flat, real, atol=1e-6)
    height = sheet.points_mm[:, 2]
    assert np.corrcoef(height, sheet.flat_mm[:, 1])[0, 1] > 0.99


def test_the_map_is_seen_from_the_resected_side(ball):
    for normal in ((1, 0, 0), (-1, 0, 0)):
        sheet = cut_sheet(ball, PlaneResection(point_mm=(0, 0, 0), normal=normal))
        # Who stands left of the cut (LPS +x) and looks right has the front on the left hand.
        towards_back = np.corrcoef(sheet.points_mm[:, 1], sheet.flat_mm[:, 0])[0, 1]
        assert towards_back * normal[0] > 0.99


def test_triangles_face_the_remnant(ball):
    cut = PlaneResection(point_mm=(9, 0, 0), normal=(1, 0, 0))
    sheet = cut_sheet(ball, cut)
    a, b, c = (sheet.points_mm[sheet.triangles[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 0] < 0).all()


def test_margins_are_distances_to_the_tumour(ball):
    sheet = cut_sheet(ball, PlaneResection(point_mm=(4, 0, 0), normal=(1, 0, 0)))
    truth = np.linalg.norm(sheet.points_mm - (20, 0, 0), axis=1) - 6
    np.testing.assert_allclose(sheet.margin_mm, truth, atol=0.8)
    through = cut_sheet(ball, PlaneResection(point_mm=(20, 0, 0), normal=(1, 0, 0)))
    assert through.margin_mm.min() == 0


def test_bands_of_margin_share_out_the_sheet(ball):
    sheet = cut_sheet(ball, PlaneResection(point_mm=(11, 0, 0), normal=(1, 0, 0)))
    bands = [sheet.within(low, high) for low, high in ((-1, 5), (5, 10), (10, 1e7))]
    total = sum(area_mm2(b.points_mm, b.triangles) for b in bands)
    assert total == pytest.approx(area_mm2(sheet.points_mm, sheet.triangles), rel=1e-9)
    assert bands[1].margin_mm.min() >= 5 - 1e-9
    assert bands[1].margin_mm.max() <= 10 + 1e-9


@pytest.mark.parametrize("kind", ["bezier", "freehand", "wedge", "union"])
def test_every_kind_is_as_large_as_the_engine_says_and_lies_on_the_cut(ball, kind):
    plane = PlaneResection(point_mm=(-12, 0, 0), normal=(-1, 0, 0))
    wedge = WedgeResection.on(ball, [1], 8.0)
    bend = BezierResection.from_plane((5, 0, 0), (1, 0, 0), size_mm=100).control_points_mm.copy()
    bend[1:3, 1:3, 0] -= 12
    cuts = {
        "bezier": BezierResection(control_points_mm=bend),
        "freehand": FreehandResection(
            path_mm=np.array([[4.0, -40, 0], [9, 0, 0], [4, 40, 0]]), direction=(0, 0, -1)
        ),
        "wedge": wedge,
        "union": UnionResection(parts=(plane, wedge)),
    }
    sheet = cut_sheet(ball, cuts[kind], step_mm=2.0)
    judged = assess_prepared(ball, cuts[kind], margin_mm=5.0)
    assert area_mm2(sheet.points_mm, sheet.triangles) == pytest.approx(
        judged.cut_area_mm2, rel=0.06
    )
    off = cuts[kind].distance_mm(sheet.points_mm)
    assert np.abs(off).max() < 0.8
    assert judged.smallest_margin_mm == pytest.approx(sheet.margin_mm.min(), abs=0.8)


def test_the_map_of_a_cup_does_not_lie_over_itself(ball):
    sheet = cut_sheet(ball, WedgeResection.on(ball, [1], 8.0), step_mm=2.0)
    a, b, c = (sheet.flat_mm[sheet.triangles[:, k]] for k in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (turn < 0).mean() > 0.97


def test_a_cut_beside_the_liver_is_empty(ball):
    sheet = cut_sheet(ball, PlaneResection(point_mm=(80, 0, 0), normal=(1, 0, 0)))
    assert sheet.is_empty
    assert not cut_map(sheet).on_cut.any()
    assert cut_map(sheet).pixel_of((0, 0, 0)) is None


def test_pixels_of_the_map_know_where_they_are(ball):
    cut = PlaneResection(point_mm=(9, 0, 0), normal=(1, 0, 0))
    flat = cut_map(cut_sheet(ball, cut), pixel_mm=1.0)
    assert flat.on_cut.sum() == pytest.approx(np.pi * (45**2 - 9**2), rel=0.05)
    row, column = flat.pixel_of((9.0, 3.0, -7.0))
    np.testing.assert_allclose(flat.points_mm[row, column], (9, 3, -7), atol=1.0)
    below = flat.pixel_of((9.0, 3.0, -20.0))
    assert below[0] > row


def test_labels_on_the_map_are_those_of_the_voxels(ball):
    cut = PlaneResection(point_mm=(20, 0, 0), normal=(1, 0, 0))
    flat = cut_map(cut_sheet(ball, cut), pixel_mm=0.5)
    labels = flat.labels(ball.label_map)
    assert (labels == LIVER_TUMOUR.label).sum() / 4 == pytest.approx(np.pi * 6**2, rel=0.15)


@pytest.mark.parametrize("step", [0.1, 50.0])
def test_steps_and_pixels_have_limits(ball, step):
    cut = PlaneResection(point_mm=(9, 0, 0), normal=(1, 0, 0))
    with pytest.raises(UsageError, match="step_mm"):
        cut_sheet(ball, cut, step_mm=step)
    with pytest.raises(UsageError, match="pixel_mm"):
        cut_map(cut_sheet(ball, cut), pixel_mm=step)


def test_the_best_plane_clears_the_tumour_and_keeps_most(ball):
    cut = best_plane(ball, margin_mm=5.0)
    judged = assess_prepared(ball, cut, margin_mm=5.0)
    assert judged.clears_tumours
    # A plane across the line through both middles leaves the most of a ball.
    assert np.asarray(cut.normal)[0] > 0.97
    with pytest.raises(NothingToDoError, match="7"):
        best_plane(ball, margin_mm=5.0, tumours=[7])
