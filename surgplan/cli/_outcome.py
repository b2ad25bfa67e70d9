"""What a command hands back, and how it reaches the terminal."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, TextIO

import surgplan

SCHEMA_VERSION = 1
"""Rises when a field of any JSON answer changes its meaning or disappears."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The answer of a command.

    Attributes
    ----------
    kind
        The command in words, for example ``'models list'``.
    data
        The answer for programs: what JSON can hold, numpy numbers and paths.
    text
        The answer for people: words, or anything that rich can print.
    exit_code
        0 unless the answer itself says that something is wrong.
    """

    kind: str
    data: Mapping[str, object]
    text: Any = ""
    exit_code: int = 0


def show(outcome: Outcome, *, as_json: bool, stream: TextIO) -> None:
    """Write an outcome: exactly one JSON object, or words that end in the disclaimer."""
    if as_json:
        stream.write(to_json(outcome.kind, outcome.data) + "\n")
    else:
        words = _words(outcome.text, coloured=stream.isatty())
        stream.write("\n".join(filter(None, (words, surgplan.NOT_A_MEDICAL_DEVICE))) + "\n")
    stream.flush()


def _words(text: Any, *, coloured: bool) -> str:
    if isinstance(text, str):
        return text
    from rich.console import Console

    # Into memory first: rich would end the process when the reader of a pipe goes away.
    width = shutil.get_terminal_size().columns if coloured else 120
    console = Console(file=io.StringIO(), force_terminal=coloured, width=width, highlight=False)
    with console.capture() as captured:
        console.print(text)
    return captured.get().rstrip("\n")


def to_json(kind: str, data: Mapping[str, object]) -> str:
    """One line of JSON with its schema, version and disclaimer.

    >>> print(to_json("doctor", {"ok": True})[:52])
    {"schema": "surgplan.doctor", "schema_version": 1, "
    """
    head = {
        "schema": "surgplan." + kind.replace(" ", "-"),
        "schema_version": SCHEMA_VERSION,
        "surgplan_version": surgplan.__version__,
        "notice": surgplan.NOT_A_MEDICAL_DEVICE,
    }
    return json.dumps(_plain({**head, **data}), allow_nan=False, ensure_ascii=False)


def _plain(value: object) -> object:
    """What JSON can hold; numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, PathLike):
        return str(value)
    if hasattr(value, "tolist"):  # numpy, which need not be loaded to answer
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show_error(message: str, *, as_json: bool, exit_code: int, kind: str) -> None:
    """Write an error: one line on stderr, and with `as_json` the same as JSON on stdout."""
    line = one_line(message)
    print(f"surgplan: error: {line}", file=sys.stderr, flush=True)
    if as_json:
        data = {"exit_code": exit_code, "error": kind, "message": line}
        show(Outcome(kind="error", data=data), as_json=True, stream=sys.stdout)


def one_line(text: str) -> str:
    r"""The text on one line, without characters that could steer a terminal.

    >>> one_line("bad\n  series \x1b[31mname")
    'bad series [31mname'
    """
    lines = " ".join(line.strip() for line in text.splitlines() if line.strip())
    return "".join(c for c in lines if c.isprintable())
