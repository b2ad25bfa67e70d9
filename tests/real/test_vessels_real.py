"""Trees and Couinaud segments of experts' vessels; figures are printed, see ``pytest -s``."""

import sys

import numpy as np
import pytest
import SimpleITK as sitk

from surgplan.planning import couinaud_from_vessels, territories, vessel_trees
from surgplan.volume import (
    box_of,
    crop,
)

pytestmark = [pytest.mark.real, pytest.mark.slow]

LEAST_DICE = {"ircadb-01": 0.82, "ircadb-17": 0.77}


@pytest.fixture(scope="module")
def case(expert):
    image = sitk.ReadImage(str(expert.folder / "couinaud.nii.gz"))
    couinaud = sitk.GetArrayFromImage(image)
    label_map = expert.labels()
    box = box_of(couinaud > 0, label_map.geometry, margin_mm=60)
    label_map = crop(label_map, box)
    return expert.name, label_map, couinaud[box], vessel_trees(label_map)


def test_each_system_is_one_tree_with_its_trunks_named(case):
    name, _, _, trees = case
    portal, hepatic = trees
    for tree in trees:
        repairs = tree.repairs
        sys.stdout.write(
            f"{name} {tree.system}: {len(tree.branches)} branches, {len(tree.roots)} roots, "
            f"{repairs.gaps_bridged} gaps, {repairs.loops_cut} loops, "
            f"{len(repairs.fragments)} loose fragments\n"
        )
        loose = sum(f.length_mm for f in repairs.fragments)
        assert loose <= 0.05 * sum(b.length_mm for b in tree.branches)
    assert len(portal.roots) == 1
    named = {b.label for b in portal.branches}
    assert {"main portal vein", "left portal vein", "P2", "P3", "P4", "P5", "P6"} <= named
    assert {"P7", "P8", "right anterior portal vein", "right posterior portal vein"} <= named
    veins = {b.label for b in hepatic.branches}
    assert {"right hepatic vein", "middle hepatic vein", "left hepatic vein"} <= veins


def test_territories_sum_to_the_liver(case):
    _, label_map, _, trees = case
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    whole_ml = label_map.whole_liver().sum() * voxel_ml
    found = territories(trees[0], label_map)
    assert found.branch_ml.sum() == pytest.approx(whole_ml, abs=0.01)
    assert found.downstream_ml[list(trees[0].roots)].sum() == pytest.approx(whole_ml, abs=0.01)


def test_couinaud_against_the_reference(case):
    name, label_map, reference, (portal, hepatic) = case
    found = couinaud_from_vessels(label_map, portal, hepatic)
    scores = {}
    for segment in found.label_map.segments:
        a, b = found.label_map.array == segment.label, reference == segment.label
        scores[segment.name] = 2 * float((a & b).sum()) / float(a.sum() + b.sum())
    mean = float(np.mean(list(scores.values())))
    figures = {k: round(v, 3) for k, v in scores.items()}
    sys.stdout.write(f"{name} mean Dice {mean:.3f}: {figures}\n")
    assert mean >= LEAST_DICE[name]
