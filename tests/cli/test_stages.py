"""What `plan assess` says about the stages of a plan."""

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from surgplan.cli._stages import add_stage, stages_told
from surgplan.planning import (
    Hypertrophy,
    Plan,
    PlaneResection,
    TwoStageResection,
    assess,
)
from surgplan.volume import LIVER, Geometry, LabelMap

LEFT = PlaneResection(point_mm=(60, 0, 0), normal=(1, 0, 0))
RIGHT = PlaneResection(point_mm=(40, 0, 0), normal=(-1, 0, 0))


@pytest.fixture(scope="module")
def label_map():
    """A block of liver, 80 x 40 x 40 mm."""
    geometry = Geometry.from_spacing(shape=(20, 20, 40), spacing_mm=(2.0, 2.0, 2.0))
    array = np.full(geometry.shape, LIVER.label, dtype=np.uint8)
    return LabelMap(array=array, geometry=geometry, segments=(LIVER,))


def plan(label_map, resection):
    said = assess(label_map, resection, margin_mm=1)
    return Plan(
        name="one",
        resection=resection,
        assessment=said,
        labels_fingerprint=label_map.fingerprint(),
    )


def test_both_stages_are_told_with_growth_and_verdicts(label_map):
    growth = Hypertrophy(factor=1.5, source="a second scan")
    both = TwoStageResection(first=LEFT, second=RIGHT, growth=growth)
    table = Table()
    stages = stages_told(plan(label_map, both), label_map)
    for stage in stages:
        add_stage(table, stage)
    console = Console(width=200)
    with console.capture() as caught:
        console.print(table)
    text = " ".join(caught.get().replace("│", " ").split())
    slab_ml = 2 * 40 * 40 / 1000  # the block begins half a voxel before its first centre
    assert stages[0].resected_ml == pytest.approx(9.5 * slab_ml)
    assert f"stage 1: resects {9.5 * slab_ml:.1f} ml" in text
    assert "grown 1.50 times (a second scan)" in text
    assert "reaches 25 % of the measured functional liver" in text
    assert "ligates" not in text


def test_other_plans_have_no_stages(label_map):
    assert stages_told(plan(label_map, LEFT), label_map) == ()
