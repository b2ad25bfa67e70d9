import numpy as np
import pytest

from surgplan.planning import PlaneResection, UnionResection, assess, tumours_of
from surgplan.planning._boundary import boundary_of
from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_CYST, LIVER_TUMOUR, PORTAL_VEIN, VENA_CAVA

TENTH = (1.0, 0.8, 0.8)


def plane(point, normal) -> PlaneResection:
    return PlaneResection(point_mm=tuple(point), normal=tuple(normal))


@pytest.mark.parametrize("turn", [None, 1, 2, 3])
@pytest.mark.parametrize("radius", [3.0, 6.0, 12.0])
@pytest.mark.parametrize("normal", [(1, 0, 0), (0, 0, 1), (1, 1, 0.5)])
def test_the_margin_of_a_ball_is_met_within_three_tenths_of_a_millimetre(
    space, turn, radius, normal
):
    centre = np.array([1.23, -0.71, 0.37])
    body = space(TENTH, (24, 24, 24), turn).ball(LIVER, (0, 0, 0), 23)
    label_map = body.ball(LIVER_TUMOUR, centre, radius).label_map
    unit = np.asarray(normal) / np.linalg.norm(normal)
    cut = plane(centre - unit * (radius + 4.0), unit)
    (tumour,) = assess(label_map, cut, margin_mm=5).tumours
    assert tumour.resected
    assert tumour.margin_mm == pytest.approx(4.0, abs=0.3)
    assert np.linalg.norm(tumour.at_mm - (centre - unit * radius)) < 0.45 * radius + 1


@pytest.mark.parametrize("spacing", [(1.6, 0.6, 0.6), (2.5, 0.8, 0.8), (5.0, 0.8, 0.8)])
def test_the_boundary_keeps_its_place_on_thick_slices(space, spacing):
    body = space(spacing, (14, 14, 14), 4).ball(LIVER_TUMOUR, (0.4, 0.2, -0.3), 11)
    mask = body.array > 0
    boundary = boundary_of(mask, body.geometry)
    radius = np.linalg.norm(boundary.points_mm - (0.4, 0.2, -0.3), axis=1)
    assert radius.mean() == pytest.approx(11, abs=0.05 * max(spacing))
    assert np.abs(radius - 11).max() < 0.55 * max(spacing)
    assert (boundary.inside(body.points[mask]) > 0).all()
    assert (boundary.inside(body.points[~mask]) < 0).all()


