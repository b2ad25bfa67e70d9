"""`surgplan couinaud`: files, facts and refusals, on a case with a liver."""

from __future__ import annotations

import json

import numpy as np
import pytest

import surgplan
from surgplan.io import Case
from surgplan.planning import VesselTree


def test_a_case_has_segments_vessels_and_territories(made, body) -> None:
    case = Case.open(made)
    couinaud = case.read_couinaud()
    assert couinaud is not None
    _, label_map = body
    assert np.array_equal(couinaud.array > 0, label_map.whole_liver())
    trees = case.read_vessels()
    assert {t.system for t in trees} == {"portal", "hepatic"}
    assert all(isinstance(t, VesselTree) for t in trees)
    content = json.loads(case.vessels_path.read_text())
    assert content["notice"] == surgplan.NOT_A_MEDICAL_DEVICE
    portal = [r for r in content["territories"] if r["system"] == "portal"]
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    assert sum(r["branch_ml"] for r in portal) == pytest.approx(
        label_map.whole_liver().sum() * voxel_ml, abs=0.1
    )
    assert case.territories_path.is_file()


def test_the_command_says_what_was_chosen_and_why(surgplan_cli, case) -> None:
    told = surgplan_cli("couinaud", case, "--json")
    assert told.code == 0, told.err
    answer = told.answer
    assert answer["state"] == "kept"
    assert answer["method"] == "learned"
    assert answer["why"].startswith("The network was chosen")
    assert len(answer["segments"]) == 8
    total = sum(s["share_percent"] for s in answer["segments"])
    assert total == pytest.approx(100, abs=0.1)
    words = surgplan_cli("couinaud", case)
    assert "VIII" in words.out
    assert "The network was chosen" in words.out.replace("\n", " ")


def test_vessels_that_name_no_segments_are_refused(surgplan_cli, case) -> None:
    told = surgplan_cli("couinaud", case, "--method", "vessels")
    assert told.code == 4
    assert "portal branches" in told.error


def test_the_report_has_the_segments(made) -> None:
    facts = json.loads((made / "report.json").read_text())["couinaud"]
    assert [s["name"] for s in facts["segments"]] == [
        f"segment {n}" for n in ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")
    ]
    assert len(facts["tumours"]) == 2
    for tumour in facts["tumours"]:
        assert sum(s["percent"] for s in tumour["segments"]) == pytest.approx(100, abs=0.1)
    taken = [s["resected_percent"] for s in facts["segments"]]
    assert all(0 <= v <= 100 for row in taken for v in row.values() if v is not None)
    assert "Segments of Couinaud" in (made / "report.html").read_text()
