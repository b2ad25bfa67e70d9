"""DICOM files: found, bounded, parsed. What they say is not believed here yet."""

from __future__ import annotations

import mmap
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pydicom
from pydicom.config import disable_value_validation
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from surgplan.errors import (
    CorruptFileError,
    InputRefusedError,
    NothingToDoError,
    ResourceLimitError,
    SurgplanError,
    UnsafeFileError,
)

MAX_FILES = 100_000
"""Files in one folder: a year of a scanner is no study."""

MAX_INFLATED_BYTES = 1 << 30
MAX_INFLATED_RATIO = 100
FREE_INFLATED_BYTES = 32 << 20
"""Deflated data sets may unpack to 32 MB freely, beyond it to 100 times their size, up to 1 GB."""

_PREAMBLE = 128
_PREFIX = b"DICM"
_META_GROUP = b"\x02\x00"

_DAMAGE = (
    ArithmeticError, AttributeError, BytesLengthException, EOFError, InvalidDicomError, LookupError,
    MemoryError, NotImplementedError, OSError, RecursionError, RuntimeError, TypeError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip
"""What pydicom raises on damaged bytes (found by flipping them)."""


def looks_like_dicom(head: bytes) -> bool:
    """Whether a file that begins with these bytes (132 or more) claims to be DICOM.

    With a preamble, or, as old exports do, beginning at once with group 0002 or 0008.
    """
    if head[_PREAMBLE : _PREAMBLE + 4] == _PREFIX:
        return True
    if len(head) < 12 or head[:2] not in (_META_GROUP, b"\x08\x00"):
        return False
    return head[2:4] in (b"\x00\x00", b"\x01\x00", b"\x05\x00", b"\x08\x00", b"\x16\x00")


def dicom_files(folder: Path, where: str) -> tuple[Path, ...]:
    """DICOM files anywhere below a folder, by path; other files are passed over.

    Messages call the folder ``where``.

    Raises
    ------
    NothingToDoError
        If there is none.
    ResourceLimitError
        If there are more than `MAX_FILES` files.
    InputRefusedError
        If a file cannot be opened.
    """
    found = []
    for count, path in enumerate(sorted(folder.rglob("*")), start=1):
        if count > MAX_FILES:
            msg = f"{where} holds over {MAX_FILES} files; give the folder of one study"
            raise ResourceLimitError(msg)
        if path.is_file() and looks_like_dicom(head_of(path)):
            found.append(path)
    if not found:
        msg = f"no DICOM file in {where}; give the folder, zip or file of a scan"
        raise NothingToDoError(msg)
    return tuple(found)


def head_of(path: Path, size: int = 512) -> bytes:
    """The first bytes of a file. Raises `InputRefusedError` if it cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; check its rights"
        raise InputRefusedError(msg) from error


@contextmanager
def reading_dicom(path: Path) -> Iterator[None]:
    """Whatever pydicom raises on damaged bytes becomes `CorruptFileError`.

    Values are validated where we use them, so pydicom's own validation is off; its other warnings
    (undeclared character sets, a second way of encoding) go to its log as well, and stay there.
    """
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.filterwarnings("ignore", module=r"pydicom\b")
            yield
    except SurgplanError:
        raise
    except _DAMAGE as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        msg = f"{path.name} is damaged DICOM ({why}); copy or export it again"
        raise CorruptFileError(msg) from error


def parse(path: Path, tags: tuple[str, ...]) -> pydicom.FileDataset:
    """The elements of a DICOM file that these keywords name, and its file meta information.

    The file is mapped, not read: a length that lies beyond its end takes no memory. Deflated data
    sets are unpacked here, because pydicom unpacks the whole of them, whatever they grow to.

    Raises
    ------
    CorruptFileError
        If the bytes are no DICOM.
    UnsafeFileError
        If a deflated data set would unpack to more than the limits above.
    """
    with (
        reading_dicom(path),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        if not _is_deflated(mapped, path):
            return pydicom.dcmread(cast(BinaryIO, mapped), force=True, specific_tags=[*tags])
        unpacked = _inflated(mapped, path)
        dataset = pydicom.dcmread(BytesIO(unpacked), force=True, specific_tags=[*tags])
        dataset.file_meta = read_file_meta_info(path)
        return dataset


def _is_deflated(mapped: mmap.mmap, path: Path) -> bool:
    if mapped[_PREAMBLE : _PREAMBLE + 4] == _PREFIX:
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
        return bool(syntax == DeflatedExplicitVRLittleEndian)
    if mapped.find(DeflatedExplicitVRLittleEndian.encode()) >= 0:
        msg = f"{path.name} is deflated and has no preamble; export it again without deflate"
        raise UnsafeFileError(msg)
    return False


def _inflated(mapped: mmap.mmap, path: Path) -> bytes:
    """The data set of a deflated file, unpacked no further than the limits allow."""
    packed = len(mapped)
    limit = min(MAX_INFLATED_BYTES, max(FREE_INFLATED_BYTES, MAX_INFLATED_RATIO * packed))
    group, element, _, _, length = struct.unpack_from("<HH2sHI", mapped, _PREAMBLE + 4)
    if (group, element) != (2, 0):
        msg = "deflated data without the length of its file meta information"
        raise InvalidDicomError(msg)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacked = inflater.decompress(mapped[_PREAMBLE + 16 + length :], limit)
    if inflater.unconsumed_tail:
        msg = (
            f"{path.name} ({packed} bytes) unpacks to more than {limit / 1e6:.0f} MB; "
            "export it without deflate"
        )
        raise UnsafeFileError(msg)
    if not inflater.eof:
        msg = f"{path.name} ends inside its deflated data: it is cut short; copy it again"
        raise CorruptFileError(msg)
    if unpacked.startswith(_META_GROUP) or unpacked[_PREAMBLE : _PREAMBLE + 4] == _PREFIX:
        msg = f"{path.name} holds another file in its deflated data; export it without deflate"
        raise UnsafeFileError(msg)
    return unpacked
