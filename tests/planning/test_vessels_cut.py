"""Vessels cut and functional remnant against trees that are known, and a count by brute force."""

from dataclasses import replace

import numpy as np
import pytest

from surgplan.planning import (
    Patient,
    PlaneResection,
    UnionResection,
    VesselBranch,
    VesselTree,
    assess,
    assess_prepared,
    cut_liver,
    functional_remnant,
    prepare,
    vessels_cut,
)
from surgplan.volume import HEPATIC_VEINS, LIVER, LIVER_TUMOUR, PORTAL_VEIN

SPACING = (2.0, 1.4, 1.4)


def branch(parent, order, radius, *points, label=""):
    line = np.array(points, float)
    return VesselBranch(
        parent=parent, order=order, label=label, points_mm=line,
        radius_mm=np.full(len(line), float(radius)),
    )  # fmt: skip


PORTAL = VesselTree(
    system="portal",
    branches=(
        branch(None, 1, 4, (0, 0, -46), (0, 0, -8), label="main portal vein"),
        branch(0, 2, 3, (0, 0, -8), (-14, 4, 0), (-24, 2, 4), label="right portal vein"),
        branch(0, 2, 2, (0, 0, -8), (12, -4, 0), (24, -2, 6), label="left portal vein"),
        branch(1, 3, 1.5, (-24, 2, 4), (-30, 8, 10)),
    ),
)
HEPATIC = VesselTree(
    system="hepatic",
    branches=(
        branch(None, 1, 3, (0, 12, 22), (-20, 6, 10), label="right hepatic vein"),
        branch(None, 1, 2, (0, 12, 22), (20, -4, 12), label="left hepatic vein"),
    ),
)

pytestmark = pytest.mark.usefixtures("plain_trees")
RIGHT = PlaneResection(point_mm=(-8, 0, 0), normal=(-1, 0.1, 0.2))
"""Takes the right of the liver."""


@pytest.fixture(name="liver", scope="module")
def liver_fixture(space):
    def make(turn=None, trees=(PORTAL, HEPATIC)):
        body = space(SPACING, (36, 28, 28), turn).ellipsoid(LIVER, (0, 0, 0), (34, 26, 26))
        return prepare(body.ball(LIVER_TUMOUR, (-18, -8, 2), 5).label_map, trees=trees)

    return make


def crossings_of(tree, resection):
    """Where the pieces of a tree meet a plane, exactly: branch and point."""
    found = []
    for i, b in enumerate(tree.branches):
        d = resection.distance_mm(b.points_mm)
        for k in np.flatnonzero((d[1:] < 0) != (d[:-1] < 0)):
            share = d[k] / (d[k] - d[k + 1])
            found.append((i, b.points_mm[k] + share * (b.points_mm[k + 1] - b.points_mm[k])))
    return found


@pytest.mark.parametrize("turn", [None, 3])
def test_every_crossing_is_found_where_it_is(liver, turn):
    prepared = liver(turn)
    rng = np.random.default_rng(0)
    count = 0
    for _ in range(40):
        cut = PlaneResection(
            point_mm=tuple(rng.uniform(-12, 12, 3)), normal=tuple(rng.normal(size=3))
        )
        found = [v for v in vessels_cut(prepared, cut) if v.at == "cut"]
        wanted = [
            (tree.system, i, point)
            for tree in (PORTAL, HEPATIC)
            for i, point in crossings_of(tree, cut)
            if (point**2 / np.array([34, 26, 26]) ** 2).sum() < 0.9
        ]
        inner = [
            v
            for v in found
            if (np.array(v.point_mm) ** 2 / np.array([34, 26, 26]) ** 2).sum() < 0.9
        ]
        assert len(inner) == len(wanted)
        for system, i, point in wanted:
            (near,) = [v for v in inner if np.linalg.norm(v.point_mm - point) < 0.25]
            tree = PORTAL if system == "portal" else HEPATIC
            assert (near.system, near.branch) == (system, i)
            assert near.order == tree.branches[i].order
            assert near.diameter_mm == pytest.approx(2 * tree.branches[i].radius_mm[0])
            count += 1
    assert count > 30


