"""Territories against brute force over every piece of every branch."""

from dataclasses import replace

import numpy as np
import pytest

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning import (
    VesselBranch,
    VesselTree,
    choose_couinaud,
    couinaud_from_vessels,
    sides_cut_off,
    territories,
    vessel_trees,
)
from surgplan.planning._border import Border, lay
from surgplan.planning._couinaud_choice import ASKED_FOR
from surgplan.volume import COUINAUD, LIVER, Geometry, LabelMap, label_map_from_masks, reorient

SPACING = (2.0, 1.4, 1.4)


def branch(parent, order, radius, *points, label="", confidence=0.0):
    line = np.array(points, float)
    return VesselBranch(
        parent=parent, order=order, label=label, confidence=confidence,
        points_mm=line, radius_mm=np.full(len(line), float(radius)),
    )  # fmt: skip


PORTAL = VesselTree(
    system="portal",
    branches=(
        branch(None, 1, 4, (0, 0, -24), (0, 0, -8)),
        branch(0, 2, 3, (0, 0, -8), (-14, 4, 0), (-24, 2, 4)),
        branch(0, 2, 2, (0, 0, -8), (12, -4, 0), (24, -2, 6)),
    ),
)
HEPATIC = VesselTree(
    system="hepatic",
    branches=(
        branch(None, 1, 3, (0, 12, 18), (-20, 6, 10)),
        branch(None, 1, 2, (0, 12, 18), (20, -4, 12)),
    ),
)


@pytest.fixture(name="ellipsoid")
def ellipsoid_fixture(space):
    def make(turn=None):
        body = space(SPACING, (36, 28, 28), turn)
        return body.ellipsoid(LIVER, (0, 0, 0), (34, 26, 26)).label_map

    return make


def brute_force(tree, label_map, weight=0.0):
    """Nearest branch by the exact distance to each straight piece, less `weight` * radius^2."""
    inside = label_map.whole_liver()
    points = label_map.geometry.to_lps(np.argwhere(inside))
    away = np.empty((len(tree.branches), len(points)))
    for i, b in enumerate(tree.branches):
        best = np.full(len(points), np.inf)
        for p, q in zip(b.points_mm[:-1], b.points_mm[1:], strict=True):
            share = np.clip((points - p) @ (q - p) / ((q - p) @ (q - p)), 0, 1)
            gap = ((points - p - share[:, None] * (q - p)) ** 2).sum(axis=1)
            best = np.minimum(best, gap - weight * float(b.radius_mm[0]) ** 2)
        away[i] = best
    return inside, away.argmin(axis=0)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def in_grid(found, label_map):
    array = np.zeros(label_map.geometry.shape, dtype=int)
    low = np.rint(label_map.geometry.to_index(found.geometry.to_lps((0, 0, 0)))).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(low, found.array.shape, strict=True))
    array[box] = found.array
    return array


@pytest.mark.parametrize("turn", [None, 3])
@pytest.mark.parametrize(("metric", "weight"), [("euclidean", 0.0), ("radius", 1.0)])
@pytest.mark.parametrize("tree", [PORTAL, HEPATIC], ids=lambda t: t.system)
def test_territories_are_those_of_brute_force(ellipsoid, tree, metric, weight, turn):
    label_map = ellipsoid(turn)
    found = territories(tree, label_map, metric=metric)
    inside, nearest = brute_force(tree, label_map, weight)
    array = in_grid(found, label_map)
    assert ((array > 0) == inside).all()
    for i in range(len(tree.branches)):
        assert dice(array[inside] == i + 1, nearest == i) >= 0.99


def test_metrics_differ_where_calibres_do(ellipsoid):
    label_map = ellipsoid()
    plain, thick = (territories(PORTAL, label_map, metric=m) for m in ("euclidean", "radius"))
    assert thick.branch_ml[0] > 1.02 * plain.branch_ml[0]


