"""Trees taken from masks of tubes whose course, radius and branching are known."""

import json
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from surgplan.errors import CorruptFileError, NothingToDoError, UsageError
from surgplan.phantom import Branch as TrueBranch
from surgplan.phantom import PhantomSettings, make_phantom
from surgplan.phantom import VesselTree as TrueTree
from surgplan.planning import (
    TreeSettings,
    VesselBranch,
    VesselTree,
    cut_branch,
    join_trees,
    relabel,
    separate_vessels,
    vessel_tree,
    vessel_trees,
)
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
)

SEGMENTS = (LIVER, PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA)
LIVER_HALF_AXES = np.array([48.0, 40.0, 36.0])


def branch(label, parent, order, radius, *points):
    return TrueBranch(
        label=label, order=order, parent=parent, points_mm=np.array(points, float), radius_mm=radius
    )


PORTAL = TrueTree(
    system="portal",
    branches=(
        branch("main", None, 1, 4.5, (-2, 4, -56), (0, 2, -30), (0, 0, -6)),
        branch("right", 0, 2, 3.4, (0, 0, -6), (-12, 2, -3), (-20, 2, 0)),
        branch("left", 0, 2, 3.0, (0, 0, -6), (14, -6, -2), (24, -10, 0)),
        branch("anterior", 1, 3, 2.6, (-20, 2, 0), (-27, -12, 8), (-30, -16, 14)),
        branch("posterior", 1, 3, 2.6, (-20, 2, 0), (-28, 16, -4), (-32, 18, -10)),
        branch("lateral", 2, 3, 2.2, (24, -10, 0), (34, -4, 8)),
        branch("medial", 2, 3, 2.2, (24, -10, 0), (20, -22, -8)),
    ),
)
CAVA = (np.array([(0, 30, -60), (0, 28, 60)], float), 9.0)
HEPATIC = TrueTree(
    system="hepatic",
    branches=(
        branch("right hepatic vein", None, 1, 3.2, (0, 26, 26), (-20, 10, 16), (-36, 2, 6)),
        branch("middle hepatic vein", None, 1, 2.8, (0, 26, 26), (-4, -8, 22), (-8, -26, 8)),
        branch("left hepatic vein", None, 1, 2.6, (0, 26, 26), (14, 2, 20), (32, -10, 14)),
    ),
)


def grid(spacing_mm, turn=None):
    """A box around the origin, straight or turned."""
    half = np.array([62.0, 52.0, 52.0])
    axes = np.eye(3)[:, ::-1]
    if turn is not None:
        axes = Rotation.from_rotvec(turn).as_matrix() @ axes
    shape = tuple(int(n) for n in np.ceil(2 * half / np.asarray(spacing_mm)))
    affine = np.eye(4)
    affine[:3, :3] = axes * np.asarray(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape=shape, affine=affine)


def points_of(geometry):
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return geometry.to_lps(index).reshape(-1, 3)


def tube(points, line, radius):
    """Voxels within a radius of a line, by the distance to each of its pieces."""
    inside = np.zeros(len(points), dtype=bool)
    for a, b in pairwise(line):
        share = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        inside |= np.linalg.norm(points - a - share[:, None] * (b - a), axis=1) <= radius
    return inside


def body(geometry, *, portal=PORTAL, hepatic=HEPATIC, cava=CAVA, erased=None, added=()):
    """A label map of an ellipsoid with tubes; `erased` and `added` say where it is damaged."""
    points = points_of(geometry)
    array = np.zeros(len(points), dtype=np.uint8)
    array[((points / LIVER_HALF_AXES) ** 2).sum(axis=1) < 1] = LIVER.label
    if cava is not None:
        array[tube(points, *cava)] = VENA_CAVA.label
    for tree, segment in ((hepatic, HEPATIC_VEINS), (portal, PORTAL_VEIN)):
        for b in () if tree is None else tree.branches:
            array[tube(points, b.points_mm, b.radius_mm)] = segment.label
    for line, radius in added:
        array[tube(points, np.asarray(line, float), radius)] = PORTAL_VEIN.label
    if erased is not None:
        hole = erased(points) & (array == PORTAL_VEIN.label)
        array[hole] = LIVER.label
    return LabelMap(array=array.reshape(geometry.shape), geometry=geometry, segments=SEGMENTS)


