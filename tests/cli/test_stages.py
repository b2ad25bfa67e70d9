"""What `plan assess` says about the stages of a plan."""

import json

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from surgplan.cli._stages import add_stage
from surgplan.io import Case
from surgplan.planning import (
    Hypertrophy,
    Plan,
    PlaneResection,
    TwoStageResection,
    UnionResection,
    assess,
    plan_to_json,
    standings_of,
)
from surgplan.report import ReportInput, write_report
from surgplan.report._offscreen import Drawn
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
    (standing,) = standings_of([plan(label_map, both)], label_map)
    stages = standing.stages
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
    (standing,) = standings_of([plan(label_map, LEFT)], label_map)
    assert standing.stages == ()
    assert standing.keeps_enough_liver == standing.plan.assessment.keeps_enough_liver


@pytest.fixture
def staged(case, body):
    """A case with a plan in two stages that holds only because the remnant grows."""
    labels = body[1]
    opened = Case.open(case)
    resection = TwoStageResection(
        first=PlaneResection(point_mm=(-37, 0, 0), normal=(1, 0, 0)),
        second=PlaneResection(point_mm=(-55, 0, 0), normal=(-1, 0, 0)),
        growth=Hypertrophy(factor=1.5, source="a second scan"),
    )
    both = Plan(
        name="in-two-stages",
        resection=resection,
        assessment=assess(labels, resection, margin_mm=1),
        labels_fingerprint=labels.fingerprint(),
    )
    (opened.plans_path / "in-two-stages.json").write_text(plan_to_json(both))
    return both


def test_every_command_and_the_report_judge_it_alike(
    surgplan_cli, case, body, staged, tmp_path, monkeypatch
):
    monkeypatch.setattr("surgplan.report._pictures.draw_views", lambda views: Drawn(reason="none"))
    volume, labels = body
    report = ReportInput(volume=volume, label_map=labels, surfaces=(), plans=(staged,))
    written = json.loads(write_report(report, tmp_path).json.read_text())["plans"][0]
    assessed = surgplan_cli("plan", "assess", case, staged.name, "--json").answer
    compared = surgplan_cli("plan", "compare", case, staged.name, "--json").answer["plans"][0]
    assert not staged.assessment.keeps_enough_liver
    assert assessed["keeps_enough_liver"]
    assert assessed["stages"] == written["stages"]
    for told in (assessed, compared):
        assert told["keeps_enough_liver"] == assessed["keeps_enough_liver"]
        assert told["standing"] == written["standing"] != "not feasible"
        assert told["verdict"] == written["verdict"]
    lines = surgplan_cli("plan", "assess", case, staged.name).out
    assert "if it grows as assumed" in " ".join(lines.split())
    assert "if it grows" in surgplan_cli("plan", "compare", case, staged.name).out


def test_without_growth_every_command_says_that_too_little_stays(surgplan_cli, case, staged):
    union = UnionResection(parts=staged.resection.parts)
    labels = Case.open(case).read_labels()
    at_once = Plan(
        name="at-once",
        resection=union,
        assessment=assess(labels, union, margin_mm=1),
        labels_fingerprint=staged.labels_fingerprint,
    )
    (Case.open(case).plans_path / "at-once.json").write_text(plan_to_json(at_once))
    told = surgplan_cli("plan", "assess", case, "at-once", "--json").answer
    assert not told["keeps_enough_liver"]
    assert told["standing"] == "not feasible"
    assert told["stages"] == []
