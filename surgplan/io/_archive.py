"""Zip archives, unpacked within limits into a folder that goes away again."""

from __future__ import annotations

import errno
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from surgplan.errors import (
    CorruptFileError,
    ResourceLimitError,
    SurgplanError,
    UnsafeFileError,
    UnsupportedImageError,
)
from surgplan.io._dicom_parse import looks_like_dicom

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

MAX_MEMBERS = 20_000
MAX_BYTES = 8 << 30
FREE_BYTES = 64 << 20
MAX_RATIO = 50
"""An archive may unpack to 64 MB freely, beyond it to 50 times its size, up to 8 GB."""

_CHUNK = 1 << 20
_HEAD = 512


@contextmanager
def unpacked_dicom(path: Path) -> Iterator[Path]:
    """A temporary folder with the DICOM files of a zip; gone when the block ends.

    Files get names of our own making, so that no name in the archive can lead out of the folder;
    archives that try are refused all the same. Other files are not unpacked.

    Raises
    ------
    UnsafeFileError
        If the archive has too many members, grows beyond the limits or names paths outside itself.
    CorruptFileError
        If it is damaged or a checksum fails.
    UnsupportedImageError
        If it is encrypted or packed in a way that Python does not know.
    ResourceLimitError
        If the disk has no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="surgplan-") as name:
        folder = Path(name)
        with _reading_zip(path), zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            _check_members(members, path)
            _check_room(members, folder, path)
            for n, member in enumerate(members):
                with archive.open(member) as packed:
                    _unpack(packed, member, folder / _own_name(n, member))
        yield folder


@contextmanager
def _reading_zip(path: Path) -> Iterator[None]:
    try:
        yield
    except SurgplanError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            msg = f"the disk is full while unpacking {path.name}; free some"
            raise ResourceLimitError(msg) from error
        msg = f"{path.name} is a damaged zip ({error}); copy or download it again"
        raise CorruptFileError(msg) from error
    except (NotImplementedError, RuntimeError) as error:
        msg = f"{path.name} cannot be unpacked ({error}); unpack it yourself and give the folder"
        raise UnsupportedImageError(msg) from error


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    if len(members) > MAX_MEMBERS:
        msg = f"{path.name} holds {len(members)} files, more than {MAX_MEMBERS}; give one study"
        raise UnsafeFileError(msg)
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            msg = f"{path.name} is packed with method {member.compress_type}; unpack it yourself"
            raise UnsupportedImageError(msg)
        parts = PurePosixPath(member.filename.replace("\\", "/"))
        outside = parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[:1]
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            msg = f"{path.name} reaches outside itself with {member.filename!r}; do not trust it"
            raise UnsafeFileError(msg)
    total = sum(m.file_size for m in members)
    packed = path.stat().st_size
    limit = min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * packed))
    if total > limit:
        msg = f"{path.name} ({packed} bytes) would unpack to {total} bytes, more than {limit}"
        raise UnsafeFileError(f"{msg}; unpack it yourself if you trust it")  # noqa: EM102


def _check_room(members: list[zipfile.ZipInfo], folder: Path, path: Path) -> None:
    need = sum(m.file_size for m in members)
    room = shutil.disk_usage(folder).free
    if need > room:
        msg = f"{path.name} unpacks to {need} bytes, {folder.parent} has room for {room}; free some"
        raise ResourceLimitError(msg)


def _own_name(number: int, member: zipfile.ZipInfo) -> str:
    last = PurePosixPath(member.filename.replace("\\", "/")).name
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in last)
    return f"{number:05d}_{readable[-60:]}"


def _unpack(packed: IO[bytes], member: zipfile.ZipInfo, target: Path) -> None:
    """Copy no more than the member declares; its end is read, where the checksum is compared."""
    head = packed.read(_HEAD)
    if not looks_like_dicom(head):
        return
    written = len(head)
    with target.open("wb") as file:
        file.write(head)
        while chunk := packed.read(_CHUNK):
            written += len(chunk)
            if written > member.file_size:
                msg = f"{member.filename!r} unpacks to more than it declares; do not trust it"
                raise UnsafeFileError(msg)
            file.write(chunk)
