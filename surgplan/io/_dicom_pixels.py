"""Stored pixels of DICOM frames, exactly as many as the header says, or refused."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jpeg_ls  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from openjpeg.utils import decode as decode_jpeg_2000
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import RLELosslessDecoder
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from surgplan.errors import CorruptFileError, UnsafeFileError, UnsupportedImageError
from surgplan.io._dicom_header import Header, PixelFormat, class_name, uid_name
from surgplan.io._dicom_parse import parse, reading_dicom
from surgplan.io._guard import check_declared

Plane = npt.NDArray[np.integer]

FREE_FRAME_BYTES = 64 << 20
MAX_FRAME_RATIO = 500
"""A compressed frame over 64 MB may be 500 times larger than its codestream."""

_NATIVE = (
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)  # fmt: skip

_WAY_OUT = "convert it to uncompressed DICOM, for example with dcmdjpeg or gdcmconv --raw"


def check_format(header: Header) -> None:
    """Refuse what is no grey image with whole numbers in an encoding that we can decode.

    Raises
    ------
    UnsupportedImageError
        For colour, inverted grey, other depths than 8, 16 or 32 bits, or an encoding without
        decoder.
    """
    pixels, name = header.pixels, header.path.name
    if pixels.rows < 1 or pixels.columns < 1:
        msg = f"{name} holds no image ({class_name(header)}); give the series of a scan"
        raise UnsupportedImageError(msg)
    if pixels.samples != 1 or pixels.photometric != "MONOCHROME2":
        what = f"{pixels.photometric or 'no photometric interpretation'}, {pixels.samples} samples"
        msg = f"a scan is grey (MONOCHROME2, 1 sample), {name} has {what}; get the original series"
        raise UnsupportedImageError(msg)
    depths = pixels.bits_allocated in (8, 16, 32) and pixels.bits_stored > 1
    if not (depths and pixels.high_bit == pixels.bits_stored - 1 < pixels.bits_allocated):
        bits = f"{pixels.bits_stored} of {pixels.bits_allocated} bits, high bit {pixels.high_bit}"
        msg = f"{name} stores {bits}; only whole numbers in 8, 16 or 32 bits can be read"
        raise UnsupportedImageError(msg)
    if header.transfer_syntax not in (*_NATIVE, *_DECODERS):
        syntax = uid_name(header.transfer_syntax)
        msg = f"no decoder for {syntax} in {name}; {_WAY_OUT}"
        raise UnsupportedImageError(msg)


def planes(header: Header, frames: Sequence[int]) -> Iterator[tuple[int, Plane]]:
    """Stored numbers of some frames of a file, ``(rows, columns)`` each, in the order asked for.

    Raises
    ------
    CorruptFileError
        If there are fewer or more bytes than the header says, or they cannot be decoded.
    UnsafeFileError
        If the header claims far more than the file can hold.
    UnsupportedImageError
        If there are no pixels of a kind that we read.
    """
    check_format(header)
    content = _content(header)
    if header.transfer_syntax in _NATIVE:
        return _native(content, header, frames)
    return _decoded(content, header, frames)


def _content(header: Header) -> bytes:
    path = header.path
    dataset = parse(path, ("PixelData", "BitsAllocated"))
    with reading_dicom(path):
        content = dataset.get("PixelData")
    if not isinstance(content, bytes) or not content:
        msg = f"{path.name} ({class_name(header)}) holds no pixels; copy or export it again"
        raise CorruptFileError(msg)
    return content


def _decoded(content: bytes, header: Header, frames: Sequence[int]) -> Iterator[tuple[int, Plane]]:
    pixels, path = header.pixels, header.path
    _check_claim(pixels, len(content), path.name)
    decode = _DECODERS[header.transfer_syntax]
    with reading_dicom(path):
        codestreams = list(generate_frames(content, number_of_frames=pixels.frames))
    if len(codestreams) != pixels.frames:
        msg = (
            f"{path.name} claims {pixels.frames} frames and holds {len(codestreams)}; copy it again"
        )
        raise CorruptFileError(msg)
    for n in frames:
        with reading_dicom(path):
            plane = _shaped(decode(codestreams[n], pixels), header)
        yield n, plane


def _native(content: bytes, header: Header, frames: Sequence[int]) -> Iterator[tuple[int, Plane]]:
    pixels = header.pixels
    plane = pixels.rows * pixels.columns * pixels.bits_allocated // 8
    expected = plane * pixels.frames
    check_declared(header.path.name, expected, len(content), packed=False)
    if len(content) > expected + expected % 2:
        msg = (
            f"{header.path.name} holds {len(content)} bytes of pixels where its header says "
            f"{expected}; export it again"
        )
        raise CorruptFileError(msg)
    order = ">" if header.transfer_syntax == ExplicitVRBigEndian else "<"
    dtype = np.dtype(f"{order}{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}")
    shape = (pixels.rows, pixels.columns)
    for n in frames:
        numbers = np.frombuffer(content, dtype, pixels.rows * pixels.columns, offset=n * plane)
        yield n, numbers.reshape(shape)


def _check_claim(pixels: PixelFormat, packed: int, name: str) -> None:
    claimed = pixels.rows * pixels.columns * pixels.bits_allocated // 8 * pixels.frames
    if claimed > max(FREE_FRAME_BYTES, MAX_FRAME_RATIO * packed):
        msg = (
            f"{name} claims {claimed / 1e6:.0f} MB of pixels in {packed} compressed bytes; "
            "export it again"
        )
        raise UnsafeFileError(msg)
    check_declared(name, claimed, claimed, packed=False)


def _shaped(plane: Plane, header: Header) -> Plane:
    """The plane with the signedness that the header tells, if it has the size that it tells."""
    pixels = header.pixels
    if plane.shape != (pixels.rows, pixels.columns) or plane.dtype.kind not in "iu":
        msg = (
            f"{header.path.name} says {pixels.rows}x{pixels.columns} pixels, its compressed data "
            f"{'x'.join(map(str, plane.shape))}; export it again"
        )
        raise CorruptFileError(msg)
    kind = "i" if pixels.signed else "u"
    if plane.dtype.kind == kind:
        return plane
    wide: Plane = plane.view(f"{plane.dtype.byteorder}{kind}{plane.dtype.itemsize}")
    return wide


def _check_codestream(claimed: tuple[int, int], pixels: PixelFormat) -> None:
    if claimed != (pixels.rows, pixels.columns):
        msg = f"the codestream claims {claimed[0]}x{claimed[1]} pixels, not what the header says"
        raise ValueError(msg)


def _jpeg_2000(frame: bytes, pixels: PixelFormat) -> Plane:
    start = frame.find(b"\xff\x4f\xff\x51")  # start of codestream, then its size
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    _check_codestream((bottom - top, right - left), pixels)
    plane: Plane = decode_jpeg_2000(frame)
    return plane


def _jpeg_ls(frame: bytes, pixels: PixelFormat) -> Plane:
    start = frame.find(b"\xff\xf7")  # start of frame
    rows, columns = struct.unpack_from(">2H", frame, start + 5)
    _check_codestream((rows, columns), pixels)
    plane: Plane = jpeg_ls.jlsread(frame)
    return plane


def _rle(frame: bytes, pixels: PixelFormat) -> Plane:
    options: dict[str, Any] = {
        "pixel_keyword": "PixelData",
        "rows": pixels.rows,
        "columns": pixels.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "bits_allocated": pixels.bits_allocated,
        "bits_stored": pixels.bits_stored,
        "pixel_representation": int(pixels.signed),
        "photometric_interpretation": pixels.photometric,
    }
    decoded, _ = RLELosslessDecoder.as_array(encapsulate([frame]), **options)
    plane: Plane = decoded
    return plane


_DECODERS: dict[str, Callable[[bytes, PixelFormat], Plane]] = {
    JPEG2000Lossless: _jpeg_2000,
    JPEG2000: _jpeg_2000,
    JPEGLSLossless: _jpeg_ls,
    JPEGLSNearLossless: _jpeg_ls,
    RLELossless: _rle,
}
