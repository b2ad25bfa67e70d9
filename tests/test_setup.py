"""The set-up script on machines that are not like this one."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch):
    """The script as a module whose commands are noted in `said`, not run."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("surgplan_setup", str(ROOT / "scripts" / "setup"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    module.said = []

    def run(*command, check=True):
        module.said.append(" ".join(map(str, command)))
        return 0

    monkeypatch.setattr(module, "run", run)
    monkeypatch.delenv("TORCH_INDEX", raising=False)
    return module


def test_an_old_python_alone_is_refused_with_the_way_out(script, monkeypatch) -> None:
    monkeypatch.setattr(script.sys, "version_info", (3, 9, 18))
    monkeypatch.setattr(script.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"3\.11 or newer.*is 3\.9\.18.*make install PYTHON="):
        script.find_python()


def test_a_newer_python_on_the_path_is_taken_where_the_first_is_old(script, monkeypatch) -> None:
    monkeypatch.setattr(script.sys, "version_info", (3, 9, 18))
    known = {"python3.12": "/usr/bin/python3.12", "python3.11": "/usr/bin/python3.11"}
    monkeypatch.setattr(script.shutil, "which", known.get)
    assert script.find_python() == "/usr/bin/python3.12"


@pytest.mark.parametrize(
    ("there", "address", "expected"),
    [
        (True, None, "pip install torch==2.13.0 --extra-index-url https://download.pytorch.org/whl/cpu"),
        (False, None, "pip install torch==2.13.0"),
        (True, "https://example.org/cu128", "pip install torch==2.13.0 --extra-index-url https://example.org/cu128"),
    ],
)  # fmt: skip
def test_torch_is_for_the_cpu_unless_asked_and_needs_no_second_host(
    script, monkeypatch, there, address, expected
) -> None:
    monkeypatch.setattr(script.sys, "platform", "linux")
    monkeypatch.setattr(script, "reachable", lambda url: there)
    if address:
        monkeypatch.setenv("TORCH_INDEX", address)
    script.install_torch(("pip",))
    assert script.said[-1] == expected


def test_a_host_that_never_answers_costs_seconds_not_minutes(script) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        assert not script.reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert time.monotonic() - start < 15


def test_without_root_the_packages_are_named_and_nothing_is_tried(
    script, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(script.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(script.shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    assert not script.apt_install(["xvfb", "libegl1"])
    assert "please install: apt-get install xvfb libegl1" in capsys.readouterr().out
    assert not script.said


def test_nothing_is_installed_where_nothing_is_missing(script, monkeypatch) -> None:
    monkeypatch.setattr(script, "loads", lambda library: True)
    monkeypatch.setattr(script.shutil, "which", lambda name: name)
    script.set_up_screen()
    assert not script.said


def test_only_what_is_missing_is_installed(script, monkeypatch) -> None:
    monkeypatch.setattr(script.sys, "platform", "linux")
    monkeypatch.setattr(script.os, "geteuid", lambda: 0)
    monkeypatch.setattr(script, "loads", lambda library: library != "libEGL.so.1")
    monkeypatch.setattr(script.shutil, "which", lambda name: None if name == "dciodvfy" else name)
    script.set_up_screen()
    assert script.said[-1].endswith("--no-install-recommends libegl1 dicom3tools")


def test_a_python_without_venv_gets_its_package_first(script, monkeypatch, tmp_path) -> None:
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho python3.11-venv\nexit 1\n")
    bare.chmod(0o755)
    monkeypatch.setattr(script, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(script, "root_prefix", list)
    monkeypatch.setattr(script.shutil, "which", lambda name: name)
    script.make_venv(str(bare))
    assert script.said[-2].endswith("--no-install-recommends python3.11-venv")
    assert script.said[-1] == f"{bare} -m venv {tmp_path / '.venv'}"


def test_a_mac_brings_its_own_screen(script, monkeypatch) -> None:
    monkeypatch.setattr(script.sys, "platform", "darwin")
    monkeypatch.setattr(script, "loads", lambda library: False)
    script.set_up_screen()
    assert not script.said


@pytest.mark.parametrize("name", ["setup", "check", "test"])
def test_a_script_can_be_executed(name) -> None:
    assert os.access(ROOT / "scripts" / name, os.X_OK)


def test_the_scan_of_the_demo_is_there() -> None:
    (scan,) = re.findall(r"^SCAN \?= (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert (ROOT / scan).is_file()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("target", "words"),
    [("demo", "surgplan run"), ("test", "scripts/test"), ("check", "scripts/check")],
)
def test_a_target_sets_everything_up_before_its_work(target, words) -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "-W", "scripts/setup", target],
        check=True, capture_output=True, text=True, cwd=ROOT,
    ).stdout  # fmt: skip
    assert 0 <= told.find("scripts/setup") < told.find(words)
