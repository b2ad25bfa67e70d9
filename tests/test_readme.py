"""What the README says is so: its commands parse, its links lead somewhere, its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from surgplan.cli import main
from surgplan.cli._app import build
from surgplan.errors import SurgplanError

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]


def console_lines() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for line in console_lines()
    if line.startswith(".venv/bin/surgplan")
]


def parse(words: list[str]) -> None:
    """Parse a command line without running it; raises where it is none."""
    command, rest = build(), list(words)
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context("surgplan", rest)


def test_the_readme_shows_commands() -> None:
    assert {"run", "segment", "view"} <= {words[0] for words in COMMANDS}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_readme_parses(words) -> None:
    parse(words)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_readme_has_help(words, capsys) -> None:
    depth = 2 if words[0] in {"models", "plan"} else 1
    assert main([*words[:depth], "--help"]) == 0
    assert words[0] in capsys.readouterr().out


@pytest.mark.parametrize("words", [["mesh"], ["mesh", "a", "b", "--no-such"], ["nothing"]])
def test_a_command_that_is_none_does_not_parse(words) -> None:
    usage_error = typer.BadParameter.__mro__[1]  # typer gives it no other name
    with pytest.raises((KeyError, usage_error)):
        parse(words)


def test_the_make_targets_of_the_readme_are_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake (\w+)", README))
    assert {"demo", "test", "install"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_a_link_within_the_project_leads_somewhere(document) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    inside = [link for link in links if "://" not in link]
    assert not [link for link in inside if not (document.parent / link).exists()]


def test_every_risk_names_a_test_that_is_there() -> None:
    rows = [line for line in (ROOT / "docs/risks.md").read_text().splitlines() if line[:1] == "|"]
    tests = {path for row in rows[2:] for path in re.findall(r"`([^`]+)`", row.split("|")[3])}
    assert all("`" in row.split("|")[3] for row in rows[2:])
    assert not [path for path in sorted(tests) if not list((ROOT / "tests").glob(path))]


def test_the_exit_codes_are_those_of_the_errors() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", README, flags=re.MULTILINE))
    classes = [SurgplanError, *SurgplanError.__subclasses__()]
    assert {str(c.exit_code) for c in classes} | {"0", "130"} == set(rows)


def test_the_python_of_the_readme_runs(capsys) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    told = re.match(r"([\d.]+) ml of tumour; (\d+) of (\d+) ml stay", capsys.readouterr().out)
    tumour_ml, remnant_ml, total_ml = map(float, told.groups())
    assert 0 < tumour_ml < total_ml - remnant_ml < total_ml < 3000
