"""What doctor finds, and that it survives what it tests."""

from __future__ import annotations

import pytest

from surgplan.cli import _checks, _doctor
from surgplan.cli._checks import Check


def test_a_complete_computer_is_well(surgplan_cli) -> None:
    told = surgplan_cli("doctor", "--json")
    checks = {c["what"]: c for c in told.answer["checks"]}
    assert {"python", "numpy", "vtk", "decoder: JPEG 2000", "off-screen graphics"} <= set(checks)
    assert {"torch", "models", "memory"} <= set(checks)
    assert all(c["state"] in ("ok", "missing", "bad") for c in checks.values())
    assert all(c["way_out"] for c in checks.values() if c["state"] != "ok")
    assert told.answer["ok"] == (told.code == 0)
    assert checks["numpy"]["state"] == checks["off-screen graphics"]["state"] == "ok"


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("missing", 0), ("bad", 1)])
def test_only_what_the_work_needs_makes_it_end_with_1(
    surgplan_cli, monkeypatch, state, code
) -> None:
    check = Check(what="a [thing]", state=state, found="not [bold]there", way_out="get it")
    monkeypatch.setattr(_doctor, "ALL_CHECKS", (lambda: [check],))
    told = surgplan_cli("doctor")
    assert told.code == code
    assert "a [thing]" in told.out
    assert "not [bold]there" in told.out
    assert "get it" in told.out


@pytest.mark.parametrize(
    ("package", "check", "state", "way_out"),
    [
        ("vtk", _checks.check_libraries, "bad", "pip install"),
        ("monai", _checks.check_extras, "missing", "surgplan[ai]"),
        ("napari", _checks.check_extras, "missing", "surgplan[gui]"),
        ("torch", _checks.check_torch, "missing", "surgplan[ai]"),
        ("pylibjpeg-openjpeg", _checks.check_decoders, "bad", "pylibjpeg-openjpeg"),
        ("pyjpegls", _checks.check_decoders, "missing", "python-gdcm"),
    ],
)
def test_what_is_not_installed_is_named_with_its_install_line(
    monkeypatch, package, check, state, way_out
) -> None:
    version = _checks._version
    gone = {package, "python-gdcm"}
    monkeypatch.setattr(_checks, "_version", lambda p: None if p in gone else version(p))
    found = [c for c in check() if c.found == "not installed" and way_out in c.way_out]
    assert state in {c.state for c in found}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "ended with"),
        ("raise RuntimeError('no screen')", "no screen"),
        ("raise SystemExit('the picture is empty')", "the picture is empty"),
    ],
)
def test_a_driver_that_crashes_is_a_finding(code, said) -> None:
    check = _checks._probe("graphics", code, state="bad", way_out="install one")
    assert (check.state, check.way_out) == ("bad", "install one")
    assert said in check.found


def test_a_driver_that_hangs_is_a_finding(monkeypatch) -> None:
    monkeypatch.setattr(_checks, "PROBE_SECONDS", 0.5)
    check = _checks._probe("graphics", "import time; time.sleep(60)", state="bad", way_out="x")
    assert "no answer" in check.found


def test_too_little_memory_and_a_locked_folder_are_findings(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(_checks, "MIN_MEMORY_GB", 1e6)
    assert {"bad"} == {c.state for c in _checks.check_resources() if c.what == "memory"}
    assert _checks._writable(tmp_path / "gone").state == "bad"
    assert _checks._writable(tmp_path).state == "ok"
