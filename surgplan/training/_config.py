"""Training configs in TOML: read them, and build frozen settings from their tables."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from surgplan.errors import InputRefusedError

T = TypeVar("T")


def read_config(path: Path) -> dict[str, Any]:
    """The keys and tables of a config, and under them those of the config it is ``based_on``.

    Raises
    ------
    InputRefusedError
        If a file is no TOML or cannot be read.
    """
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, ValueError) as e:
        msg = f"cannot read the training config {path}: {e}"
        raise InputRefusedError(msg) from e
    based_on = data.pop("based_on", None)
    return data if based_on is None else {**read_config(path.parent / based_on), **data}


def build(kind: type[T], values: dict[str, Any], where: str) -> T:
    """Settings of a kind from a table; keys that mean nothing are refused.

    Raises
    ------
    InputRefusedError
        If a key is unknown or one that is needed is missing.
    """
    unknown = set(values) - {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        msg = f"{where} has unknown keys {sorted(unknown)}"
        raise InputRefusedError(msg)
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**plain)
    except TypeError as e:
        msg = f"{where}: {e}"
        raise InputRefusedError(msg) from e