def test_a_single_voxel_is_a_tumour_with_a_boundary(space):
    body = space(TENTH, (8, 8, 8)).ball(LIVER, (0, 0, 0), 8)
    middle = tuple(n // 2 for n in body.array.shape)
    array = body.array.copy()
    array[middle] = LIVER_TUMOUR.label
    centre = body.points[middle]
    label_map = body.label_map.with_array(array)
    (tumour,) = tumours_of(label_map)
    assert tumour.centre_mm == pytest.approx(tuple(centre))
    assert tumour.volume_ml == pytest.approx(0.64e-3)
    cut = plane(centre - np.array([3.0, 0, 0]), (1, 0, 0))
    assert assess(label_map, cut, margin_mm=1).tumours[0].margin_mm == pytest.approx(2.6, abs=0.2)


def test_tumours_are_numbered_by_size_and_cysts_are_none(space):
    body = space((2.0, 1.0, 1.0), (24, 24, 24)).ball(LIVER, (0, 0, 0), 23)
    body = body.ball(LIVER_TUMOUR, (10, 0, 0), 4).ball(LIVER_TUMOUR, (-10, 0, 0), 6)
    small, large = tumours_of(body.ball(LIVER_CYST, (0, 12, 0), 5).label_map)[::-1]
    assert (large.id, small.id) == (1, 2)
    assert large.centre_mm == pytest.approx((-10, 0, 0), abs=0.2)
    assert large.volume_ml == pytest.approx(4 / 3 * np.pi * 0.216, rel=0.1)
    assert large.diameter_mm == pytest.approx(12, abs=1.0)
    assert small.diameter_mm == pytest.approx(8, abs=1.0)


def test_tumours_that_touch_at_a_corner_are_one(space):
    body = space((1.0, 1.0, 1.0), (6, 6, 6)).ball(LIVER, (0, 0, 0), 6)
    array = body.array.copy()
    array[5, 5, 5] = array[6, 6, 6] = LIVER_TUMOUR.label
    assert len(tumours_of(body.label_map.with_array(array))) == 1


def test_a_cut_through_a_tumour_says_how_deep_and_how_much_stays(space):
    body = space(TENTH, (24, 24, 24), 5).ball(LIVER, (0, 0, 0), 23)
    label_map = body.ball(LIVER_TUMOUR, (0, 0, 0), 8).label_map
    assessment = assess(label_map, plane((3, 0, 0), (1, 0, 0)), margin_mm=5)
    (tumour,) = assessment.tumours
    assert tumour.side == "cut through"
    assert tumour.margin_mm == pytest.approx(-11, abs=0.3)
    cap = np.pi * 5**2 * (3 * 8 - 5) / 3 / 1000
    assert assessment.remnant_tumour_ml == pytest.approx(assessment.tumour_ml - cap, abs=0.01)
    assert any("cut through: 11" in flag for flag in assessment.flags)


def test_a_tumour_on_the_wrong_side_is_left_behind(space):
    body = space(TENTH, (24, 24, 24)).ball(LIVER, (0, 0, 0), 23)
    label_map = body.ball(LIVER_TUMOUR, (-9, 0, 0), 4).label_map
    assessment = assess(label_map, plane((3, 0, 0), (1, 0, 0)), margin_mm=5)
    assert assessment.tumours[0].side == "left behind"
    assert assessment.tumours[0].margin_mm == pytest.approx(8, abs=0.3)
    assert not assessment.clears_tumours
    assert any("left behind" in flag for flag in assessment.flags)


def test_areas_near_a_tumour_are_discs(space):
    body = space(TENTH, (30, 30, 30), 6).ball(LIVER, (0, 0, 0), 29)
    label_map = body.ball(LIVER_TUMOUR, (0, 0, 0), 8).label_map
    cut = plane((0, -10.5, 0), (0.2, 1, 0.1))
    height = abs(float(cut.distance_mm(np.zeros((1, 3)))[0]))
    (tumour,) = assess(label_map, cut, margin_mm=5).tumours
    discs = [np.pi * max(0.0, (8 + band) ** 2 - height**2) for band in (1, 5, 10)]
    assert tumour.cut_within_mm2[0] == discs[0] == 0
    assert tumour.cut_within_mm2[1:] == pytest.approx(discs[1:], rel=0.05)


def test_only_the_cut_inside_the_liver_counts(space):
    body = space(TENTH, (30, 20, 20)).ellipsoid(LIVER, (-8, 0, 0), (20, 18, 18))
    label_map = body.ball(LIVER_TUMOUR, (4, 0, 0), 5).label_map
    cut = plane((-20, 0, 0), (1, 0, 0.0))
    union = UnionResection(parts=(cut, plane((28, 0, 0), (1, 0, 0))))  # the second misses the liver
    (tumour,) = assess(label_map, union, margin_mm=5).tumours
    assert tumour.margin_mm == pytest.approx(19, abs=0.3)


@pytest.fixture(scope="module")
def vessels(space):
    body = space((1.5, 1.0, 1.0), (32, 32, 32)).ball(LIVER, (0, 0, 0), 28)
    body = body.tube(PORTAL_VEIN, (-6, 0, 0), (0, 0, 1), 2.5).tube(
        HEPATIC_VEINS, (12, 0, 0), (0, 1, 0), 2.5
    )
    return body.tube(VENA_CAVA, (0, 31, 0), (0, 0, 1), 4).label_map


def test_distances_to_vessels_and_crossings_are_those_of_the_tubes(vessels):
    found = {
        s.name: s for s in assess(vessels, plane((4, 0, 0), (1, 0, 0)), margin_mm=5).structures
    }
    portal, hepatic = found["portal vein"], found["hepatic veins"]
    assert not portal.crossed
    assert portal.distance_mm == pytest.approx(7.5, abs=0.6)
    assert not hepatic.crossed
    assert hepatic.distance_mm == pytest.approx(5.5, abs=0.6)
    across = assess(vessels, plane((0, 0, 2), (0, 0, 1)), margin_mm=5)
    portal = next(s for s in across.structures if s.name == "portal vein")
    assert portal.crossed
    assert portal.distance_mm == 0
    assert portal.crossed_area_mm2 == pytest.approx(np.pi * 2.5**2, rel=0.15)
    assert any("crosses the portal vein" in flag for flag in across.flags)


def test_a_cut_is_continued_five_millimetres_beyond_the_liver(vessels):
    through = assess(vessels, plane((0, 0, 0), (1, 0, 0)), margin_mm=5)
    cava = next(s for s in through.structures if s.name == "inferior vena cava")
    assert cava.crossed
    beside = assess(vessels, plane((14, 0, 0), (1, 0, 0)), margin_mm=5)
    cava = next(s for s in beside.structures if s.name == "inferior vena cava")
    assert not cava.crossed
    edge = np.array([14.0, np.sqrt(28**2 - 14**2)])  # where the cut is nearest to the tube
    assert cava.distance_mm == pytest.approx(np.hypot(*(edge - (0, 31))) - 4, abs=0.9)


def test_a_cut_beside_the_liver_has_no_distance(vessels):
    assessment = assess(vessels, plane((90, 0, 0), (1, 0, 0)), margin_mm=5)
    assert assessment.cut_area_mm2 == assessment.resected_ml == 0
    assert all(s.distance_mm is None and not s.crossed for s in assessment.structures)