def test_a_vessel_is_known_by_name_angle_and_what_it_serves(liver):
    prepared = liver()
    portal, hepatic = vessels_cut(prepared, RIGHT)
    assert (portal.label, hepatic.label) == ("right portal vein", "right hepatic vein")
    course = np.array((-14, 4, 8)) / np.linalg.norm((-14, 4, 8))
    angle = np.degrees(np.arccos(abs(course @ RIGHT.normal)))
    assert portal.angle_deg == pytest.approx(angle, abs=1)
    served = prepared.perfusions.portal.downstream_ml
    assert served[0] == pytest.approx(
        prepared.label_map.whole_liver().sum() * prepared.label_map.geometry.voxel_volume_mm3 / 1000
    )
    index = np.argwhere(prepared.liver)
    points = prepared.blocks.geometry.to_lps(index)
    ends = beyond(PORTAL, portal.branch, np.array(portal.point_mm))
    behind = nearest_is(PORTAL, points, ends)
    voxel_ml = prepared.label_map.geometry.voxel_volume_mm3 / 1000
    assert portal.downstream_ml == pytest.approx(behind.sum() * voxel_ml, rel=0.02)


def fine(tree, step=0.1):
    points, owner = [], []
    for i, b in enumerate(tree.branches):
        for p, q in zip(b.points_mm[:-1], b.points_mm[1:], strict=True):
            n = int(np.linalg.norm(q - p) / step) + 1
            points.append(p + np.linspace(0, 1, n)[:, None] * (q - p))
            owner.append(np.full(n, i))
    return np.concatenate(points), np.concatenate(owner)


def beyond(tree, number, point):
    """Which fine points of a tree lie behind a point on a branch."""
    points, owner = fine(tree)
    own = np.flatnonzero(owner == number)
    start = own[np.linalg.norm(points[own] - point, axis=1).argmin()]
    inside = np.isin(owner, [i for i in tree.subtree(number) if i != number])
    inside[start : own[-1] + 1] = True
    return inside


def nearest_is(tree, voxels, chosen):
    points, _ = fine(tree)
    result = np.empty(len(voxels), bool)
    for n in range(0, len(voxels), 500):
        away = ((voxels[n : n + 500, None] - points) ** 2).sum(-1)
        result[n : n + 500] = chosen[away.argmin(axis=1)]
    return result


def test_outside_the_liver_the_cut_meets_nothing(liver):
    below = PlaneResection(point_mm=(0, 0, -30), normal=(0, 0, -1))  # crosses the trunk alone
    assert vessels_cut(liver(), below) == ()


def test_a_vessel_that_enters_what_is_resected_is_divided_at_the_surface(liver):
    lower = PlaneResection(point_mm=(0, 0, -14), normal=(0, 0, -1))
    first, second = vessels_cut(liver(), lower)
    assert (first.at, second.at) == ("liver surface", "cut")
    assert first.label == second.label == "main portal vein"
    assert first.downstream_ml > second.downstream_ml
    assert first.point_mm[2] == pytest.approx(-26, abs=2)


def test_a_trunk_that_is_lost_is_named_wherever_the_cut_meets_it(liver):
    """Also where the cut passes the trunk just before it enters the liver, half a node away."""
    prepared = liver(3)
    surface = prepared.perfusions.portal.nodes.points_mm[prepared.perfusions.portal.inside][:, 2]
    for height in surface.min() + np.linspace(-0.6, 0.6, 25):
        above = PlaneResection(point_mm=(0, 0, height), normal=(0.05, 0.1, 1))
        trunk = [v for v in vessels_cut(prepared, above) if v.label == "main portal vein"]
        assert len(trunk) == 1
        assert trunk[0].point_mm[2] == pytest.approx(surface.min(), abs=1.1)


def test_a_vessel_along_the_cut_is_one_and_one_that_weaves_is_several(liver):
    wave = np.stack(
        [np.linspace(-20, 20, 81), 0.3 * np.sin(np.linspace(0, 60, 81)), np.full(81, 5.0)], axis=1
    )
    long_wave = wave * (1, 10, 1)
    long_wave[:, 1] = 3 * np.sin(np.linspace(0.1, 9.3, 81))
    cut = PlaneResection(point_mm=(0, 0, 0), normal=(0, 1, 0))
    for line, many in ((wave, 10), (long_wave, 2)):
        tree = VesselTree(system="portal", branches=(branch(None, 1, 2.0, *line),))
        found = [v for v in vessels_cut(liver(trees=(tree,)), cut) if v.at == "cut"]
        assert len(found) == pytest.approx(many, abs=0 if many == 2 else 2)
        gaps = np.diff(sorted(v.point_mm[0] for v in found))
        assert (gaps > 3.5).all()


