from __future__ import annotations

import numpy as np
import pytest

from surgplan.errors import UsageError
from surgplan.phantom import Branch, Phantom, PhantomSettings, make_phantom
from surgplan.phantom._liver import liver
from surgplan.phantom._routes import ENTRY_MM
from surgplan.phantom._vessels import cava

SYSTEMS = ("portal", "hepatic", "arterial")


@pytest.mark.parametrize("system", SYSTEMS)
def test_radii_obey_murray_at_every_bifurcation(phantom: Phantom, system: str) -> None:
    tree = phantom.tree(system)
    forks = 0
    for index, branch in enumerate(tree.branches):
        children = [tree.branches[i] for i in tree.children(index)]
        if not children:
            continue
        forks += 1
        assert len(children) == 2, branch.label
        cubes = sum(c.radius_mm**3 for c in children)
        assert branch.radius_mm**3 == pytest.approx(cubes, rel=1e-9)
        assert branch.terminals == sum(c.terminals for c in children)
    assert forks > 25


def test_radii_obey_murray_where_splenic_and_mesenteric_vein_meet(phantom: Phantom) -> None:
    tree = phantom.tree("portal")
    assert [f.label for f in tree.feeders] == ["splenic vein", "superior mesenteric vein"]
    cubes = sum(f.radius_mm**3 for f in tree.feeders)
    assert tree.branches[0].radius_mm ** 3 == pytest.approx(cubes, rel=1e-9)
    for feeder in tree.feeders:
        assert feeder.points_mm[-1] == pytest.approx(tree.branches[0].points_mm[0], abs=1e-6)


@pytest.mark.parametrize("system", SYSTEMS)
def test_branches_start_where_their_parent_ends(phantom: Phantom, system: str) -> None:
    tree = phantom.tree(system)
    for index, branch in enumerate(tree.branches):
        if branch.parent is not None:
            assert branch.parent < index
            parent = tree.branches[branch.parent]
            assert branch.points_mm[0] == pytest.approx(parent.points_mm[-1], abs=1e-9)
            same = branch.label == parent.label
            assert branch.order == parent.order + (not same)
        else:
            assert branch.order == 1


def test_hepatic_veins_have_three_roots_inside_the_vena_cava(phantom: Phantom) -> None:
    roots = [b for b in phantom.tree("hepatic").branches if b.parent is None]
    assert [r.label for r in roots] == [
        "right hepatic vein", "middle hepatic vein", "left hepatic vein",
    ]  # fmt: skip
    starts = np.array([r.points_mm[0] for r in roots])
    assert (cava(phantom.individual).distance(starts.T) < 0).all()


def test_the_portal_tree_names_its_trunks_and_reaches_all_eight_segments(phantom: Phantom) -> None:
    labels = {b.label for b in phantom.tree("portal").branches}
    assert {
        "main portal vein", "right portal vein", "left portal vein", "umbilical portion",
        "right anterior portal vein", "right posterior portal vein",
    } <= labels  # fmt: skip
    assert {f"P{n}" for n in range(1, 9)} <= labels


def test_arteries_follow_portal_branches_with_smaller_radii(phantom: Phantom) -> None:
    portal, arterial = phantom.tree("portal"), phantom.tree("arterial")
    for artery in arterial.branches:
        distance = portal.distance_mm(artery.points_mm)
        assert distance.max() < 5 + artery.radius_mm
    assert arterial.branches[0].radius_mm < 0.5 * portal.branches[0].radius_mm
    assert {f.label for f in arterial.feeders} >= {"aorta", "coeliac trunk"}


@pytest.mark.parametrize("system", ["portal", "hepatic"])
def test_grown_branches_lie_inside_the_liver(phantom: Phantom, system: str) -> None:
    checked = 0
    for branch in phantom.tree(system).branches:
        if "." not in branch.label:
            continue
        points = branch.samples_mm(1.0)
        away = np.linalg.norm(points - points[0], axis=1) > branch.radius_mm + ENTRY_MM
        inner = phantom.individual.bend(np.ascontiguousarray(points[away].T))
        distance = liver(inner, phantom.individual)
        assert (distance < -branch.radius_mm).all(), branch.label
        checked += 1
    assert checked > 60


def test_portal_and_hepatic_branches_keep_their_distance(phantom: Phantom) -> None:
    hepatic = phantom.tree("hepatic")
    gaps = [
        float(hepatic.distance_mm(b.samples_mm(2.0)).min()) - b.radius_mm
        for b in phantom.tree("portal").branches
    ]
    assert min(gaps) > 0.8


def test_vessels_keep_out_of_lesions_but_for_the_trunk_that_was_asked_for(
    phantom: Phantom,
) -> None:
    for lesion in phantom.lesions:
        entering = {
            b.label
            for system in ("portal", "hepatic")
            for b in phantom.tree(system).branches
            if (lesion.distance_mm(b.samples_mm(1.5)) < b.radius_mm - 0.5).any()
        }
        expected = 1 if lesion.spec.contact == "infiltrating" else 0
        assert len(entering) == expected, (lesion.spec, entering)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 30))
def test_every_seed_gives_whole_trees_and_a_liver_of_usual_size(seed: int) -> None:
    body = make_phantom(PhantomSettings(seed=seed, spacing_mm=(4.0, 4.0, 4.0)))
    assert 1200 < body.known_answers()["volumes_ml"]["whole liver"] < 1900
    labels = {b.label for b in body.tree("portal").branches}
    assert len({f"P{n}" for n in range(1, 9)} & labels) >= 7
    assert body.tree("portal").branches[0].terminals > 80
    assert body.couinaud.labels_present() == list(range(1, 9))
    test_portal_and_hepatic_branches_keep_their_distance(body)


def test_a_branch_refuses_what_is_no_polyline() -> None:
    with pytest.raises(UsageError, match=r"`points_mm` must be \(k, 3\)"):
        Branch(label="x", order=1, parent=None, points_mm=np.zeros((1, 3)), radius_mm=1)
    with pytest.raises(UsageError, match="`radius_mm` must be positive"):
        Branch(label="x", order=1, parent=None, points_mm=np.zeros((2, 3)), radius_mm=0)
