"""Cuts along the territories of branches."""

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning import (
    AFTER_PORTAL_OCCLUSION,
    PlaneResection,
    TerritoryResection,
    TwoStageResection,
    UnionResection,
    VesselBranch,
    VesselTree,
    assess_prepared,
    branch_at,
    cut_liver,
    plan_from_json,
    plan_to_json,
    plan_to_mrk_json,
    prepare,
    resection_from_dict,
    territories,
)
from surgplan.planning import Plan as PlanOf
from surgplan.planning._corridor import in_liver
from surgplan.volume import LIVER, LIVER_TUMOUR

pytestmark = pytest.mark.usefixtures("plain_trees")


def branch(parent, order, label, *points):
    line = np.array(points, float)
    return VesselBranch(
        parent=parent, order=order, label=label, points_mm=line, radius_mm=np.full(len(line), 2.0)
    )


TREE = VesselTree(
    system="portal",
    branches=(
        branch(None, 1, "main portal vein", (0, 0, -40), (0, 0, -8)),
        branch(0, 2, "right portal vein", (0, 0, -8), (-14, 4, 0), (-24, 2, 4)),
        branch(0, 2, "left portal vein", (0, 0, -8), (12, -4, 0), (24, -2, 6)),
        branch(1, 3, "P8", (-24, 2, 4), (-28, 2, 14)),
        branch(1, 3, "P5", (-24, 2, 4), (-28, -6, -6)),
    ),
)
TWO = VesselTree(
    system="portal",
    branches=(
        branch(None, 1, "right", (-10, 0, -40), (-10, 0, 40)),
        branch(None, 1, "left", (14, 0, -40), (14, 0, 40)),
    ),
)


@pytest.fixture(scope="module")
def prepared(space):
    body = space((2.0, 1.4, 1.4), (36, 28, 28), 3).ellipsoid(LIVER, (0, 0, 0), (34, 26, 26))
    return prepare(body.label_map, trees=(TREE,))


def test_between_two_parallel_branches_it_is_a_plane(prepared):
    """Half-way between straight vessels lies a plane: distances and volumes are known."""
    cut = TerritoryResection.labelled(TWO, ["right"])
    plane = PlaneResection(point_mm=(2, 0, 0), normal=(-1, 0, 0))
    rng = np.random.default_rng(0)
    points = rng.uniform((-30, -20, -20), (30, 20, 20), (2000, 3))
    true = plane.distance_mm(points)
    near = np.abs(true) < 4
    assert cut.distance_mm(points[near]) == pytest.approx(true[near], abs=0.02)
    assert ((cut.distance_mm(points) < 0) == (true < 0)).all()
    assert (np.abs(cut.distance_mm(points)) <= np.abs(true) + 0.02).all()
    ours, exact = (assess_prepared(prepared, c, margin_mm=1) for c in (cut, plane))
    assert ours.resected_ml == pytest.approx(exact.resected_ml, rel=3e-4)
    assert ours.cut_area_mm2 == pytest.approx(exact.cut_area_mm2, rel=0.005)


@pytest.mark.parametrize("chosen", [(1,), (2,), (3,), (3, 4)])
def test_it_takes_what_the_branches_serve(prepared, chosen):
    cut = TerritoryResection(tree=TREE, branches=chosen)
    found = territories(TREE, prepared.label_map)
    wanted = np.isin(found.array, [i + 1 for i in cut.taken])
    inside = found.array > 0
    points = found.geometry.to_lps(np.argwhere(inside))
    distance = cut.distance_mm(points)
    differ = (distance < 0) != wanted[inside]
    assert np.abs(distance[differ]).max(initial=0) < 1e-9
    voxel_ml = found.geometry.voxel_volume_mm3 / 1000
    said = assess_prepared(prepared, cut, margin_mm=1)
    assert said.resected_ml == pytest.approx(wanted.sum() * voxel_ml, rel=0.01)
    assert said.resected_ml + said.remnant_ml == pytest.approx(said.total_ml, abs=1e-9)


