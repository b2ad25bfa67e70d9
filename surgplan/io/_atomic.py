"""Writing so that a reader never meets half a file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surgplan.errors import OutputError, UsageError


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """A temporary path that becomes ``path`` when the block ends well.

    The temporary file lies in the same folder, so that the last step is one rename; its name ends
    like the wanted one, because writers choose their format by the suffix. When the block fails or
    is interrupted, nothing is left and an older file under the wanted name stays as it was.

    Parameters
    ----------
    path
        Where the file shall be; missing folders above it are made.

    Yields
    ------
    Path
        Write here; the file need not exist before.

    Raises
    ------
    OutputError
        If the folder cannot be written, the disk is full or ``path`` is a folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_file(Path(folder) / "note.txt") as temporary:
    ...         _ = temporary.write_text("written in one piece")
    ...     sorted(p.name for p in Path(folder).iterdir())
    ['note.txt']
    """
    path = Path(path)
    if path.is_dir():
        msg = f"cannot write {path}: it is a folder; give the name of a file in it"
        raise OutputError(msg)
    temporary = path.with_name(f".{secrets.token_hex(6)}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)  # noqa: PTH105 the name that os documents as atomic
        _flush(path.parent)
    except OutputError:
        raise
    except OSError as e:
        reason = e.strerror or str(e)
        msg = f"cannot write {path}: {reason}; choose a folder that can be written and has room"
        raise OutputError(msg) from e
    finally:
        _discard(temporary)


def write_json(obj: object, path: Path | str) -> None:
    """Write an object as JSON, the same bytes each time: UTF-8, two spaces, keys as given.

    Parameters
    ----------
    obj
        Anything that JSON can say: dict, list, str, int, float, bool, None.
    path
        Where; written in one piece, see `atomic_file`.

    Raises
    ------
    UsageError
        If a number is NaN or infinite, or a value has no JSON form.
    OutputError
        If the file cannot be written.
    """
    try:
        text = json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as e:
        msg = f"{Path(path).name} needs plain finite values: {e}"
        raise UsageError(msg) from e
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def _flush(path: Path) -> None:
    """Make the system put a file, or the list of files in a folder, on the disk now."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle on folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _discard(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # the folder is gone or locked, and so is what we might have left there
