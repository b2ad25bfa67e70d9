"""The program as a user meets it: words in; exit code, stdout and stderr out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import surgplan
from surgplan.cli import main


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out + self.err
        answer = json.loads(lines[0])
        assert answer["schema"].startswith("surgplan.")
        assert answer["schema_version"] == 1
        assert answer["notice"] == surgplan.NOT_A_MEDICAL_DEVICE
        return dict(answer)

    @property
    def error(self) -> str:
        """The one line that says what went wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("surgplan: error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback (most recent" not in self.err + self.out
        assert self.err.splitlines()[-1] == lines[0]
        return lines[0].removeprefix("surgplan: error: ")


Surgplan = Callable[..., Told]


@pytest.fixture
def surgplan_cli(capsys: pytest.CaptureFixture[str]) -> Surgplan:
    def run(*words: str | Path | float) -> Told:
        capsys.readouterr()
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return Told(code, out, err)

    return run
