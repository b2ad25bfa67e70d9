"""What every reader asks of a file before it trusts it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from surgplan.errors import (
    CorruptFileError,
    InputRefusedError,
    NothingToDoError,
    ResourceLimitError,
    UnsafeFileError,
)

MAX_IMAGE_BYTES = 8 << 30
"""No image may unpack to more: a whole-body CT of 0.5 mm has about 2 GB."""

MAX_JSON_BYTES = 64 << 20

DEFLATE_LIMIT = 1032
"""Deflate cannot pack better than 1032:1 (https://zlib.net/zlib_tech.html)."""

GZIP_MAGIC = b"\x1f\x8b"

_CHUNK = 4 << 20


def input_file(path: Path | str) -> Path:
    """The path, once it is known to be a file that can be opened.

    Raises `NothingToDoError` if there is no such file, `InputRefusedError` if it may not be read.
    """
    path = Path(path)
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "not there"
            msg = f"no file to read: {path} is {what}; give the path of one file"
            raise NothingToDoError(msg)
        with path.open("rb"):
            return path
    except OSError as e:
        msg = f"cannot open {path}: {e.strerror}; check its rights"
        raise InputRefusedError(msg) from e


def available_bytes() -> int:
    """Memory that can be taken now without swapping."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return MAX_IMAGE_BYTES


def check_declared(name: str, declared: int, stored: int, *, packed: bool) -> None:
    """Refuse a header that promises more bytes than its file can hold or we would take.

    Parameters
    ----------
    name
        What to call the file in the message.
    declared
        Bytes of voxels that the header promises.
    stored
        Bytes that the file has for them.
    packed
        Whether they are compressed with deflate, which holds at most `DEFLATE_LIMIT` times more.

    Raises
    ------
    CorruptFileError
        If an uncompressed file is cut short.
    UnsafeFileError
        If the promise cannot be true, or exceeds `MAX_IMAGE_BYTES`.
    ResourceLimitError
        If there is not enough free memory.
    """
    promise = f"{name} declares {declared / 1e6:.1f} MB of voxels"
    if declared > MAX_IMAGE_BYTES:
        msg = f"{promise}, more than {MAX_IMAGE_BYTES / 1e9:.1f} GB; crop or resample it first"
        raise UnsafeFileError(msg)
    if declared > stored * (DEFLATE_LIMIT if packed else 16):
        msg = f"{promise} but its {stored} bytes cannot hold them; export the scan again"
        raise UnsafeFileError(msg)
    if not packed and declared > stored:
        msg = f"{promise} but holds {stored / 1e6:.1f} MB: it is cut short; copy it again"
        raise CorruptFileError(msg)
    if 3 * declared > available_bytes():
        msg = f"{promise}, too much for {available_bytes() / 1e9:.1f} GB of free memory"
        raise ResourceLimitError(msg)


@contextmanager
def refusing_damage(name: str) -> Iterator[None]:
    """Turn what decompressors and disks raise on damage into `CorruptFileError`."""
    try:
        yield
    except EOFError as e:
        msg = f"{name} is cut short; copy or download it again"
        raise CorruptFileError(msg) from e
    except (gzip.BadGzipFile, zlib.error) as e:
        msg = f"{name} is damaged ({e}); copy or download it again"
        raise CorruptFileError(msg) from e
    except OSError as e:
        if isinstance(e, (InputRefusedError, NothingToDoError)):
            raise
        msg = f"{name} cannot be read ({e.strerror or e}); copy or download it again"
        raise CorruptFileError(msg) from e


def read_to_end(stream: BinaryIO, size: int, name: str, *, start: bytes = b"") -> bytearray:
    """Exactly ``size`` bytes, ``start`` among them, which must be all that the stream has.

    A gzip stream checks its checksum only at its end, so the end is always read.

    Raises `CorruptFileError` if there are fewer or more.
    """
    content = bytearray(size)
    filled = min(len(start), size)
    content[:filled] = start[:filled]
    view = memoryview(content)
    with refusing_damage(name):
        while filled < size:
            count = stream.readinto(view[filled : filled + _CHUNK])  # type: ignore[attr-defined]
            if not count:
                msg = f"{name} ends {size - filled} bytes early: it is cut short; copy it again"
                raise CorruptFileError(msg)
            filled += count
        excess = len(start) > size or stream.read(1)
    view.release()
    if excess:
        msg = f"{name} holds more bytes than its header declares; export it again"
        raise CorruptFileError(msg)
    return content


def sha256_of(path: Path) -> str:
    """Sha256 of a file's bytes, as hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path | str) -> object:
    """What a JSON file says.

    Raises `CorruptFileError` if it is not JSON, gives a key twice or a number that is not finite,
    `UnsafeFileError` if it is over `MAX_JSON_BYTES`, `NothingToDoError` if it is not there.
    """
    path = input_file(path)
    if path.stat().st_size > MAX_JSON_BYTES:
        msg = f"{path.name} has over {MAX_JSON_BYTES >> 20} MB, too much for a JSON file of ours"
        raise UnsafeFileError(msg)
    try:
        content: object = json.loads(
            path.read_bytes(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as e:
        msg = f"{path.name} is not valid JSON ({e}); correct it or write it again"
        raise CorruptFileError(msg) from e
    return content


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        msg = f"{next(k for k in keys if keys.count(k) > 1)!r} stands twice"
        raise ValueError(msg)
    return content


def _refuse_constant(word: str) -> object:
    msg = f"{word} is no number"
    raise ValueError(msg)
