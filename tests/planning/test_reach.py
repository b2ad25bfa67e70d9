"""What vessels serve is told only where they were found far enough into the liver.

Truth: phantoms with all their vessels, of which some are then taken away.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from surgplan.phantom import PhantomSettings, make_phantom
from surgplan.planning import (
    Plan,
    PlaneResection,
    TerritoryResection,
    UnionResection,
    assess_prepared,
    functional_remnant,
    plan_from_json,
    plan_to_json,
    prepare,
    replay,
    vessel_trees,
)
from surgplan.planning._families import Families
from surgplan.planning._objectives import Scorer, objectives_of
from surgplan.planning._samples import Samples

GRID_MM = (3.0, 2.2, 2.2)
THIN_MM = 2.6
CUTS = 12


@pytest.fixture(scope="module")
def lacking(of_benchmarks):
    return of_benchmarks("_lacking_vessels")


@pytest.fixture(scope="module")
def whole():
    label_map = make_phantom(PhantomSettings(seed=31, spacing_mm=GRID_MM)).label_map
    return label_map, vessel_trees(label_map)


@pytest.fixture(scope="module")
def coarse(whole, lacking):
    """The same liver, of whose hepatic veins only the thickest are known."""
    label_map, (portal, hepatic) = whole
    return prepare(label_map, trees=(portal, lacking.thinned(hepatic, THIN_MM)))


@pytest.fixture(scope="module")
def cut(coarse):
    """Through the longest hepatic vein that is left, near its root, and all before it."""
    longest = max(coarse.perfusions.hepatic.tree.branches, key=lambda b: b.length_mm).points_mm
    course = longest[0] - longest[-1]
    return PlaneResection(
        point_mm=tuple(longest[len(longest) // 3]), normal=tuple(course / np.linalg.norm(course))
    )


def test_the_whole_trees_of_a_liver_are_known(whole):
    perfusions = prepare(whole[0]).perfusions
    assert perfusions.missing == ()
    assert perfusions.known() == perfusions.each()


def test_the_reach_is_that_of_single_voxels(coarse):
    label_map = coarse.label_map
    liver = label_map.whole_liver()
    width = (liver.sum() * label_map.geometry.voxel_volume_mm3) ** (1 / 3)
    for perfusion in coarse.perfusions.each():
        away, _ = cKDTree(perfusion.nodes.points_mm[perfusion.inside]).query(
            label_map.geometry.to_lps(np.argwhere(liver))
        )
        assert perfusion.reach_percent == pytest.approx(100 * (away <= width / 3).mean(), abs=1.0)


def test_a_system_that_reaches_too_little_is_cut_but_not_judged(whole, coarse, cut):
    said = assess_prepared(coarse, cut, margin_mm=5)
    reach = coarse.perfusions.hepatic.reach_percent
    words = f"hepatic veins found in only {int(reach)} % of the liver"
    assert 5 < reach < 80
    assert said.not_assessed == (f"not assessed: {words}",)
    assert f"Whether the remnant keeps its hepatic drainage is not known: {words}." in said.flags
    assert said.function.congested_ml is said.function.both_ml is None
    assert said.function == replace(
        functional_remnant(prepare(whole[0], trees=whole[1][:1]), cut), missing=said.not_assessed
    )
    behind = {v.system: v.downstream_ml for v in said.vessels_cut}
    assert behind["hepatic"] is None
    assert behind.get("portal", 1.0) > 0


def test_what_is_not_known_is_not_weighed(whole, coarse, cut):
    portal = prepare(whole[0], trees=whole[1][:1])
    weighed = [
        objectives_of(p, cut, assess_prepared(p, cut, margin_mm=5)).costs for p in (coarse, portal)
    ]
    assert weighed[0] == weighed[1]


def test_a_plan_that_knew_too_much_is_read_without_it(coarse, cut):
    """As files of version 2 did: what lies behind a vessel that leads nowhere known."""
    said = assess_prepared(coarse, cut, margin_mm=5)
    plan = Plan(
        name="old",
        resection=cut,
        assessment=said,
        labels_fingerprint=coarse.fingerprint,
    )
    old = json.loads(plan_to_json(plan)) | {"schema_version": 2}
    for vessel in old["assessment"]["vessels_cut"]:
        vessel["downstream_ml"] = vessel["downstream_ml"] or 123.0
    assert any(v.downstream_ml is None for v in said.vessels_cut)
    assert plan_from_json(json.dumps(old), coarse.label_map) == plan
    assert replay(plan, coarse.label_map, trees=coarse.trees).exact


def test_territories_of_vessels_that_are_not_known_are_flagged(coarse):
    """Asked for by hand they are taken; the known system's are not flagged."""
    known, doubted = (
        TerritoryResection(tree=p.tree, branches=(outer_branch(p.tree),))
        for p in coarse.perfusions.each()
    )
    said = {
        cut.kind + str(n): assess_prepared(coarse, cut, margin_mm=5)
        for n, cut in enumerate((known, doubted, UnionResection(parts=(known, doubted))))
    }
    flags = [sum("really ends is not known" in f for f in one.flags) for one in said.values()]
    assert flags == [0, 1, 1]
    assert said["territory1"].resected_ml > 0


