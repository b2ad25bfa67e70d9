"""Damaged and hostile DICOM files are refused by name, quickly and in little memory."""

from __future__ import annotations

import resource
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from surgplan.errors import (
    CorruptFileError,
    InputRefusedError,
    SurgplanError,
    UnsafeFileError,
    UnsupportedImageError,
)
from surgplan.io import read_volume


@contextmanager
def _frugal(megabytes: int = 300, seconds: float = 10) -> Iterator[None]:
    """Peak memory may not rise by more; generous in time, for busy machines."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < megabytes * 1024
    assert time.process_time() - start < seconds


def _path(maker: Any, dataset: Dataset) -> Path:
    path: Path = maker.save([dataset]) / "IM0000"
    return path


def test_a_deflate_bomb_is_refused_before_it_unpacks(maker: Any) -> None:
    dataset = maker.enhanced()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = _path(maker, dataset)
    content = path.read_bytes()
    start = 128 + 16 + struct.unpack_from("<I", content, 128 + 12)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(1 << 22)) for _ in range(50)) + packer.flush()
    path.write_bytes(content[:start] + bomb)  # 0.2 MB that unpacks to 200 MB
    with _frugal(100), pytest.raises(UnsafeFileError, match="unpacks to more than"):
        read_volume(path)


def test_a_deflated_file_within_another_is_refused(maker: Any) -> None:
    dataset = maker.enhanced()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = _path(maker, dataset)
    content = path.read_bytes()
    start = 128 + 16 + struct.unpack_from("<I", content, 128 + 12)[0]
    for inner in (content, content[132:]):
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        path.write_bytes(content[:start] + packer.compress(inner) + packer.flush())
        with pytest.raises(UnsafeFileError, match="another file in its deflated data"):
            read_volume(path)
    path.write_bytes(content[132:])
    with pytest.raises(UnsafeFileError, match="deflated and has no preamble"):
        read_volume(path)


def test_a_deflated_file_cut_short_is_refused(maker: Any) -> None:
    dataset = maker.enhanced()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = _path(maker, dataset)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CorruptFileError, match="cut short"):
        read_volume(path)


def test_a_length_beyond_the_file_takes_no_memory(maker: Any) -> None:
    path = _path(maker, maker.enhanced())
    content = path.read_bytes()
    at = content.rindex(b"\xe0\x7f\x10\x00OW\0\0") + 8
    path.write_bytes(content[:at] + struct.pack("<I", 0xFFFFFFF0) + b"\0\0")
    with _frugal(), pytest.raises(CorruptFileError, match=r"no pixels|cut short|damaged"):
        read_volume(path)


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless])
def test_a_claim_that_the_file_cannot_hold_is_refused(maker: Any, syntax: str | None) -> None:
    dataset = maker.enhanced()
    dataset.Rows = dataset.Columns = 65535
    if syntax:
        dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60)] * 6)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
    with _frugal(), pytest.raises(UnsafeFileError, match=r"declares|claims"):
        read_volume(_path(maker, dataset))


@pytest.mark.parametrize("frames", [-1, 0, 2_000_000_000])
def test_a_number_of_frames_out_of_this_world_is_refused(maker: Any, frames: int) -> None:
    dataset = maker.enhanced()
    dataset.NumberOfFrames = frames
    with _frugal(), pytest.raises(CorruptFileError, match=f"claims {frames} frames"):
        read_volume(_path(maker, dataset))


def test_frames_without_a_place_each_are_refused(maker: Any) -> None:
    dataset = maker.enhanced()
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    with pytest.raises(CorruptFileError, match="6 frames but describes 5"):
        read_volume(_path(maker, dataset))


@pytest.mark.parametrize("depth", [300, 10_000])
def test_sequences_nested_without_end_are_refused(maker: Any, depth: int) -> None:
    path = _path(maker, maker.enhanced())
    content = path.read_bytes()
    open_sequence = struct.pack("<HH2sHI", 0x5200, 0x9229, b"SQ", 0, 0xFFFFFFFF)
    open_item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    at = content.index(b"\x00\x52\x29\x92SQ")
    path.write_bytes(content[:at] + (open_sequence + open_item) * depth)
    with _frugal(), pytest.raises(CorruptFileError, match="damaged DICOM"):
        read_volume(path)


def test_fewer_compressed_frames_than_claimed_are_refused(maker: Any) -> None:
    dataset = maker.enhanced()
    dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)  # RLE
    dataset.NumberOfFrames = 7
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [*dataset.PerFrameFunctionalGroupsSequence, _next_place(maker)]
    )
    with pytest.raises(CorruptFileError, match=r"claims 7 frames and holds 6|damaged"):
        read_volume(_path(maker, dataset))


def _next_place(maker: Any) -> Dataset:
    position = Dataset()
    position.ImagePositionPatient = [f"{n:.8f}" for n in maker.position(6)]
    frame = Dataset()
    frame.PlanePositionSequence = Sequence([position])
    return frame


def test_a_damaged_compressed_frame_is_refused(maker: Any) -> None:
    dataset = maker.enhanced()
    dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    path = _path(maker, dataset)
    content = path.read_bytes()
    path.write_bytes(content[:-400] + bytes(392) + content[-8:])
    with pytest.raises(CorruptFileError, match="damaged"):
        read_volume(path)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.9, 0.999])
def test_one_file_cut_short_refuses_the_series(maker: Any, kept: float) -> None:
    folder = maker.save(maker.slices())
    path = folder / "IM0003"
    content = path.read_bytes()
    path.write_bytes(content[: max(200, int(kept * len(content)))])
    with pytest.raises(InputRefusedError, match=r"IM000[34]"):
        read_volume(folder)


def test_flipped_bytes_never_end_in_anything_but_a_refusal(maker: Any) -> None:
    """The header can be hit anywhere: there is a volume, or one line that says why not."""
    path = _path(maker, maker.enhanced())
    content = path.read_bytes()
    header = content.rindex(b"\xe0\x7f\x10\x00OW")
    random = np.random.default_rng(3)
    refusals = []
    for _ in range(150):
        damaged = bytearray(content)
        damaged[int(random.integers(0, header + 12))] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(damaged)
        try:
            read_volume(path)
        except SurgplanError as error:
            refusals.append(str(error))
    assert 20 < len(refusals) < 150
    assert all(len(words.splitlines()) == 1 for words in refusals)


def test_a_file_that_only_begins_like_dicom_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(bytes(128) + b"DICM" + b"and then something else entirely")
    with pytest.raises((CorruptFileError, UnsupportedImageError)):
        read_volume(path)


def test_old_files_without_preamble_are_read(maker: Any) -> None:
    folder = maker.save(maker.slices())
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    assert np.array_equal(read_volume(folder).array, maker.truth.array)