def test_volumes_sum_to_the_liver_and_up_the_tree(ellipsoid):
    label_map = ellipsoid(3)
    found = territories(PORTAL, label_map)
    whole = label_map.whole_liver().sum() * label_map.geometry.voxel_volume_mm3 / 1000
    assert found.branch_ml.sum() == pytest.approx(whole, abs=1e-6)
    assert found.downstream_ml[0] == pytest.approx(whole, abs=1e-6)
    assert found.downstream_ml[1] == pytest.approx(found.branch_ml[1])
    behind = found.behind(1).sum() * label_map.geometry.voxel_volume_mm3 / 1000
    assert behind == pytest.approx(found.downstream_ml[1], abs=1e-6)
    rows = found.table()
    assert [r["downstream_ml"] for r in rows] == pytest.approx(found.downstream_ml, abs=1e-3)
    assert not found.array.flags.writeable


def test_geodesic_is_euclidean_in_a_convex_liver(ellipsoid):
    label_map = ellipsoid(3)
    plain, inner = (territories(PORTAL, label_map, metric=m) for m in ("euclidean", "geodesic"))
    assert (plain.array == inner.array).all()


def test_geodesic_goes_round_a_fissure(space):
    """A slit between two branches: what is just across it must not be served through it."""
    body = space(SPACING, (36, 28, 28)).ellipsoid(LIVER, (0, 0, 0), (34, 26, 26))
    slit = (np.abs(body.points[..., 0] - 2) < 3) & (body.points[..., 1] < 12)
    array = body.array.copy()
    array[slit] = 0
    label_map = LabelMap(array=array, geometry=body.geometry, segments=body.label_map.segments)
    tree = VesselTree(
        system="portal",
        branches=(
            branch(None, 1, 3, (-8, -18, 0), (-8, 16, 0)),
            branch(None, 1, 3, (26, 0, 0), (30, 0, 0)),
        ),
    )
    plain, inner = (territories(tree, label_map, metric=m) for m in ("euclidean", "geodesic"))
    points = plain.geometry.to_lps(np.stack(np.indices(plain.array.shape), axis=-1))
    beyond = (plain.array > 0) & (points[..., 0] > 5) & (points[..., 1] < -8)
    assert (plain.array[beyond] == 1).sum() > 100
    assert (inner.array[beyond] == 1).sum() < 0.1 * (plain.array[beyond] == 1).sum()
    own_side = (plain.array > 0) & (points[..., 0] < -1)
    assert (inner.array[own_side] == plain.array[own_side]).all()


def test_refusals(ellipsoid):
    label_map = ellipsoid()
    with pytest.raises(UsageError, match="`metric`"):
        territories(PORTAL, label_map, metric="city block")
    with pytest.raises(NothingToDoError, match="liver"):
        territories(PORTAL, label_map.with_array(np.zeros_like(label_map.array)))


def named(*numbers):
    ends = {2: (24, 8, 12), 3: (26, -10, -4), 4: (6, -16, 0), 5: (-14, -12, -12),
            6: (-20, 10, -12), 7: (-20, 10, 12), 8: (-14, -12, 12), 1: (4, 12, 0)}  # fmt: skip
    kids = [branch(0, 2, 1, (0, 0, -8), ends[n], label=f"P{n}", confidence=0.5) for n in numbers]
    return VesselTree(system="portal", branches=(PORTAL.branches[0], *kids))


VEINS = VesselTree(
    system="hepatic",
    branches=(
        branch(None, 1, 3, (0, 14, 20), (-22, 0, 8), (-26, -2, -4), label="right hepatic vein"),
        branch(None, 1, 3, (0, 14, 20), (-2, -6, 14), (-4, -16, 2), label="middle hepatic vein"),
    ),
)


def test_couinaud_fills_the_liver_with_all_segments(ellipsoid):
    label_map = ellipsoid()
    found = couinaud_from_vessels(label_map, named(*range(1, 9)), VEINS)
    assert found.label_map.labels_present() == list(range(1, 9))
    assert ((found.label_map.array > 0) == label_map.whole_liver()).all()
    assert all(c == pytest.approx(0.5) for c in found.confidence.values())
    index = np.rint(label_map.geometry.to_index(named(6).branches[1].points_mm[-1])).astype(int)
    assert found.label_map.array[tuple(index)] == 6
    x = label_map.geometry.to_lps(np.argwhere(found.label_map.array == 2))[:, 0]
    assert x.mean() > 10
    assert found.label_map.segments == COUINAUD