def test_it_is_the_distance_to_the_boundary():
    """Against the surface itself, found as sign changes on a grid of half a millimetre."""
    cut = TerritoryResection(tree=TREE, branches=(1,))
    axis = np.arange(-24, 24, 0.5)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    value = cut.distance_mm(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    found = []
    for n in range(3):
        low, high = (value.take(range(k, len(axis) - 1 + k), axis=n) for k in (0, 1))
        index = np.argwhere((low < 0) != (high < 0))
        a, b = low[tuple(index.T)], high[tuple(index.T)]
        place = index.astype(float)
        place[:, n] += a / (a - b)
        found.append(place * 0.5 - 24)
    surface = cKDTree(np.concatenate(found))
    points = np.random.default_rng(0).uniform(-19, 19, (8000, 3))
    true, said = surface.query(points)[0], np.abs(cut.distance_mm(points))
    near = (true > 0.3) & (true < 2)
    assert np.percentile(np.abs(said - true)[near], 98) < 0.2
    assert np.percentile((said - true)[true < 8], 99) < 0.5


def test_an_anatomical_resection_leaves_no_portal_territory_without_supply(prepared):
    cut = TerritoryResection.labelled(TREE, ["right portal vein"])
    said = assess_prepared(prepared, cut, margin_mm=1)
    assert said.function.devascularised_ml < 0.01 * said.remnant_ml
    (vessel,) = said.vessels_cut
    assert vessel.label == "right portal vein"
    assert vessel.downstream_ml == pytest.approx(said.resected_ml, rel=0.02)
    assert np.linalg.norm(np.array(vessel.point_mm) - (0, 0, -8)) < 1


HEPATIC = VesselTree(
    system="hepatic",
    branches=(
        branch(None, 1, "right hepatic vein", (0, 12, 22), (-20, 6, 10)),
        branch(None, 1, "left hepatic vein", (0, 12, 22), (20, -4, 12)),
    ),
)
SLANTED = PlaneResection(point_mm=(4, 0, 5), normal=(0.3, 0.2, 1))


def share_resected(prepared, *parts):
    """Of each voxel of the liver, in 5^3 parts: by the nearest vessel point, and by distance."""
    geometry = prepared.blocks.geometry
    index = np.argwhere(prepared.liver)
    steps = (np.stack(np.meshgrid(*[np.arange(5)] * 3), -1).reshape(-1, 3) + 0.5) / 5 - 0.5
    share = np.zeros(len(index))
    for step in steps:
        points = geometry.to_lps(index + step)
        taken = np.zeros(len(points), bool)
        for part in parts:
            if isinstance(part, TerritoryResection):
                nodes, owner, _ = part.tree.samples(0.5)
                taken |= np.isin(owner, list(part.taken))[cKDTree(nodes).query(points)[1]]
            else:
                taken |= part.distance_mm(points) < 0
        share += taken / len(steps)
    return share


@pytest.mark.parametrize("others", [
    (SLANTED,),
    (TerritoryResection(tree=HEPATIC, branches=(1,)),),
    (TerritoryResection(tree=HEPATIC, branches=(1,)), SLANTED),
    (TerritoryResection(tree=TREE, branches=(4,)), PlaneResection(point_mm=(20, 0, 0),
                                                                  normal=(1, 0, 0))),
])  # fmt: skip
def test_unions_take_what_any_part_takes_as_counted_by_brute_force(prepared, others):
    parts = (TerritoryResection(tree=TREE, branches=(3,)), *others)
    share = share_resected(prepared, *parts)
    voxel_ml = prepared.blocks.geometry.voxel_volume_mm3 / 1000
    for resection in (
        UnionResection(parts=parts),
        UnionResection(parts=(UnionResection(parts=parts[1:]), parts[0])),
        TwoStageResection(first=parts[0], second=UnionResection(parts=parts[1:]),
                          growth=AFTER_PORTAL_OCCLUSION),
    ):  # fmt: skip
        cut = cut_liver(prepared.blocks, resection)
        assert cut.resected_mm3.sum() / 1000 == pytest.approx(share.sum() * voxel_ml, rel=1e-3)
        stays = np.zeros(prepared.blocks.tissue.shape)
        stays[cut.stays.blocks] = 1.0
        stays.ravel()[cut.stays.place] = cut.stays.share
        own = stays.ravel()[prepared.blocks.places(np.argwhere(prepared.liver))]
        off = np.abs(own - (1 - share))
        assert off.mean() < 2e-3
        assert np.percentile(off, 99.9) < 0.2


def test_a_union_of_half_spaces_is_the_same_by_vessels_and_by_planes(prepared):
    """Volume, area and margins, where vessels give exactly the planes."""
    half, plane = PlaneResection(point_mm=(2, 0, 0), normal=(-1, 0, 0)), SLANTED
    right = TerritoryResection.labelled(TWO, ["right"])
    ours, exact = (
        assess_prepared(prepared, UnionResection(parts=(first, plane)), margin_mm=1)
        for first in (right, half)
    )
    assert ours.resected_ml == pytest.approx(exact.resected_ml, rel=3e-4)
    assert ours.cut_area_mm2 == pytest.approx(exact.cut_area_mm2, rel=0.005)


def test_a_union_of_all_branches_takes_the_whole_liver(prepared):
    parts = tuple(TerritoryResection(tree=TREE, branches=(n,)) for n in (1, 2))
    again = VesselTree.from_dict(TREE.to_dict())  # as read from a file
    all_of_two = (
        TerritoryResection.labelled(TWO, ["right"]),
        TerritoryResection.labelled(VesselTree.from_dict(TWO.to_dict()), ["left"]),
    )
    assert assess_prepared(prepared, UnionResection(parts=all_of_two), margin_mm=1).remnant_ml == 0
    joined = UnionResection(parts=(parts[0], TerritoryResection(tree=again, branches=(2,))))
    one = TerritoryResection(tree=TREE, branches=(1, 2))
    said, alone = (assess_prepared(prepared, r, margin_mm=1) for r in (joined, one))
    assert said.resected_ml == alone.resected_ml
    assert said.cut_area_mm2 == alone.cut_area_mm2


BALLS = (((-14, -14, 6), 4.0), ((9, 8, 8), 5.0), ((-20, 8, -8), 3.0), ((16, 4, -4), 3.5))


def border_around(cut, centre, reach_mm, step_mm=0.4):
    """Where the nearest branch changes, on a fine grid around a point."""
    points, owner, _ = cut.tree.samples(0.5)
    ours = np.isin(owner, list(cut.taken))
    sides = cKDTree(points[ours]), cKDTree(points[~ours])
    axis = np.arange(-reach_mm, reach_mm, step_mm)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1) + centre
    near, far = (tree.query(grid.reshape(-1, 3))[0].reshape(grid.shape[:3]) for tree in sides)
    value, found = near - far, []
    for n in range(3):
        low, high = (np.moveaxis(value, n, 0)[k : len(axis) - 1 + k] for k in (0, 1))
        a, b = (np.moveaxis(grid, n, 0)[k : len(axis) - 1 + k] for k in (0, 1))
        met = (low < 0) != (high < 0)
        share = (low / (low - high))[met][:, None]
        found.append(a[met] + share * (b - a)[met])
    return np.concatenate(found)


