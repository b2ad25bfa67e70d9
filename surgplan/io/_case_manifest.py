"""What ``case.json`` must look like."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from surgplan.errors import CorruptFileError

MANIFEST = "case.json"
SCHEMA = "surgplan case"
SCHEMA_VERSION = 1

_STATES = ("pending", "running", "done")


def checked(content: object, path: Path) -> dict[str, Any]:
    """The manifest, once it is known to have the form that the rest relies on.

    Raises `CorruptFileError` if it has not, or points out of its folder.
    """
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        msg = f"{path} does not describe a surgplan case; make the case again"
        raise CorruptFileError(msg)
    if content.get("schema_version") != SCHEMA_VERSION:
        found = content.get("schema_version")
        msg = f"{path} has version {found!r}, this surgplan reads {SCHEMA_VERSION}; make it again"
        raise CorruptFileError(msg)
    inputs, stages = content.get("inputs"), content.get("stages")
    good = (
        isinstance(inputs, list)
        and all(isinstance(i, dict) and {"role", "name", "sha256"} <= set(i) for i in inputs)
        and isinstance(stages, dict)
        and all(_is_stage(stage) for stage in stages.values())
    )
    if not good:
        msg = f"{path} is incomplete or was changed by hand; make the case again"
        raise CorruptFileError(msg)
    return content


def _is_stage(stage: object) -> bool:
    return (
        isinstance(stage, dict)
        and stage.get("state") in _STATES
        and isinstance(stage.get("version"), str)
        and isinstance(stage.get("settings"), dict)
        and isinstance(stage.get("facts"), dict)
        and all(_are_sums(stage.get(key)) for key in ("needs", "outputs"))
    )


def _are_sums(sums: object) -> bool:
    """Whether it maps paths inside the folder to checksums."""
    return isinstance(sums, dict) and all(
        isinstance(sha256, str) and not PurePosixPath(p).is_absolute() and ".." not in p.split("/")
        for p, sha256 in sums.items()
    )
