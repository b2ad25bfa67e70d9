"""Scans that must not be read: one line, the right exit code, nothing left behind."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from surgplan.io import write_dicom_series, write_volume
from surgplan.volume import Geometry, Volume

nib = pytest.importorskip("nibabel")

SHAPE = (6, 16, 18)


def _ct() -> Volume:
    values = np.random.default_rng(4).integers(-900, 900, SHAPE).astype(np.int16)
    geometry = Geometry.from_spacing(shape=SHAPE, spacing_mm=(3, 1, 1), origin_mm=(-9, -8, 40))
    return Volume(array=values, geometry=geometry, modality="CT")


def _series(folder: Path, *, seed: int = 0) -> Path:
    write_dicom_series(_ct(), folder, seed=seed)
    return folder


def _edit(folder: Path, change: Callable[[int, pydicom.Dataset], None]) -> Path:
    for number, path in enumerate(sorted(folder.glob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        change(number, dataset)
        dataset.save_as(path)
    return folder


def _nifti(path: Path, array: np.ndarray) -> Path:
    image = nib.Nifti1Image(array, np.diag([1.5, 1.5, 3, 1]))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def truncated_gzip(folder: Path) -> Path:
    path = folder / "scan.nii.gz"
    write_volume(_ct(), path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def text_renamed_nii(folder: Path) -> Path:
    path = folder / "scan.nii"
    path.write_text("a letter, not a scan\n" * 100)
    return path


def empty_folder(folder: Path) -> Path:
    path = folder / "dicom"
    path.mkdir()
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "scan.nii.gz"
    path.touch()
    return path


def mixed_series(folder: Path) -> Path:
    one, other = _series(folder / "both"), _series(folder / "other", seed=7)
    for path in other.glob("*.dcm"):
        shutil.move(path, one / f"other_{path.name}")
    other.rmdir()
    return one


def missing_slice(folder: Path) -> Path:
    series = _series(folder / "dicom")
    sorted(series.glob("*.dcm"))[2].unlink()
    return series


def tilted_gantry(folder: Path) -> Path:
    def tilt(number: int, dataset: pydicom.Dataset) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, round(float(y) + 0.8 * number, 4), z]

    return _edit(_series(folder / "dicom"), tilt)


def nan_voxels(folder: Path) -> Path:
    array = np.zeros((18, 16, 6), np.float32)
    array[3, 4, 2] = np.nan
    return _nifti(folder / "scan.nii.gz", array)


def flat_image(folder: Path) -> Path:
    return _nifti(folder / "scan.nii.gz", np.zeros((18, 16), np.int16))


def screenshot(folder: Path) -> Path:
    array = np.random.default_rng(0).integers(0, 256, (18, 16, 6)).astype(np.uint8)
    return _nifti(folder / "scan.nii.gz", array)


def bomb(folder: Path) -> Path:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape((30000, 30000, 30000))
    header.set_xyzt_units("mm")
    header["vox_offset"] = 352
    path = folder / "scan.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 4 + b"\0" * 100_000))
    return path


def gzip_that_swells(folder: Path) -> Path:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((8, 8, 8))
    header.set_xyzt_units("mm")
    header["vox_offset"] = 352
    path = folder / "scan.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 4 + b"\0" * 300_000_000, 1))
    return path


def not_there(folder: Path) -> Path:
    return folder / "no" / "such" / "scan.nii.gz"


def mr_given_as_ct(folder: Path) -> Path:
    array = np.random.default_rng(0).integers(0, 1800, (18, 16, 6)).astype(np.int16)
    return _nifti(folder / "scan.nii.gz", array)


def colour_dicom(folder: Path) -> Path:
    def paint(number: int, dataset: pydicom.Dataset) -> None:
        dataset.SamplesPerPixel = 3
        dataset.PhotometricInterpretation = "RGB"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.PixelRepresentation = 0
        dataset.PixelData = bytes(dataset.Rows * dataset.Columns * 3)

    return _edit(_series(folder / "dicom"), paint)


def duplicate_slice(folder: Path) -> Path:
    series = _series(folder / "dicom")
    first = sorted(series.glob("*.dcm"))[0]
    dataset = pydicom.dcmread(first)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(series / "again.dcm")
    return series


def slipping_zip(folder: Path) -> Path:
    series = _series(folder / "dicom")
    path = folder / "scan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in series.glob("*.dcm"):
            archive.write(file, file.name)
        archive.writestr("../../escaped.dcm", b"\0" * 200)
    shutil.rmtree(series)
    return path


BAD = {
    truncated_gzip: (3, "CorruptFileError"),
    text_renamed_nii: (3, None),
    empty_folder: (4, "NothingToDoError"),
    empty_file: (3, None),
    mixed_series: (3, "SeveralSeriesError"),
    missing_slice: (3, "MissingSliceError"),
    duplicate_slice: (3, "DuplicateSliceError"),
    tilted_gantry: (3, "GantryTiltError"),
    nan_voxels: (3, "IntensityError"),
    flat_image: (3, "UnsupportedImageError"),
    screenshot: (3, None),
    bomb: (3, "UnsafeFileError"),
    gzip_that_swells: (3, None),
    not_there: (4, "NothingToDoError"),
    mr_given_as_ct: (3, "IntensityError"),
    colour_dicom: (3, "UnsupportedImageError"),
    slipping_zip: (3, "UnsafeFileError"),
}


def _tree(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(p.relative_to(folder)), p.stat().st_mtime_ns) for p in folder.rglob("*"))


def _modality(make: Callable[[Path], Path]) -> tuple[str, ...]:
    return ("--modality", "ct") if make is mr_given_as_ct else ()


@pytest.mark.parametrize("command", ["segment", "run"])
@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_bad_scan_is_refused(surgplan_cli, tmp_path, make, command) -> None:
    scan = make(tmp_path)
    before = _tree(tmp_path)
    out = tmp_path / ("out.nii.gz" if command == "segment" else "case")
    told = surgplan_cli(command, scan, out, *_modality(make), "--json")
    code, kind = BAD[make]
    assert told.code == code, told.err
    assert told.answer["exit_code"] == code
    assert kind in (None, told.answer["error"]), told.error
    assert len(told.error) > 20
    assert _tree(tmp_path) == before
    assert not (tmp_path.parent / "escaped.dcm").exists()


@pytest.mark.parametrize("make", [truncated_gzip, missing_slice], ids=lambda make: make.__name__)
def test_in_a_process_of_its_own_and_before_torch_is_loaded(tmp_path, make) -> None:
    scan = make(tmp_path)
    before = _tree(tmp_path)
    code = (
        "import sys; from surgplan.cli import main; code = main(); "
        "print('LOADED', 'torch' in sys.modules); raise SystemExit(code)"
    )
    command = [sys.executable, "-c", code, "run", str(scan), str(tmp_path / "case")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stdout == "LOADED False\n"
    assert done.stderr.startswith("surgplan: error: ")
    assert done.stderr.count("\n") == 1
    assert _tree(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "out"), [("segment", "file/out.nii.gz"), ("run", "file"), ("run", "file/case")]
)
def test_an_output_that_cannot_be_written(surgplan_cli, tmp_path, command, out) -> None:
    write_volume(_ct(), tmp_path / "scan.nii.gz")
    (tmp_path / "file").write_text("in the way")
    before = _tree(tmp_path)
    told = surgplan_cli(command, tmp_path / "scan.nii.gz", tmp_path / out)
    assert told.code == 5
    assert "in the way" not in told.error
    assert "file" in told.error
    assert _tree(tmp_path) == before


def test_a_suffix_that_nobody_writes_is_a_usage_error(surgplan_cli, tmp_path) -> None:
    write_volume(_ct(), tmp_path / "scan.nii.gz")
    told = surgplan_cli("segment", tmp_path / "scan.nii.gz", tmp_path / "out.png")
    assert told.code == 2
    assert ".nii.gz" in told.error


@pytest.mark.parametrize("size", ["three", "-3G", "0", "G", ""])
def test_a_size_that_is_none_is_a_usage_error(surgplan_cli, tmp_path, size) -> None:
    told = surgplan_cli(
        "segment", tmp_path / "scan.nii", tmp_path / "out.nii", f"--max-memory={size}"
    )
    assert told.code == 2
    assert "--max-memory" in told.error