def nearest_to(tree, points):
    samples, owner, radius = tree.samples(0.5)
    away, near = cKDTree(samples).query(points)
    return away, owner[near], radius[near]


def outside_others(truth, number):
    """Points of a branch that lie in no other vessel of the tree."""
    own = truth.branches[number].samples_mm(0.5)
    keep = np.ones(len(own), dtype=bool)
    for i, other in enumerate(truth.branches):
        if i != number:
            gap = cKDTree(other.samples_mm(0.5)).query(own)[0]
            keep &= gap > other.radius_mm + 1.0
    return own[keep]


def assert_is_found(tree, truth, *, off_mm, radius_mm, inside=None):
    for number, b in enumerate(truth.branches):
        own = outside_others(truth, number)
        own = own if inside is None else own[inside(own)]
        for end in b.points_mm[[0, -1]]:  # thinning leaves the ends short
            own = own[np.linalg.norm(own - end, axis=1) > 2.5 * b.radius_mm]
        away, _, radius = nearest_to(tree, own)
        assert away.max() <= off_mm, b.label
        assert abs(np.median(radius) - b.radius_mm) <= radius_mm, b.label


def assert_is_tree(tree):
    for i, b in enumerate(tree.branches):
        if b.parent is not None:
            above = tree.branches[b.parent]
            assert b.parent < i
            assert b.order >= above.order
            assert np.allclose(b.points_mm[0], above.points_mm[-1])
    reached = {i for root in tree.roots for i in tree.subtree(root)}
    assert reached == set(range(len(tree.branches)))


@pytest.fixture(scope="module")
def oblique():
    return body(grid((1.2, 1.0, 1.0), turn=(0.2, -0.3, 0.25)))


@pytest.fixture(scope="module")
def trees(oblique):
    return vessel_trees(oblique)


def test_every_portal_branch_is_found_with_its_radius(trees):
    portal = trees[0]
    assert portal.system == "portal"
    assert len(portal.branches) == len(PORTAL.branches)
    assert_is_tree(portal)
    assert_is_found(portal, PORTAL, off_mm=1.0, radius_mm=0.3)


def test_the_portal_root_is_the_far_end_of_the_trunk(trees):
    (root,) = trees[0].roots
    start = trees[0].branches[root].points_mm[0]
    assert np.linalg.norm(start - PORTAL.branches[0].points_mm[0]) <= 5.0
    assert trees[0].branches[root].order == 1


