"""Zips are read like folders, and refused when they are out to do harm."""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgplan.errors import (
    CorruptFileError,
    NothingToDoError,
    UnsafeFileError,
    UnsupportedImageError,
)
from surgplan.io import list_series, read_volume


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives unpack to: it must be empty again after each read."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _zipped(maker: Any, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    folder = maker.save(maker.slices())
    path: Path = maker.folder / "scan.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.write(folder, "study")
        archive.writestr("study/readme.txt", "hello")
        for n, file in enumerate(sorted(folder.iterdir())):
            archive.write(file, f"study/part{n % 2}/{'same' if n < 2 else file.name}")
    return path


def test_a_zip_reads_like_its_folder(maker: Any, own_temporary_folder: Path) -> None:
    path = _zipped(maker)
    volume = read_volume(path)
    assert np.array_equal(volume.array, maker.truth.array)
    assert np.abs(volume.geometry.affine - maker.truth.affine).max() < 1e-6
    assert [s.uid for s in list_series(path)] == ["1.2.3"]
    assert not any(own_temporary_folder.iterdir())


def test_the_content_decides_not_the_name(maker: Any) -> None:
    path = _zipped(maker).rename(maker.folder / "scan.dcm")
    assert np.array_equal(read_volume(path).array, maker.truth.array)


@pytest.mark.parametrize(
    "name", ["../escape.dcm", "/etc/escape.dcm", "a/../../escape.dcm", "..\\escape.dcm"]
)
def test_a_zip_that_reaches_outside_is_refused(
    maker: Any, own_temporary_folder: Path, name: str
) -> None:
    path = _zipped(maker)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, bytes(128) + b"DICM")
    with pytest.raises(UnsafeFileError, match="reaches outside itself"):
        read_volume(path)
    assert not any(own_temporary_folder.iterdir())
    assert not list(maker.folder.rglob("*escape*"))


def test_a_link_in_a_zip_is_refused(maker: Any) -> None:
    path = _zipped(maker)
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeFileError, match="reaches outside itself"):
        read_volume(path)


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros.dcm", "w") as member,
    ):
        for _ in range(100):
            member.write(bytes(1 << 20))
    with pytest.raises(UnsafeFileError, match="would unpack to 104857600 bytes"):
        read_volume(path)


def test_a_member_that_lies_about_its_size_is_refused(
    tmp_path: Path, own_temporary_folder: Path
) -> None:
    path = tmp_path / "liar.zip"
    size = 8 << 20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(128) + b"DICM" + bytes(size))
    honest = (size + 132).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, (1000).to_bytes(4, "little")))
    with pytest.raises((CorruptFileError, UnsafeFileError)):
        read_volume(path)
    assert not any(own_temporary_folder.iterdir())


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(20_001):
            archive.writestr(str(n), b"")
    with pytest.raises(UnsafeFileError, match="holds 20001 files"):
        read_volume(path)


def test_a_flipped_bit_in_a_zip_is_noticed(maker: Any) -> None:
    path = _zipped(maker, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"\xe0\x7f\x10\x00OW") + 400] ^= 4
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match="damaged zip"):
        read_volume(path)


def test_a_zip_cut_short_is_refused(maker: Any) -> None:
    path = _zipped(maker)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CorruptFileError, match="damaged zip"):
        read_volume(path)


def test_a_zip_whose_directory_lies_is_refused(maker: Any) -> None:
    path = _zipped(maker)
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 16 : end + 20] = b"\xff\xff\xff\x7f"  # where its directory begins
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match="damaged zip"):
        read_volume(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_than_deflate_is_refused(maker: Any, method: int) -> None:
    with pytest.raises(UnsupportedImageError, match=f"packed with method {method}"):
        read_volume(_zipped(maker, method))


def test_an_encrypted_zip_is_refused(maker: Any) -> None:
    path = _zipped(maker)
    content = bytearray(path.read_bytes())
    for magic, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = content.find(magic)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(magic, at + 4)
    path.write_bytes(content)
    with pytest.raises(UnsupportedImageError, match="unpack it yourself"):
        read_volume(path)


def test_a_zip_without_dicom_is_nothing_to_do(tmp_path: Path) -> None:
    for name, members in (("empty.zip", []), ("text.zip", ["a.txt"])):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, os.linesep)
        with pytest.raises(NothingToDoError, match=f"no DICOM file in {name}"):
            read_volume(tmp_path / name)