def outer_branch(tree):
    """A branch that leaves others to the remnant."""
    parents = {b.parent for b in tree.branches}
    return next(n for n in range(len(tree.branches)) if n not in parents)


def test_no_territory_of_a_portal_vein_that_is_not_known_is_proposed(whole, lacking):
    label_map, (portal, hepatic) = whole
    for least_mm, wanted in ((0.0, True), (THIN_MM, False)):
        prepared = prepare(label_map, trees=(lacking.thinned(portal, least_mm), hepatic))
        samples = Samples.of(prepared)
        scorer = Scorer.of(prepared, samples)
        families = Families(prepared=prepared, scorer=scorer, margin_mm=5.0, seed=0)
        kinds = {scored.name for scored in families.every()}
        assert bool(kinds & {"territory", "territory-and-wedges"}) is wanted


def test_without_any_known_system_there_is_no_function(whole, cut, lacking):
    label_map, trees = whole
    stumps = prepare(label_map, trees=tuple(lacking.thinned(tree, 3.5) for tree in trees))
    said = assess_prepared(stumps, cut, margin_mm=5)
    assert said.function is None
    assert len(said.not_assessed) == 2
    assert [v.downstream_ml for v in said.vessels_cut] == [None] * len(said.vessels_cut)
    assert objectives_of(stumps, cut, said).flr_percent == said.flr_percent
    assert objectives_of(stumps, cut, said).downstream_ml == 0


@pytest.mark.slow
def test_numbers_that_are_told_are_near_the_truth_and_others_far(monkeypatch, lacking):
    """Branches, whole veins, or all that is thin is taken away; told apart by reach alone."""
    off = {True: [], False: []}
    for seed in (32, 33):
        label_map = make_phantom(PhantomSettings(seed=seed, spacing_mm=GRID_MM)).label_map
        cuts = list(lacking.cut_through(label_map, CUTS, seed))
        for tree in vessel_trees(label_map):
            truth, _ = _shares(label_map, tree, cuts, monkeypatch)
            for one in lacking.lacking(tree, seed):
                shares, known = _shares(label_map, one, cuts, monkeypatch)
                off[known].append(np.abs(shares - truth))
    told, others = (np.concatenate(off[known]) for known in (True, False))
    assert min(len(told), len(others)) > 10 * CUTS
    assert told.mean() < 2
    assert np.percentile(told, 95) < 8
    assert others.mean() > 2 * told.mean()
    assert np.percentile(others, 95) > 10


def _shares(label_map, tree, cuts, monkeypatch):
    """Functional FLR % of cuts by one tree, known or not, and whether it is known."""
    prepared = prepare(label_map, trees=(tree,))
    known = prepared.perfusions.known() != ()
    with monkeypatch.context() as patch:
        patch.setattr("surgplan.planning._perfusion.LEAST_REACH_PERCENT", 0.0)
        anyway = prepare(label_map, trees=(tree,))
        return np.array([functional_remnant(anyway, c).flr_percent for c in cuts]), known