@pytest.mark.parametrize("turn", [None, 5])
@pytest.mark.parametrize("chosen", [(1,), (3,), (2,)])
def test_margins_are_those_to_the_border_by_brute_force(space, turn, chosen):
    body = space((2.0, 0.9, 0.9), (36, 28, 28), turn).ellipsoid(LIVER, (0, 0, 0), (34, 26, 26))
    for centre, radius in BALLS:
        body = body.ball(LIVER_TUMOUR, centre, radius)
    prepared = prepare(body.label_map, trees=(TREE,))
    cut = TerritoryResection(tree=TREE, branches=chosen)
    said = {t.tumour: t for t in assess_prepared(prepared, cut, margin_mm=1).tumours}
    count = 0
    for shape in prepared.tumours:
        edge = shape.boundary.points_mm
        border = border_around(cut, np.array(shape.tumour.centre_mm), 16.0)
        border = border[in_liver(prepared, border)]
        if not len(border):
            continue
        true = cKDTree(border).query(edge)[0].min()
        found = said[shape.tumour.id]
        if found.side != "cut through" and true < 11:
            assert found.margin_mm == pytest.approx(true, abs=0.3)
            count += 1
    assert count >= 2


def test_it_is_saved_whole_and_joins_unions(prepared):
    cut = TerritoryResection.labelled(TREE, ["P8"])
    assert resection_from_dict(json.loads(json.dumps(cut.to_dict())), prepared.label_map) == cut
    both = UnionResection(parts=(cut, TerritoryResection.labelled(TREE, ["P5"])))
    one = TerritoryResection.labelled(TREE, ["P5", "P8"])
    points = prepared.blocks.geometry.to_lps(np.argwhere(prepared.liver)[::5])
    differ = (both.distance_mm(points) < 0) != (one.distance_mm(points) < 0)
    assert differ.mean() < 0.001
    said = assess_prepared(prepared, both, margin_mm=1)
    fingerprint = prepared.fingerprint
    plan = PlanOf(name="p58", resection=both, assessment=said, labels_fingerprint=fingerprint)
    assert plan_from_json(plan_to_json(plan), prepared.label_map) == plan
    curves = json.loads(plan_to_mrk_json(plan))["markups"]
    assert [c["type"] for c in curves] == ["Curve", "Curve"]
    assert cut != one
    assert cut.name == "territory of P8"


def test_a_click_finds_its_branch():
    assert branch_at(TREE, (-27.5, 3, 12)) == 3
    assert branch_at(TREE, (0, 1, -30)) == 0


def test_refusals(prepared):
    with pytest.raises(UsageError, match="must be places"):
        TerritoryResection(tree=TREE, branches=(9,))
    with pytest.raises(UsageError, match="leave a branch"):
        TerritoryResection(tree=TREE, branches=(0,))
    with pytest.raises(UsageError, match="the tree has P5"):
        TerritoryResection.labelled(TREE, ["P2"])
    good = TerritoryResection(tree=TREE, branches=(1,)).to_dict()
    for change in ({"branches": [0]}, {"branches": "1"}, {"tree": None}):
        with pytest.raises(CorruptFileError, match="save"):
            resection_from_dict(good | change, prepared.label_map)