def counted(prepared, resection):
    """Millilitres healthy, devascularised, congested, both: voxel by voxel, in 5^3 parts each."""
    geometry = prepared.blocks.geometry
    index = np.argwhere(prepared.liver)
    parts = (np.stack(np.meshgrid(*[np.arange(5)] * 3), -1).reshape(-1, 3) + 0.5) / 5 - 0.5
    voxels = geometry.to_lps(index)
    stays = np.mean([resection.distance_mm(geometry.to_lps(index + p)) >= 0 for p in parts], axis=0)
    lost = []
    for tree in (PORTAL, HEPATIC):
        points, owner = fine(tree)
        inside = (points**2 / np.array([34, 26, 26]) ** 2).sum(axis=1) < 1
        taken = inside & (resection.distance_mm(points) < 0)
        gone = np.zeros(len(points), bool)
        for start in np.flatnonzero(taken):
            gone |= beyond(tree, owner[start], points[start])
        lost.append(nearest_is(tree, voxels, gone))
    code = lost[0] + 2 * lost[1]
    return np.bincount(code, stays, minlength=4) * geometry.voxel_volume_mm3 / 1000


@pytest.mark.parametrize("turn", [None, 3])
def test_the_remnant_is_divided_as_by_brute_force(liver, turn):
    prepared = liver(turn)
    found = functional_remnant(prepared, RIGHT)
    wanted = counted(prepared, RIGHT)
    classes = [found.healthy_ml, found.devascularised_ml, found.congested_ml, found.both_ml]
    assert classes == pytest.approx(wanted, abs=0.5)
    assert min(wanted) > 0.1


def test_the_classes_sum_to_the_remnant(liver):
    prepared = liver(3)
    rng = np.random.default_rng(1)
    for _ in range(10):
        cut = PlaneResection(
            point_mm=tuple(rng.uniform(-12, 12, 3)), normal=tuple(rng.normal(size=3))
        )
        said = assess_prepared(prepared, cut, margin_mm=1)
        f = said.function
        total = f.healthy_ml + f.devascularised_ml + f.congested_ml + f.both_ml
        assert total == pytest.approx(said.remnant_ml, abs=1e-6)
        assert f.functional_ml <= said.remnant_functional_ml + 1e-9
        assert f.flr_percent == pytest.approx(100 * f.functional_ml / said.functional_ml)


def test_tumour_left_behind_is_not_functional(liver):
    prepared = liver()
    left = PlaneResection(point_mm=(8, 0, 0), normal=(1, 0, 0))
    f = functional_remnant(prepared, left)
    tumour_ml = prepared.label_map.volume_ml(LIVER_TUMOUR)
    assert f.healthy_ml - f.functional_ml == pytest.approx(tumour_ml, rel=1e-6)


def test_a_large_remnant_without_its_vessels_is_flagged(liver):
    trunk = PlaneResection(point_mm=(0, 0, -12), normal=(0, 0, -1))
    said = assess_prepared(liver(), trunk, margin_mm=1)
    assert said.flr_percent > 70
    assert said.function.flr_percent < 1
    assert any("keeps both portal supply and hepatic drainage: below 25 %" in f for f in said.flags)
    small = Patient(height_cm=60, weight_kg=6)  # so that the remnant is enough for every threshold
    told = assess_prepared(liver(), trunk, margin_mm=1, patient=small)
    (flag,) = (f for f in told.flags if "keeps both" in f)
    assert len(told.verdicts) > 1
    assert all(v.name in flag for v in told.verdicts if v.passed)
    spared = PlaneResection(point_mm=(20, 0, 0), normal=(1, 0, 0))
    assert not any("keeps both" in f for f in assess_prepared(liver(), spared, margin_mm=1).flags)


