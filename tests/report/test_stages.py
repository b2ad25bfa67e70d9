"""A plan in two stages on the page: the remnant before each operation, growth and its source."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from surgplan.planning import (
    AFTER_PORTAL_OCCLUSION,
    PlaneResection,
    TwoStageResection,
    WedgeResection,
    assess,
    prepare,
    stages_of,
    tumours_of,
)
from surgplan.report import ReportInput, write_report
from surgplan.report._table import ml, percent

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("no_graphics")


@pytest.fixture(scope="module")
def staged(case: ReportInput) -> ReportInput:
    """The wedge first, then so much of the liver that too little stays unless it grows."""
    labels, plain = case.label_map, case.plans[0]
    resection = TwoStageResection(
        first=WedgeResection.around(labels, tumours_of(labels), 11.0),
        second=PlaneResection(point_mm=(-25.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0)),
        growth=AFTER_PORTAL_OCCLUSION,
    )
    said = assess(labels, resection, margin_mm=10.0)
    plan = replace(plain, name="in-two-stages", resection=resection, assessment=said)
    return replace(case, plans=(plain, plan))


def test_each_stage_is_told_with_its_growth_and_verdict(
    staged: ReportInput, tmp_path: Path, read_page: Callable[[str], Any]
) -> None:
    result = write_report(staged, tmp_path, created=CREATED)
    plain, told = json.loads(result.json.read_text(encoding="utf-8"))["plans"]
    page = read_page(result.html.read_text(encoding="utf-8")).text
    resection = staged.plans[1].resection
    assert isinstance(resection, TwoStageResection)
    stages = stages_of(prepare(staged.label_map), resection)
    assert plain["stages"] == []
    assert [s["resected_ml"] for s in told["stages"]] == [s.resected_ml for s in stages]
    assert [s["flr_ml"] for s in told["stages"]] == [s.flr_ml for s in stages]
    assert page.count("Two stages: what each operation takes") == 1
    assert page.count("Two stages: the future liver remnant before each operation") == 1
    first, second = stages
    assert f"first a wedge around tumour 1 1 {ml(first.resected_ml)} – {ml(first.left_ml)}" in page
    assert f"second all beyond a plane – {ml(second.resected_ml)} – {ml(second.left_ml)}" in page
    for name, stage, growth in (("first", first, "none"), ("second", second, "by 38.5 %")):
        enough = "✓ yes" if stage.keeps_enough_liver else "✗ no"
        row = f"{name} operation {ml(stage.flr_ml)} {percent(stage.flr_percent)} {enough} {growth}"
        assert row in page
    assert AFTER_PORTAL_OCCLUSION.source in page
    today, grown = (s.verdicts[0] for s in stages)
    row = f"{percent(today.value_percent)} {percent(grown.value_percent)} 25.0 % ✓ yes"
    assert f"of the measured functional liver {row}" in page
    before = f"{percent(second.flr_percent)} before the second operation, if it grows as assumed"
    assert page.count(before) == 1
    assert f"the same before the second operation, grown – {percent(second.flr_percent)}" in page


def test_what_is_left_is_judged_before_the_last_operation(
    staged: ReportInput, tmp_path: Path
) -> None:
    """Too little without growth, enough with it: feasible, and the flag still says what is now."""
    plan = staged.plans[1]
    assert not plan.assessment.keeps_enough_liver
    result = write_report(staged, tmp_path, created=CREATED)
    told = json.loads(result.json.read_text(encoding="utf-8"))["plans"][1]
    assert told["standing"] == "feasible with flags"
    assert "if it grows as assumed between the stages" in told["verdict"]
    small = replace(plan, resection=replace(plan.resection, growth=replace(
        AFTER_PORTAL_OCCLUSION, factor=1.0)))  # fmt: skip
    result = write_report(replace(staged, plans=(small,)), tmp_path, created=CREATED)
    told = json.loads(result.json.read_text(encoding="utf-8"))["plans"][0]
    assert told["standing"] == "not feasible"
    low = [f for f in told["flags"] if f.startswith("Grown before the second operation, the remn")]
    assert len(low) == sum(not check["passed"] for check in told["remnant_checks"]) > 0
