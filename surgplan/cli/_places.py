"""Whether an output can be written, asked before the work and without leaving a trace."""

from __future__ import annotations

import os
from pathlib import Path

from surgplan.errors import OutputError, UsageError


def check_folder(path: Path) -> None:
    """Raise `OutputError` unless this is a folder to write in, or one could be made here."""
    place = path.absolute()
    if place.exists() and not place.is_dir():
        msg = f"cannot write in {path}: it is a file; name a folder"
        raise OutputError(msg)
    above = next(p for p in (place, *place.parents) if p.exists())
    if not above.is_dir():
        msg = f"cannot make {path}: {above} is a file; name another folder"
        raise OutputError(msg)
    if not os.access(above, os.W_OK | os.X_OK):
        msg = f"cannot write in {above}: no permission; name a folder of your own"
        raise OutputError(msg)


def check_file(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise unless a file of one of these kinds could be written here."""
    if not path.name.lower().endswith(suffixes):
        msg = f"the name must end in {', '.join(suffixes)}, got {path.name!r}"
        raise UsageError(msg)
    if path.is_dir():
        msg = f"cannot write {path}: it is a folder; give the name of a file in it"
        raise OutputError(msg)
    check_folder(path.parent)