def test_a_missing_system_is_said_and_never_zero(space, liver):
    alone = functional_remnant(liver(trees=(PORTAL,)), RIGHT)
    assert alone.missing == ("not assessed: no hepatic veins among the trees",)
    assert alone.congested_ml is alone.both_ml is None
    assert alone.devascularised_ml > 0
    body = space(SPACING, (36, 28, 28)).ellipsoid(LIVER, (0, 0, 0), (34, 26, 26))
    bare = assess(body.label_map, RIGHT, margin_mm=1)
    assert bare.function is None
    assert bare.vessels_cut == ()
    assert bare.not_assessed == (
        "not assessed: no portal vein in the labels",
        "not assessed: no hepatic veins in the labels",
    )
    tube = body.tube(PORTAL_VEIN, (0, 0, 0), (1, 0.2, 0.4), 3)
    away = np.linalg.norm(body.points - (8, 14, 0), axis=-1)
    speck = tube.paint(HEPATIC_VEINS, away == away.min())
    said = assess(speck.label_map, RIGHT, margin_mm=1)
    assert said.not_assessed == ("not assessed: only fragments of the hepatic veins",)
    assert {v.system for v in said.vessels_cut} == {"portal"}
    assert said.function.congested_ml is None


@pytest.mark.parametrize(("half_mm", "served"), [(10, False), (30, True)])
def test_a_fragment_of_a_vein_serves_no_liver(space, half_mm, served):
    body = space(SPACING, (36, 28, 28)).ellipsoid(LIVER, (0, 0, 0), (34, 26, 26))
    body = body.tube(PORTAL_VEIN, (0, 0, 0), (1, 0.2, 0.4), 3)
    near = (np.abs(body.points - (0, 10, 0)) < (half_mm, 3, 3)).all(axis=-1)
    said = assess(body.paint(HEPATIC_VEINS, near).label_map, RIGHT, margin_mm=1)
    assert (said.not_assessed == ()) is served
    if not served:
        assert said.not_assessed == ("not assessed: only fragments of the hepatic veins",)
        assert said.function.congested_ml is None


def test_unions_count_what_any_part_takes(liver):
    prepared = liver()
    left = PlaneResection(point_mm=(14, 0, 0), normal=(1, 0, 0.2))
    both = UnionResection(parts=(RIGHT, left))
    points = {v.point_mm for v in vessels_cut(prepared, both)}
    assert points == {v.point_mm for part in both.parts for v in vessels_cut(prepared, part)}
    f = functional_remnant(prepared, both, cut=cut_liver(prepared.blocks, both))
    assert f.functional_ml < functional_remnant(prepared, left).functional_ml


def test_trees_of_the_labels_give_the_same_cuts(space):
    """The whole way: tubes painted, trees taken from them, a cut through both."""
    body = space((1.0, 0.8, 0.8), (40, 30, 26)).ellipsoid(LIVER, (0, 0, 0), (38, 28, 24))
    body = body.tube(PORTAL_VEIN, (0, -6, 0), (1, 0.3, 0.1), 3.2)
    body = body.tube(HEPATIC_VEINS, (0, 9, 4), (1, -0.2, 0.3), 2.1)
    prepared = prepare(body.label_map)
    cut = PlaneResection(point_mm=(4, 0, 0), normal=(1, 0.2, 0.4))
    portal, hepatic = (v for v in vessels_cut(prepared, cut) if v.at == "cut")
    for vessel, start, course, radius in (
        (portal, (0, -6, 0), (1, 0.3, 0.1), 3.2),
        (hepatic, (0, 9, 4), (1, -0.2, 0.3), 2.1),
    ):
        unit = np.array(course) / np.linalg.norm(course)
        normal = np.array(cut.normal)
        t = (np.array(cut.point_mm) - start) @ normal / (unit @ normal)
        assert np.linalg.norm(vessel.point_mm - (start + t * unit)) < 0.5
        assert vessel.diameter_mm == pytest.approx(2 * radius, abs=0.5)
        assert vessel.angle_deg == pytest.approx(np.degrees(np.arccos(unit @ normal)), abs=4)


def test_perfusion_knows_the_node_of_any_point(liver):
    perfusion = liver().perfusions.portal
    nodes = perfusion.nodes
    assert (nodes.above < np.arange(len(nodes.above))).all()
    assert (perfusion.nearest(nodes.points_mm) == np.arange(len(nodes.end))).all()
    assert perfusion.lost(RIGHT).sum() < perfusion.lost(replace(RIGHT, point_mm=(9, 0, 0))).sum()
