"""Rehearsal, front and access on experts' labels; figures are printed, see ``pytest -s``."""

import sys
import time

import numpy as np
import pytest

from surgplan.io import read_volume
from surgplan.planning import (
    Instrument,
    WedgeResection,
    body_mask,
    needle_paths,
    prepare,
    propose,
    propose_ports,
    rehearse_prepared,
    vessels_cut,
)
from surgplan.volume import (
    BONE,
    box_of,
    crop,
)

pytestmark = [pytest.mark.real, pytest.mark.slow]

SCANS = {"ircadb-01": "ct.nii.gz", "ircadb-17": "dicom"}


@pytest.fixture(scope="module")
def case(expert):
    label_map = expert.labels(structures=None)
    scan = read_volume(expert.folder / SCANS[expert.name])
    assert scan.geometry.matches(label_map.geometry)
    return expert.name, label_map, body_mask(scan)


@pytest.fixture(scope="module")
def prepared(case):
    _, label_map, _ = case
    around = box_of(label_map.whole_liver(), label_map.geometry, margin_mm=50)
    return prepare(crop(label_map, around))


def test_wedges_are_rehearsed_part_by_part(case, prepared):
    name, _, _ = case
    ids = [shape.tumour.id for shape in prepared.tumours]
    wedges = WedgeResection.on(prepared, ids, 10.0)
    start = time.process_time()
    found = rehearse_prepared(prepared, wedges, steps=20)
    ready = time.process_time() - start
    begin = time.process_time()
    for step in found.steps:
        _, specimen = found.surfaces(step.progress)
        labels = found.label_map(step.progress)
        assert np.isfinite(specimen.points).all()
        assert (labels.array > 0).sum() == prepared.liver.sum()
    each = (time.process_time() - begin) / len(found.steps)
    sys.stdout.write(
        f"{name}: {len(found.vessels)} vessels in {found.front.parts} parts, "
        f"ready in {ready:.1f} s, {1000 * each:.0f} ms a step\n"
    )
    assert each < 0.3
    assert {v.vessel.point_mm for v in found.vessels} == {
        v.point_mm for v in vessels_cut(prepared, wedges)
    }
    progress = [v.progress for v in found.vessels]
    assert progress == sorted(progress)
    walls = [v.tumour_mm + v.vessel.diameter_mm / 2 for v in found.vessels if v.vessel.at == "cut"]
    assert min(walls) > 9.5  # a wedge divides vessels at its margin


KINDS = {
    "ircadb-01": 2,  # seven tumours on both sides: wedges, alone or beside a plane, clear them all
    "ircadb-17": 3,
}


def test_eight_different_proposals(case, prepared):
    name, _, _ = case
    start = time.process_time()
    plans = propose(prepared.label_map, margin_mm=5.0, count=8)
    sys.stdout.write(f"{name}: {len(plans)} plans in {time.process_time() - start:.1f} s of CPU\n")
    for plan in plans:
        sys.stdout.write(f"  {plan.name}: {plan.why}\n")
    assert len(plans) == 8
    assert len({plan.resection.kind for plan in plans}) >= KINDS[name]
    assert all(plan.assessment.clears_tumours for plan in plans)


def test_a_needle_reaches_the_largest_tumour_between_the_ribs(case, prepared):
    name, label_map, body = case
    target = prepared.tumours[0].tumour.centre_mm
    paths = needle_paths(label_map, body, target, instrument=Instrument())
    share = float(paths.free.mean())
    sys.stdout.write(
        f"{name}: {100 * share:.0f} % of {len(paths.free)} entry points are free, "
        f"the best {paths.length_mm[0]:.0f} mm with {paths.clearance_mm[0]:.1f} mm of room\n"
    )
    assert paths.free[0]
    assert 0.005 < share < 0.9
    named = {paths.obstacles[n].name for n in paths.obstacle[~paths.free] if n >= 0}
    assert "bone" in named
    # Every way that a dense look at the bone's voxels finds blocked is blocked.
    bone = label_map.mask(BONE)
    steps = np.linspace(0, 1, 400)[:, None]
    for number in range(0, len(paths.free), 50):
        way = paths.entries_mm[number] + steps * (np.array(target) - paths.entries_mm[number])
        index = np.rint(label_map.geometry.to_index(way)).astype(int)
        index = np.clip(index, 0, np.array(bone.shape) - 1)
        assert not (paths.free[number] and bone[tuple(index.T)].any())


def test_four_ports_reach_most_of_a_wedge(case, prepared):
    name, label_map, body = case
    wedges = WedgeResection.on(prepared, [prepared.tumours[0].tumour.id], 10.0)
    front = rehearse_prepared(prepared, wedges, steps=1).front
    ports = propose_ports(label_map, body, front, count=4)
    sys.stdout.write(f"{name}: {len(ports.ports_mm)} ports reach {100 * ports.share():.0f} %\n")
    assert ports.share() > 0.5
