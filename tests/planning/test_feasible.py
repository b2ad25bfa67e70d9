import numpy as np
import pytest

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning import (
    BezierResection,
    FreehandResection,
    Hypertrophy,
    PlaneResection,
    TerritoryResection,
    TwoStageResection,
    UnionResection,
    VesselBranch,
    VesselTree,
    WedgeResection,
    assess,
    assess_prepared,
    nearest_feasible,
    prepare,
)
from surgplan.planning._variants import _turned
from surgplan.volume import LIVER, LIVER_TUMOUR

MARGIN_MM = 5.0


@pytest.fixture(scope="module")
def one(space):
    """A tumour on the left, 40 mm from the middle of a liver that is 120 mm wide."""
    body = space((2.0, 1.5, 1.5), (62, 48, 44)).ellipsoid(LIVER, (0, 0, 0), (60, 46, 42))
    return prepare(body.ball(LIVER_TUMOUR, (40, 0, 0), 8).label_map)


@pytest.fixture(scope="module")
def three(three_tumours, plain_trees):
    prepared = prepare(three_tumours)
    assert prepared.perfusions.portal is not None
    return prepared


def branch(parent, label, *points) -> VesselBranch:
    line = np.array(points, float)
    return VesselBranch(
        parent=parent, order=1, label=label, points_mm=line, radius_mm=np.full(len(line), 2.0)
    )


TREE = VesselTree(
    system="portal",
    branches=(
        branch(None, "trunk", (0, 0, -40), (0, 0, -10)),
        branch(0, "right", (0, 0, -10), (-15, 0, 0), (-45, 0, 0)),
        branch(0, "left", (0, 0, -10), (15, 0, 0)),
        branch(2, "front", (15, 0, 0), (40, -25, 0)),
        branch(2, "rear", (15, 0, 0), (40, 25, 0)),
    ),
)


@pytest.fixture(scope="module")
def branched(space, plain_trees):
    """Three tumours on both sides of the two branches of the left portal vein."""
    body = space((2.0, 1.5, 1.5), (62, 48, 44)).ellipsoid(LIVER, (0, 0, 0), (60, 46, 42))
    body = body.ball(LIVER_TUMOUR, (40, 0, 0), 8).ball(LIVER_TUMOUR, (32, 14, 12), 5)
    return prepare(body.ball(LIVER_TUMOUR, (32, 13, -14), 5).label_map, trees=(TREE,))


def left_of(x_mm: float) -> dict:
    """The same flat cut of every kind: what lies to the patient's left of it is resected."""
    plane = PlaneResection(point_mm=(x_mm, 0, 0), normal=(1, 0, 0))
    path = np.array([[x_mm, -60.0, 60.0], [x_mm, -60.0, -60.0]])
    return {
        "plane": plane,
        "bezier": BezierResection.from_plane(plane.point_mm, plane.normal, size_mm=150),
        "freehand": FreehandResection(path_mm=path, direction=(0, 1, 0)),
    }


@pytest.mark.parametrize("kind", ["plane", "bezier", "freehand"])
@pytest.mark.parametrize("begun_mm", [29.0, 34.0])
def test_a_cut_without_its_margin_is_moved_the_way_it_faces(one, kind, begun_mm) -> None:
    begun = left_of(begun_mm)[kind]
    found = nearest_feasible(one, begun, margin_mm=MARGIN_MM)
    assert found.resection.kind == kind
    at = np.array([[27.0, 5.0, 5.0]])  # the tumour ends at 32
    assert found.resection.distance_mm(at)[0] == pytest.approx(0.0, abs=0.5)
    assert found.assessment == assess(one.label_map, found.resection, margin_mm=MARGIN_MM)
    assert found.assessment.clears_tumours
    assert found.assessment.smallest_margin_mm < MARGIN_MM + 0.5
    assert f"moved {begun_mm - 27:.0f} mm" in found.why


def test_where_a_wedge_changes_less_it_is_added_instead(one) -> None:
    begun = left_of(56.0)["plane"]
    found = nearest_feasible(one, begun, margin_mm=MARGIN_MM)
    assert found.resection.parts[0] == begun
    assert "a wedge added around tumour 1; " in found.why


