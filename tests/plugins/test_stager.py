"""Operations in two stages: made in two clicks, judged stage by stage, as the command line does."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from napari.components import ViewerModel

from napari_surgplan._plan_columns import WAITING, compared
from napari_surgplan._plan_rows import headline, rows_of
from napari_surgplan._planner import Planner
from napari_surgplan._session import Session
from surgplan.planning import (
    AFTER_PORTAL_OCCLUSION,
    PlaneResection,
    Standing,
    TwoStageResection,
    prepare,
    stages_of,
)

from .conftest import settled

LEFT = PlaneResection(point_mm=(45, 0, 0), normal=(1, 0, 0))
RIGHT = PlaneResection(point_mm=(28, 0, 0), normal=(-1, 0, 0))
"""Between them stay about 15 %, too little; grown 1.38 times as well."""


@pytest.fixture
def staged(planner):
    """A cut on the left, and one on the right as its second stage."""
    planner.begin("plane", LEFT)
    settled(planner)
    planner.stager.mark(planner.draft.resection)
    planner.begin("plane", RIGHT)
    settled(planner)
    return planner


def test_the_next_cut_is_the_second_stage_of_the_one_marked(staged):
    plan = staged.session.current_plan
    assert plan.name == "two-stage"
    assert isinstance(plan.resection, TwoStageResection)
    assert (plan.resection.first, plan.resection.second) == (LEFT, RIGHT)
    assert plan.resection.growth == AFTER_PORTAL_OCCLUSION
    assert staged.stager.first is None
    staged.begin("plane", LEFT)  # and the one after that stands alone again
    settled(staged)
    assert staged.session.current_plan.resection == LEFT


def test_stages_are_those_of_the_engine_and_of_the_command_line(staged):
    plan, session = staged.session.current_plan, staged.session
    found = staged.standing.stages
    assert found == stages_of(prepare(session.label_map), plan.resection)
    session.autosave.wait()
    code = "from surgplan.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "plan", "assess", str(session.case.folder), plan.name]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)["stages"]
    shown = {(row.group, row.name): row.value for row in rows_of(staged.standing)}
    for group, stage in zip(("First operation", "Second operation"), told, strict=True):
        assert shown[group, "Resected"] == pytest.approx(stage["resected_ml"], abs=1e-6)
        assert shown[group, "Left in place"] == pytest.approx(stage["left_ml"], abs=1e-6)
        assert shown[group, "Remnant to be"] == pytest.approx(stage["flr_ml"], abs=1e-6)
    assert (
        shown["Second operation", "Remnant to be"] > 1.3 * shown["First operation", "Remnant to be"]
    )


def test_the_verdict_is_that_on_the_remnant_once_grown(staged):
    told = headline(staged.standing)
    last = staged.standing.stages[-1]
    assert told.feasible == staged.standing.keeps_enough_liver is False
    assert f"{last.flr_percent:.1f} % of the measured functional liver stay once grown" in told.text
    wide = PlaneResection(point_mm=(5, 0, 0), normal=(-1, 0, 0))
    staged.go_on_with(wide)
    settled(staged)
    assert staged.session.current_plan.resection.second == wide
    assert "stay once grown" in headline(staged.standing).text
    assert headline(staged.standing).flagged  # it counts on growth


def test_what_must_be_read_first_is_first_in_the_table_word_for_word(staged):
    flags = staged.standing.flags
    rows = rows_of(staged.standing)
    first = [row for row in rows if row.group == "Read first"]
    assert flags
    assert [row.name for row in first] == list(flags)
    assert list(rows[: len(first)]) == first
    assert {(row.text, row.state) for row in first} == {("", "bad")}


def test_comparing_waits_for_stages_and_then_shows_them(staged):
    plans = staged.session.plans
    names, columns = compared(plans, [Standing(plan=plans[0], stages=()), None])
    assert columns[1][names.index("Feasible")] == WAITING
    names, columns = compared(plans, [staged.stager.standing(plan) for plan in plans])
    grown = columns[1][names.index("Once grown, %")]
    assert grown == f"{staged.standing.stages[-1].flr_percent:.1f}"


def test_a_case_with_two_stages_opens_with_them(staged):
    session = staged.session
    session.autosave.wait()
    again = Session(ViewerModel())
    again.open(session.case.folder)
    planner = Planner(again)
    planner.take_ready(planner.make_ready())
    settled(planner)
    assert again.current_plan.name == "two-stage"
    assert planner.standing.stages == staged.standing.stages
    again.close()


def test_handles_of_both_stages_move_their_own(staged):
    from napari_surgplan._handles import handles_of, moved

    cut = staged.session.current_plan.resection
    first, second = (next(h for h in handles_of(cut) if h.part == part) for part in (0, 1))
    label_map = staged.session.label_map
    after = moved(cut, first, first.point_mm + 3, label_map)
    assert (after.first == LEFT, after.second) == (False, RIGHT)
    after = moved(cut, second, second.point_mm + 3, label_map)
    assert (after.first, after.second == RIGHT) == (LEFT, False)


def test_other_labels_forget_the_first_stage(staged, body):
    staged.stager.mark(LEFT)
    staged.session.set_labels(body[1].with_array(body[1].array.copy()))
    assert staged.stager.first is None
    assert staged.standing is None
