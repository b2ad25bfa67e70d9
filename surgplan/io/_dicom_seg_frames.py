"""Frames of one bit per voxel in the transfer syntaxes that highdicom does not read."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from surgplan.errors import CorruptFileError

DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
"""Deflated Image Frame Compression (DICOM supplement 244)."""

READABLE_SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    DEFLATED_FRAMES,
)
"""A segmentation in a lossy encoding would not be the one that was drawn."""


def plain(dataset: Dataset, name: str) -> Any:
    """The same data set in explicit little endian, where its encoding is one of three.

    Big endian, run lengths of packed bits, and deflated frames are turned round; any other data
    set comes back as it is. Raises `CorruptFileError` if a frame has not the length it should.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == ExplicitVRBigEndian:
        words = dataset["PixelData"].VR == "OW"
        pixels = _swapped(dataset.PixelData) if words else dataset.PixelData
    elif syntax == DEFLATED_FRAMES:
        pixels = _frames(dataset, _inflate, name)
    elif syntax == RLELossless and dataset.BitsAllocated == 1:
        pixels = _frames(dataset, _unpack_bits, name)
    else:
        return dataset
    dataset["PixelData"].is_undefined_length = False
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _frames(dataset: Dataset, decode: Callable[[bytes, int], bytes], name: str) -> bytes:
    """All frames in one: bits packed without gaps between frames, or bytes."""
    voxels = dataset.Rows * dataset.Columns
    count = int(dataset.NumberOfFrames)
    one_bit = dataset.BitsAllocated == 1
    size = (voxels + 7) // 8 if one_bit else voxels * dataset.BitsAllocated // 8
    frames = [
        decode(frame, size) for frame in generate_frames(dataset.PixelData, number_of_frames=count)
    ]
    if any(len(f) not in (size, size + size % 2) for f in frames) or len(frames) != count:
        msg = f"{name} has frames of the wrong length; export it uncompressed"
        raise CorruptFileError(msg)
    whole = np.frombuffer(b"".join(f[:size] for f in frames), dtype=np.uint8).reshape(count, -1)
    if not one_bit:
        return whole.tobytes()
    bits = np.unpackbits(whole, axis=1, bitorder="little")[:, :voxels]
    return np.packbits(bits, bitorder="little").tobytes()


def _inflate(frame: bytes, size: int) -> bytes:
    """Raw deflate (RFC 1951), at most a little more than ``size`` bytes."""
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(frame, size + 2)


def _unpack_bits(frame: bytes, size: int) -> bytes:
    """One segment of DICOM run length encoding (PS3.5 annex G)."""
    packed = frame[64:]
    out = bytearray()
    at = 0
    while at < len(packed) and len(out) < size:
        count = packed[at]
        if count < 128:
            out += packed[at + 1 : at + 2 + count]
            at += 2 + count
        else:
            out += packed[at + 1 : at + 2] * (257 - count if count > 128 else 0)
            at += 2 if count > 128 else 1
    return bytes(out)


def _swapped(words: bytes) -> bytes:
    return np.frombuffer(words, dtype=">u2").astype("<u2").tobytes()