def test_orders_rise_as_branches_part(trees):
    for number, true in enumerate(PORTAL.branches):
        middle = outside_others(PORTAL, number)
        found = nearest_to(trees[0], middle[len(middle) // 2 : len(middle) // 2 + 1])[1][0]
        assert trees[0].branches[found].order == true.order, true.label


def test_portal_branches_are_named(trees):
    names = {"main": "main portal vein", "right": "right portal vein", "left": "left portal vein"}
    names |= {"anterior": "right anterior portal vein", "posterior": "right posterior portal vein"}
    for number, true in enumerate(PORTAL.branches):
        if true.label in names:
            middle = outside_others(PORTAL, number)
            found = nearest_to(trees[0], middle[len(middle) // 2 : len(middle) // 2 + 1])[1][0]
            assert trees[0].branches[found].label == names[true.label]
            assert 0 < trees[0].branches[found].confidence <= 1


def test_hepatic_veins_begin_at_the_vena_cava_and_are_named(trees):
    hepatic = trees[1]
    assert_is_tree(hepatic)
    outer = lambda p: np.linalg.norm(p - [0, 26, 26], axis=1) > 18  # noqa: E731
    assert_is_found(hepatic, HEPATIC, off_mm=1.2, radius_mm=0.3, inside=outer)
    for true in HEPATIC.branches:
        found = nearest_to(hepatic, true.points_mm[1:2])[1][0]
        assert hepatic.branches[found].label == true.label
    for root in hepatic.roots:
        x, y, z = hepatic.branches[root].points_mm[0]
        wall = np.hypot(x, y - np.interp(z, (-60, 60), (30, 28))) - 9.0
        assert abs(wall) <= 4.0


@pytest.mark.parametrize("own_label", [True, False], ids=["cava labelled", "cava in the veins"])
@pytest.mark.parametrize("slices_mm", [0.8, 2.5, 5.0])
def test_veins_are_as_wide_at_their_mouth_as_beyond(space, slices_mm, own_label):
    empty = space((slices_mm, 0.8, 0.8), (60, 50, 60), 3)
    liver = empty.ellipsoid(LIVER, (0, 0, 0), (55, 42, 50))
    cava = VENA_CAVA if own_label else HEPATIC_VEINS
    both = liver.tube(cava, (0, 36, 0), (0, 0, 1), 11)
    stem = np.array([(0, 36, 0), (20, 22, 6)], float)
    for course, radius in (
        (stem, 4.0),
        (np.array([stem[1], (26, 4, 16)], float), 2.5),
        (np.array([stem[1], (26, 4, -10)], float), 2.5),
    ):
        inside = tube(both.points.reshape(-1, 3), course, radius).reshape(both.array.shape)
        both = both.paint(HEPATIC_VEINS, inside & (both.array == LIVER.label))
    tree = vessel_tree(both.label_map, "hepatic")
    (root,) = (tree.branches[n] for n in tree.roots)
    assert len(tree.branches) == 3
    assert np.abs(root.radius_mm[:5] - 4.0).max() <= (0.25 if slices_mm < 5 else 0.4)


def test_the_vena_cava_is_split_off_hepatic_veins_that_share_its_label():
    whole = body(grid((1.2, 1.2, 1.2)))
    array = whole.array.copy()
    array[array == VENA_CAVA.label] = HEPATIC_VEINS.label
    tree = vessel_tree(whole.with_array(array), "hepatic")
    for true in HEPATIC.branches:
        away, owner, _ = nearest_to(tree, true.points_mm[1:])
        assert away.max() <= 3.5
        assert tree.branches[owner[0]].label == true.label
    points = tree.samples(1.0)[0]
    assert (np.hypot(points[:, 0], points[:, 1] - 29) > 6).all()


def test_veins_whose_last_piece_to_the_vena_cava_is_missing_keep_their_place():
    """The whole vein ends a centimetre short of the vena cava, a stub beside it does not."""
    mouth, fork = (0, 11, 26), (0, 2, 24)
    short = VesselTree(
        system="hepatic",
        branches=(
            branch("right hepatic vein", None, 1, 3.0, fork, (-20, 8, 16), (-42, 2, 2)),
            branch("middle hepatic vein", None, 1, 2.6, fork, (-4, -16, 20), (-8, -34, 4)),
            branch("left hepatic vein", None, 1, 2.4, fork, (14, -2, 20), (40, -12, 10)),
            branch("", None, 1, 3.4, mouth, fork),
            branch("", None, 1, 1.6, (-6, 19, 0), (-14, 12, -6)),
        ),
    )
    tree = vessel_tree(body(grid((1.0, 1.0, 1.0)), portal=None, hepatic=short), "hepatic")
    for true in short.branches[:3]:
        away, _, _ = nearest_to(tree, true.points_mm[1:])
        assert away.max() <= 3.5
    starts = [tree.branches[root].points_mm[0] for root in tree.roots]
    assert min(np.linalg.norm(start - mouth) for start in starts) <= 6.0
    assert tree.repairs.fragments == ()


def test_veins_that_do_not_drain_the_liver_are_left_out():
    whole = body(grid((1.2, 1.2, 1.2)))
    array = whole.array.copy().ravel()
    renal = tube(points_of(whole.geometry), np.array([(6, 30, -52), (40, 34, -50)], float), 3.0)
    array[renal & (array == 0)] = HEPATIC_VEINS.label
    tree = vessel_tree(whole.with_array(array.reshape(whole.array.shape)), "hepatic")
    assert tree.samples()[0][:, 2].min() > -20
    assert tree.repairs.fragments == ()
    assert len(tree.branches) >= 3


def test_feeders_are_left_out():
    fed = [
        ([PORTAL.branches[0].points_mm[0], (30, 10, -58)], 3.5),
        ([PORTAL.branches[0].points_mm[0], (-30, 8, -60)], 3.5),
    ]
    tree = vessel_tree(body(grid((1.2, 1.2, 1.2)), hepatic=None, cava=None, added=fed), "portal")
    (root,) = tree.roots
    assert np.linalg.norm(tree.branches[root].points_mm[0] - PORTAL.branches[0].points_mm[0]) <= 4.0
    assert len(tree.branches) == len(PORTAL.branches)


@pytest.mark.parametrize("gap_mm", [2.0, 3.0])
def test_a_gap_is_bridged(gap_mm):
    middle = np.array([-10.0, 5 / 3, -3.5])
    cut = lambda p: np.abs(p[:, 0] - middle[0]) <= gap_mm / 2  # noqa: E731
    label_map = body(grid((1.0, 1.0, 1.0)), hepatic=None, cava=None, erased=cut)
    tree = vessel_tree(label_map, "portal")
    assert tree.repairs.gaps_bridged >= 1
    assert_is_tree(tree)
    assert_is_found(tree, PORTAL, off_mm=1.2, radius_mm=0.4)


def test_what_is_too_far_to_be_joined_is_reported():
    cut = lambda p: np.abs(p[:, 0] + 10) <= 4  # noqa: E731
    label_map = body(grid((1.2, 1.2, 1.2)), hepatic=None, cava=None, erased=cut)
    tree = vessel_tree(label_map, "portal", TreeSettings(gap_mm=2.0))
    assert len(tree.repairs.fragments) == 1
    lost = tree.repairs.fragments[0]
    assert lost.centre_mm[0] < -14
    assert 0.5 < lost.volume_ml < 3
    assert tree.samples()[0][:, 0].min() > -14


def test_a_loop_is_opened_at_its_thinnest_place():
    thin = [(PORTAL.branches[3].points_mm[-1], (10, -30, 10), PORTAL.branches[6].points_mm[-1])]
    label_map = body(grid((1.0, 1.0, 1.0)), hepatic=None, cava=None, added=[(thin[0], 1.6)])
    tree = vessel_tree(label_map, "portal")
    assert tree.repairs.loops_cut == 1
    assert_is_tree(tree)
    line = [np.linspace(a, b, 20) for a, b in pairwise(np.array(thin[0], float))]
    away = nearest_to(tree, np.concatenate(line))[0]
    assert away[3:-3].max() <= 1.6  # within the tube: no piece of it is lost
    assert_is_found(tree, PORTAL, off_mm=1.2, radius_mm=0.4)
    (root,) = tree.roots
    for number in (1, 2):  # both halves still hang on the trunk's end
        middle = outside_others(PORTAL, number)
        found = nearest_to(tree, middle[len(middle) // 2 : len(middle) // 2 + 1])[1][0]
        assert tree.branches[found].parent == root


def test_a_loop_opened_beside_a_fork_keeps_the_short_piece_to_it():
    """Its neck is so near to the fork that the piece between them is as short as a spur."""
    start, end = PORTAL.branches[3].points_mm[-1], np.array([22.0, -16, -4])
    bend = np.array([10.0, -30, 10])
    way = (bend - end) / np.linalg.norm(bend - end)
    neck, last = end + 6.0 * way, end + 1.5 * way
    wide = [((start, bend, neck), 1.6), ((last, end), 1.6), ((neck, last), 0.9)]
    label_map = body(grid((1.0, 1.0, 1.0)), hepatic=None, cava=None, added=wide)
    tree = vessel_tree(label_map, "portal")
    assert tree.repairs.loops_cut == 1
    assert_is_tree(tree)
    line = end + np.linspace(0, 12, 50)[:, None] * way
    assert nearest_to(tree, line)[0].max() <= 1.6


def test_salt_is_no_branch():
    points = points_of(grid((1.2, 1.2, 1.2)))
    random = np.random.default_rng(5)
    clean = body(grid((1.2, 1.2, 1.2)), hepatic=None, cava=None)
    array = clean.array.ravel().copy()
    free = np.flatnonzero((array == LIVER.label) & (np.abs(points[:, 0]) > 6))
    array[random.choice(free, 60, replace=False)] = PORTAL_VEIN.label
    salted = vessel_tree(clean.with_array(array.reshape(clean.array.shape)), "portal")
    assert len(salted.branches) <= len(PORTAL.branches) + 2
    assert salted.repairs.fragments == ()
    assert_is_found(salted, PORTAL, off_mm=1.3, radius_mm=0.4)


def test_thick_slices_leave_one_tree_with_even_lines():
    label_map = body(grid((5.0, 0.8, 0.8)), hepatic=None, cava=None)
    tree = vessel_tree(label_map, "portal")
    assert_is_tree(tree)
    assert len(tree.roots) == 1
    assert_is_found(tree, PORTAL, off_mm=3.0, radius_mm=0.8)
    straight = PORTAL.branches[0].length_mm + PORTAL.branches[0].radius_mm  # to the wall's end
    trunk = tree.branches[tree.roots[0]]
    assert trunk.length_mm <= 1.1 * straight


def test_merged_vessels_part_where_they_touch():
    whole = body(grid((1.2, 1.2, 1.2)), added=[BRIDGE])
    merged = whole.mask(PORTAL_VEIN, HEPATIC_VEINS)
    z = points_of(whole.geometry)[:, 2].reshape(merged.shape)
    array = whole.array.copy()
    array[merged & (z > -34)] = LIVER.label
    divided = separate_vessels(whole.with_array(array), merged)
    wrong = (divided.array != whole.array) & merged
    assert wrong.sum() <= 0.03 * merged.sum()


BRIDGE = ([(-20, 2, 0), (-20, 10, 16)], 1.0)


def merged_into_one(spacing_mm, *, added=()):
    """A body with its true labels, one that knows the liver alone, and the mask of all vessels."""
    whole = body(grid(spacing_mm), added=added)
    merged = whole.mask(PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA)
    liver = ((points_of(whole.geometry) / LIVER_HALF_AXES) ** 2).sum(axis=1).reshape(merged.shape)
    return whole, whole.with_array((liver < 1).astype(np.uint8) * LIVER.label), merged


@pytest.mark.parametrize(
    ("spacing_mm", "added"),
    [((1.2, 1.2, 1.2), ()), ((1.2, 1.0, 1.0), [BRIDGE]), ((2.5, 0.8, 0.8), ())],
)
def test_vessels_under_one_number_are_told_apart_without_any_other_label(spacing_mm, added):
    whole, known, merged = merged_into_one(spacing_mm, added=added)
    divided = separate_vessels(known, merged)
    for truth, own in ((PORTAL, (PORTAL_VEIN,)), (HEPATIC, (HEPATIC_VEINS, VENA_CAVA))):
        line = np.concatenate([b.samples_mm(0.5) for b in truth.branches])
        index = np.rint(whole.geometry.to_index(line)).astype(int)
        index = index[((index >= 0) & (index < whole.geometry.shape)).all(axis=1)]
        index = index[whole.mask(*own)[tuple(index.T)]]
        assert len(index) > 250
        assert divided.mask(*own)[tuple(index.T)].mean() >= 0.99, truth.system
    right = divided.mask(VENA_CAVA) & whole.mask(VENA_CAVA)
    assert right.sum() >= 0.99 * whole.mask(VENA_CAVA).sum()
    assert len(vessel_trees(divided)) == 2


def test_nothing_tells_merged_vessels_apart_without_trunk_or_cava():
    _, known, merged = merged_into_one((1.6, 1.6, 1.6))
    height = points_of(known.geometry)[:, 2].reshape(merged.shape)
    cava = tube(points_of(known.geometry), *CAVA).reshape(merged.shape)
    with pytest.raises(NothingToDoError, match="label the vena cava"):
        separate_vessels(known, merged & ~cava)
    without_trunk = merged & (cava | (height > -30))
    with pytest.raises(NothingToDoError, match="label a piece of it as portal vein"):
        separate_vessels(known, without_trunk)


def test_missing_vessels_and_livers_are_refused(oblique):
    no_veins = body(grid((2.0, 2.0, 2.0)), hepatic=None)
    with pytest.raises(NothingToDoError, match="hepatic"):
        vessel_tree(no_veins, "hepatic")
    assert [t.system for t in vessel_trees(no_veins)] == ["portal"]
    empty = oblique.with_array(np.zeros_like(oblique.array))
    with pytest.raises(NothingToDoError, match="liver"):
        vessel_trees(empty)


def test_a_tree_goes_through_json(trees):
    for tree in trees:
        data = json.loads(json.dumps(tree.to_dict()))
        again = VesselTree.from_dict(data)
        assert again.to_dict() == tree.to_dict()
        data["branches"][0]["order"] = "first"
        with pytest.raises(CorruptFileError, match="order"):
            VesselTree.from_dict(data)


def line(parent=None, order=1, start=(0, 0, 0), end=(0, 0, 10)):
    return VesselBranch(
        parent=parent, order=order, points_mm=np.array([start, end], float), radius_mm=np.ones(2)
    )


def test_no_tree_without_order():
    with pytest.raises(UsageError, match="parent must stand before"):
        VesselTree(system="portal", branches=(line(), line(parent=1)))
    with pytest.raises(UsageError, match="`order`"):
        VesselTree(system="portal", branches=(line(order=2), line(parent=0, order=1)))


def test_cut_and_join_are_inverse():
    ends = [(0, 0, 10), (5, 0, 20), (-5, 0, 20), (9, 0, 30)]
    tree = VesselTree(
        system="portal",
        branches=(
            line(),
            line(parent=0, order=2, start=ends[0], end=ends[1]),
            line(parent=0, order=2, start=ends[0], end=ends[2]),
            line(parent=1, order=3, start=ends[1], end=ends[3]),
        ),
    )
    stays, off = cut_branch(tree, 1)
    assert [b.parent for b in stays.branches] == [None, 0]
    assert [b.parent for b in off.branches] == [None, 0]
    assert [b.order for b in off.branches] == [1, 2]
    again = join_trees(stays, off, parent=0)
    assert sorted(tuple(b.points_mm[-1]) for b in again.branches) == sorted(
        tuple(b.points_mm[-1]) for b in tree.branches
    )
    assert [b.order for b in again.branches] == [1, 2, 2, 3]
    assert cut_branch(tree, 0)[0] is None
    with pytest.raises(UsageError, match="`branch`"):
        cut_branch(tree, 4)


def test_join_crosses_a_gap():
    tree = VesselTree(system="portal", branches=(line(),))
    far = VesselTree(system="portal", branches=(line(start=(0, 0, 14), end=(0, 0, 20)),))
    joined = join_trees(tree, far, parent=0)
    assert joined.branches[1].points_mm[0].tolist() == [0, 0, 10]
    assert joined.branches[1].length_mm == pytest.approx(10)


def test_relabel_names_the_subtree(trees):
    (root,) = trees[0].roots
    kid = trees[0].children(root)[0]
    named = relabel(trees[0], kid, "P8")
    for i, b in enumerate(named.branches):
        if i in trees[0].subtree(kid):
            assert (b.label, b.confidence) == ("P8", 1.0)
        else:
            assert b.label == trees[0].branches[i].label
    only = relabel(trees[0], kid, "P8", whole_subtree=False)
    assert only.labelled("P8") == (kid,)


@pytest.mark.slow
def test_a_grown_phantom_tree_is_found_and_named():
    phantom = make_phantom(PhantomSettings(seed=1, spacing_mm=(1.2, 1.2, 1.2), lesions=0))
    portal, hepatic = vessel_trees(phantom.label_map)
    truth = phantom.tree("portal")
    for number, b in enumerate(truth.branches):
        own = outside_others(truth, number)
        if b.radius_mm >= 1.5 * 1.2 and len(own) >= 4:
            away, _, radius = nearest_to(portal, own)
            assert (away <= 1.5).mean() >= 0.9, b.label
            assert abs(np.median(radius) - b.radius_mm) <= 0.5, b.label
    assert len(hepatic.roots) == 3
    for tree, true in ((portal, truth), (hepatic, phantom.tree("hepatic"))):
        samples = [b.samples_mm(2.0) for b in true.branches]
        owner = np.repeat(np.arange(len(samples)), [len(s) for s in samples])
        points, own, _ = tree.samples(1.0)
        near = owner[cKDTree(np.concatenate(samples)).query(points)[1]]
        short = {"RHV": "right hepatic vein", "MHV": "middle hepatic vein"}
        short |= {"LHV": "left hepatic vein"}
        words = [b.label.split(".")[0] for b in true.branches]
        words = [short.get(w, w) for w in words]
        right = [tree.branches[o].label == words[n] for o, n in zip(own, near, strict=True)]
        assert np.mean(right) >= 0.97
