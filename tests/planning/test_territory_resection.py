"""Cuts along the territories of branches."""

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning import Plan as PlanOf
from surgplan.planning import (
    PlaneResection,
    TerritoryResection,
    UnionResection,
    VesselBranch,
    VesselTree,
    assess_prepared,
    branch_at,
    plan_from_json,
    plan_to_json,
    plan_to_mrk_json,
    prepare,
    resection_from_dict,
    territories,
)
from surgplan.volume import LIVER


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
