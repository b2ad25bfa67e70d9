"""A stage at work: in a folder of its own, so that nothing half-written is ever seen."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surgplan.errors import OutputError
from surgplan.io._guard import sha256_of

_WORK = ".making-"
_LEFTOVER = re.compile(r"\.[0-9a-f]{12}\..+")  # what an interrupted atomic_file leaves


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage at work.

    Attributes
    ----------
    folder
        Where it writes; files appear in the case, under the same names, when the stage ends well.
    facts
        Plain values that go to ``case.json`` with its outputs, such as fingerprints.
    """

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where to write the output of this name, such as `IMAGE` or ``'plans/1.json'``."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A hidden folder in the case, gone afterwards. Raises `OutputError` if there cannot be one."""
    with _writing(folder):
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def publish(work: Path, folder: Path, *, before: dict[str, str]) -> dict[str, str]:
    """Move all files of a stage into the case, and remove older ones that it no longer writes.

    Returns the sha256 of each, by its path in the case. Raises `OutputError`.
    """
    files = sorted(p.relative_to(work) for p in work.rglob("*") if p.is_file())
    with _writing(folder):
        sums = {file.as_posix(): sha256_of(work / file) for file in files}
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (work / file).replace(folder / file)
        for stale in set(before) - set(sums):
            (folder / stale).unlink(missing_ok=True)
    return sums


def sweep(folder: Path) -> None:
    """Remove what an interrupted run left behind. Raises `OutputError` if it cannot."""
    with _writing(folder):
        for work in folder.glob(_WORK + "*"):
            shutil.rmtree(work)
        for path in folder.rglob(".*"):
            if _LEFTOVER.fullmatch(path.name) and path.is_file():
                path.unlink()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        msg = f"cannot write in {folder}: {e.strerror or e}; free room or name another folder"
        raise OutputError(msg) from e