@pytest.mark.parametrize("kind", ["plane", "bezier", "freehand"])
def test_a_cut_through_the_tumour_with_too_much_on_its_side_is_turned(one, kind) -> None:
    whole = left_of(40.0)[kind]
    begun = _turned(whole)
    assert not assess(one.label_map, begun, margin_mm=MARGIN_MM).keeps_enough_liver
    found = nearest_feasible(one, begun, margin_mm=MARGIN_MM)
    assert found.resection.kind == kind
    assert found.resection.distance_mm(np.array([[27.0, 5.0, 5.0]]))[0] == pytest.approx(0, abs=0.5)
    assert "its other side resected, moved 13 mm" in found.why


def test_a_feasible_cut_stays_as_it_is(one) -> None:
    begun = left_of(20.0)["plane"]
    found = nearest_feasible(one, begun, margin_mm=MARGIN_MM)
    assert found.resection == begun
    assert found.why == "Feasible as it was begun."


def test_a_cut_that_takes_too_much_goes_back_and_wedges_take_the_rest(three) -> None:
    begun = PlaneResection(point_mm=(-52, 0, 0), normal=(1, 0, 0))
    assert not assess(three.label_map, begun, margin_mm=MARGIN_MM).keeps_enough_liver
    found = nearest_feasible(three, begun, margin_mm=MARGIN_MM)
    assert isinstance(found.resection, UnionResection)
    plane, wedges = found.resection.parts
    assert plane.normal == begun.normal
    taken = {c.tumour for c in wedges.corridors}
    assert 1 <= len(taken) < 3
    assert found.assessment.clears_tumours
    assert found.assessment.keeps_enough_liver
    assert "added around tumour" in found.why
    again = nearest_feasible(three, found.resection, margin_mm=MARGIN_MM)
    assert again.assessment == found.assessment


def test_a_branch_that_leaves_tumours_is_joined_by_others_that_take_them(branched) -> None:
    begun = TerritoryResection.labelled(TREE, ["front"])
    assert not assess_prepared(branched, begun, margin_mm=MARGIN_MM).clears_tumours
    found = nearest_feasible(branched, begun, margin_mm=MARGIN_MM)
    assert found.resection == TerritoryResection.labelled(TREE, ["front", "rear"])
    assert found.assessment == assess_prepared(branched, found.resection, margin_mm=MARGIN_MM)
    assert "now the territory of front, rear; " in found.why


def test_a_branch_far_from_the_tumours_stays_and_wedges_are_added(branched) -> None:
    begun = TerritoryResection.labelled(TREE, ["right"])
    found = nearest_feasible(branched, begun, margin_mm=MARGIN_MM)
    territory, wedges = found.resection.parts
    assert territory == begun
    assert [c.tumour for c in wedges.corridors] == [1, 2, 3]
    assert found.assessment.clears_tumours
    assert found.assessment.keeps_enough_liver


def test_a_wedge_with_too_small_a_margin_is_laid_anew(one) -> None:
    begun = WedgeResection.on(one, [shape.tumour.id for shape in one.tumours], 2.0)
    found = nearest_feasible(one, begun, margin_mm=MARGIN_MM)
    assert found.assessment.clears_tumours
    assert found.assessment.smallest_margin_mm == pytest.approx(MARGIN_MM, abs=0.5)


def test_where_no_cut_is_feasible_it_says_which_limit_is_missed(three) -> None:
    begun = PlaneResection(point_mm=(0, 0, 0), normal=(1, 0, 0))
    with pytest.raises(
        NothingToDoError, match=r"cleared by 30 mm, at most \d+\.\d % of the .* wan"
    ):
        nearest_feasible(three, begun, margin_mm=30.0)


def test_progress_is_told_and_two_stages_are_refused(one) -> None:
    told = []
    begun = left_of(29.0)["plane"]
    nearest_feasible(one, begun, margin_mm=MARGIN_MM, progress=lambda f, w: told.append((f, w)))
    assert [f for f, _ in told] == sorted(f for f, _ in told)
    assert all(w for _, w in told)
    staged = TwoStageResection(
        first=begun, second=begun, growth=Hypertrophy(factor=1.2, source="a test")
    )
    with pytest.raises(UsageError, match="make each stage feasible"):
        nearest_feasible(one, staged, margin_mm=MARGIN_MM)