def test_couinaud_says_what_is_missing(ellipsoid):
    found = couinaud_from_vessels(ellipsoid(), named(2, 4, 5, 6, 7, 8), VEINS)
    assert found.confidence["segment III"] == 0
    assert any("segment III" in line for line in found.explanation)
    with pytest.raises(NothingToDoError, match="left and the right"):
        couinaud_from_vessels(ellipsoid(), named(5, 6, 7, 8), VEINS)


def test_couinaud_on_phantoms_of_known_segments():
    from surgplan.phantom import PhantomSettings, make_phantom

    phantom = make_phantom(PhantomSettings(seed=3, spacing_mm=(4, 2.5, 2.5), lesions=0))
    portal, hepatic = vessel_trees(phantom.label_map)
    found = couinaud_from_vessels(phantom.label_map, portal, hepatic)
    dice = []
    for n in range(1, 9):
        a, b = found.label_map.array == n, phantom.couinaud.array == n
        dice.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert np.mean(dice) > 0.78
    assert min(dice) > 0.5
    assert found.missing_borders == ()


def test_a_border_goes_through_its_marks_and_between_its_sides():
    rng = np.random.default_rng(2)
    border = Border(name="", one=(1,), other=(2,), normal=(1, 0, 0), turn=1.0, tilt=1.0)
    turned = np.array([np.cos(0.2), np.sin(0.2), 0.0])
    cloud = rng.uniform(-40, 40, (600, 3))
    along = (cloud - 5 * turned) @ turned
    marks = cloud - np.outer(along, turned)
    plane = lay(border, marks, np.ones(600), cloud[along > 4], cloud[along < -4])
    assert plane.normal @ turned > 0.999
    assert abs(plane.offset_mm - 5) < 1
    nothing = np.empty((0, 3))
    assert lay(border, nothing, np.empty(0), cloud, nothing) is None
    between = lay(border, nothing, np.empty(0), cloud[along > 4], cloud[along < -4])
    assert (between.side_mm(cloud) > 0)[along > 8].mean() > 0.97


def egg(height_mm=0.0):
    """A liver of 68 x 52 x 52 mm in the middle of a box of 80 x 64 x 64, or above the middle."""
    grid = Geometry.from_spacing(
        shape=(16, 16, 20), spacing_mm=(4, 4, 4), origin_mm=(-38, -30, -30)
    )
    at = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)) - (0, 0, height_mm)
    inside = ((at / (34, 26, 26)) ** 2).sum(axis=-1) < 1
    return label_map_from_masks([(LIVER, inside)], grid)


def segments_like(confidence=1.0, missing=()):
    found = couinaud_from_vessels(SMALL, named(*range(1, 9)), VEINS)
    return replace(
        found, confidence={s.name: confidence for s in COUINAUD}, missing_borders=missing
    )


SMALL = egg()
SURE = {s.name: 0.9 for s in COUINAUD}


def test_the_better_founded_is_chosen_and_says_why():
    shape = choose_couinaud(segments_like(), SURE)
    assert (shape.method, shape.warnings) == ("learned", ())
    assert "network" in shape.why
    cut = choose_couinaud(segments_like(), SURE, cut_off=("upper",))
    assert cut.method == "vessels"
    assert "cut off at the upper edge" in cut.why
    assert "upper edge" in cut.warnings[0]
    unsure = choose_couinaud(segments_like(), SURE | {"segment IV": 0.4})
    assert unsure.method == "vessels"
    assert "segment IV (probability 0.40)" in unsure.why
    neither = choose_couinaud(segments_like(0.1), SURE | {"segment IV": 0.4})
    assert neither.method == "learned"
    assert "unsafe ground" in neither.warnings[0]
    gap = choose_couinaud(segments_like(missing=("of II and III",)), None)
    assert gap.method == "vessels"
    assert "of II and III" in gap.warnings[0]
    assert choose_couinaud(None, SURE).method == "learned"
    assert choose_couinaud(segments_like(), SURE, asked_for="vessels").why == ASKED_FOR
    with pytest.raises(NothingToDoError, match="network"):
        choose_couinaud(None, None)


def test_sides_cut_off_are_named_in_the_patients_words():
    assert sides_cut_off(egg()) == ()
    assert sides_cut_off(egg(10.0)) == ("upper",)
    assert sides_cut_off(reorient(egg(10.0), "LIA")) == ("upper",)
    assert sides_cut_off(egg(-10.0)) == ("lower",)
