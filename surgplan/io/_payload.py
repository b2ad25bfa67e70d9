"""The voxels of NRRD and MetaImage files, once their header has been understood."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import numpy.typing as npt

from surgplan.errors import UnsafeFileError
from surgplan.io._guard import check_declared, input_file, read_to_end, refusing_damage

Encoding = Literal["raw", "gzip", "bzip2", "zlib"]


@dataclass(frozen=True, kw_only=True)
class Payload:
    """Where voxels lie in a file and how.

    Attributes
    ----------
    path, offset
        The file and its byte where they begin.
    encoding
        How they are packed.
    sizes
        Samples along the file's axes, fastest first.
    dtype
        Of one sample, byte order included.
    """

    path: Path
    offset: int
    encoding: Encoding
    sizes: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, name: str) -> npt.NDArray[Any]:
        """The samples in the machine's byte order, slowest axis first.

        Every checksum is verified, and the file must end where the samples end.

        Raises `CorruptFileError`, `UnsafeFileError`, `ResourceLimitError`.
        """
        declared = int(np.prod(self.sizes, dtype=object)) * self.dtype.itemsize
        stored = self.path.stat().st_size - self.offset
        check_declared(name, declared, stored, packed=self.encoding != "raw")
        with self.path.open("rb") as raw, refusing_damage(name):
            raw.seek(self.offset)
            content = read_to_end(self._unpacked(raw), declared, name)
        samples = np.frombuffer(content, dtype=self.dtype).reshape(self.sizes[::-1])
        return samples.astype(self.dtype.newbyteorder("="), copy=False)

    def _unpacked(self, raw: BinaryIO) -> BinaryIO:
        if self.encoding == "gzip":
            return cast("BinaryIO", gzip.GzipFile(fileobj=raw))
        if self.encoding == "bzip2":
            return cast("BinaryIO", bz2.BZ2File(raw))
        if self.encoding == "zlib":
            return cast("BinaryIO", io.BufferedReader(_ZlibReader(raw)))
        return raw


class _ZlibReader(io.RawIOBase):
    """A zlib stream as a file; its checksum is verified at its end, and nothing may follow."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._raw.read(1 << 16)
            if not packed:
                raise EOFError
            out = self._inflate.decompress(packed, len(view))
            if out:
                view[: len(out)] = out
                return len(out)
        if self._inflate.unused_data or self._raw.read(1):
            msg = "bytes follow the end of the stream"
            raise zlib.error(msg)
        return 0


def beside(header: Path, named: str) -> Path:
    """The data file of a detached header, which must lie next to it.

    Raises `UnsafeFileError` if it points elsewhere, `NothingToDoError` if it is not there.
    """
    if named != Path(named).name or "\\" in named or named in ("", ".", ".."):
        msg = f"{header.name} points to {named!r}; its data must lie next to it in one folder"
        raise UnsafeFileError(msg)
    return input_file(header.with_name(named))
