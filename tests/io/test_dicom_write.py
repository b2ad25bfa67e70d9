"""Series that we write are valid DICOM and come back as they were."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, BinaryIO

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import GeometryError, OutputError, UsageError
from surgplan.io import read_volume, write_dicom_series
from surgplan.volume import Geometry, Modality, Volume, reorient


def _volume(truth: Any, modality: Modality = "CT") -> Volume:
    array = truth.array if modality == "CT" else truth.array + np.int16(1024)
    geometry = Geometry(shape=array.shape, affine=truth.affine)
    return Volume(array=array, geometry=geometry, modality=modality)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_written_series_comes_back_exactly(
    truth: Any, tmp_path: Path, modality: Modality
) -> None:
    volume = _volume(truth, modality)
    write_dicom_series(volume, tmp_path / "out")
    back = read_volume(tmp_path / "out")
    assert np.array_equal(back.array, volume.array)
    assert back.array.dtype == np.int16
    assert back.modality == modality
    assert np.abs(back.geometry.affine - volume.geometry.affine).max() < 1e-9
    assert back.fingerprint() == volume.fingerprint()


def test_other_readers_find_the_same_volume(truth: Any, tmp_path: Path) -> None:
    write_dicom_series(_volume(truth), tmp_path / "out")
    files = [pydicom.dcmread(p) for p in sorted((tmp_path / "out").iterdir())]
    by_highdicom = highdicom.get_volume_from_series(files)
    by_ours = read_volume(tmp_path / "out")
    assert np.array_equal(by_highdicom.array[::-1], by_ours.array)  # it counts from the top
    for n, place in enumerate(by_ours.geometry.to_lps([(5, 0, 0), (4, 1, 2), (0, 35, 32)])):
        index = [(0, 0, 0, 1), (1, 1, 2, 1), (5, 35, 32, 1)][n]
        assert np.abs((by_highdicom.affine @ index)[:3] - place).max() < 1e-6
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "out")))
    image = reader.Execute()
    assert np.array_equal(sitk.GetArrayFromImage(image), by_ours.array)
    corner = [n - 1 for n in image.GetSize()]
    place = image.TransformIndexToPhysicalPoint(corner)
    assert np.allclose(place, by_ours.geometry.to_lps(corner[::-1]), atol=1e-3)


@pytest.mark.parametrize("codes", ["IPL", "SAR", "LPS", "AIL"])
def test_any_order_of_axes_keeps_every_voxel_in_its_place(
    truth: Any, tmp_path: Path, codes: str
) -> None:
    volume = _volume(truth)
    write_dicom_series(reorient(volume, codes), tmp_path / "out")
    back = reorient(read_volume(tmp_path / "out"), volume.geometry.axis_codes)
    assert back.fingerprint() == volume.fingerprint()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    angles=st.tuples(*[st.floats(-np.pi, np.pi)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    origin=st.tuples(*[st.floats(-900, 900)] * 3),
)
def test_any_rotated_grid_survives(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
) -> None:
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        turn[[a, a, b, b], [a, b, a, b]] = (
            np.cos(angle),
            -np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        )
        rotation = rotation @ turn
    affine = np.eye(4)
    affine[:3, :3] = (rotation * spacing)[:, ::-1]
    affine[:3, 3] = origin
    array = np.arange(-30, 30, dtype=np.int16).reshape(3, 4, 5)
    volume = Volume(array=array, geometry=Geometry(shape=array.shape, affine=affine), modality="CT")
    folder = tmp_path_factory.mktemp("rotated") / "out"
    write_dicom_series(volume, folder)
    back = read_volume(folder)
    assert np.array_equal(back.array, array)
    assert back.geometry.matches(volume.geometry, atol_mm=1e-6)


def test_ct_is_rounded_and_mr_is_scaled(truth: Any, tmp_path: Path) -> None:
    values = (truth.array / 3).astype(np.float32)
    ct = _volume(truth).with_array(values)
    write_dicom_series(ct, tmp_path / "ct")
    assert np.array_equal(read_volume(tmp_path / "ct").array, np.rint(values))
    unit = (values - values.min()) / 5000
    mr = _volume(truth, "MR").with_array(unit.astype(np.float32))
    write_dicom_series(mr, tmp_path / "mr")
    step = float(mr.array.max() - mr.array.min()) / 65535
    error = np.abs(read_volume(tmp_path / "mr").array - mr.array).max()
    assert step / 10 < error <= 0.51 * step


@pytest.mark.parametrize("synthetic", [False, True])
def test_marks_are_where_people_look(truth: Any, tmp_path: Path, synthetic: bool) -> None:
    write_dicom_series(_volume(truth), tmp_path / "out", description="liver", synthetic=synthetic)
    dataset = pydicom.dcmread(tmp_path / "out" / "slice_0001.dcm")
    assert dataset.SeriesDescription == ("SYNTHETIC liver" if synthetic else "liver")
    assert dataset.PatientName == "liver"
    assert NOT_A_MEDICAL_DEVICE in dataset.ImageComments
    assert ("SYNTHETIC" in dataset.ImageComments) is synthetic
    assert dataset.ImageType[0] == ("DERIVED" if synthetic else "ORIGINAL")
    assert dataset.preamble == bytes(128)


def test_the_same_call_gives_the_same_bytes_and_another_seed_other_uids(
    truth: Any, tmp_path: Path
) -> None:
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_dicom_series(_volume(truth), tmp_path / folder, seed=seed)
    names = [p.name for p in sorted((tmp_path / "a").iterdir())]
    assert names == [f"slice_{n:04d}.dcm" for n in range(1, 7)]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    uids = {
        str(pydicom.dcmread(tmp_path / folder / name)[tag].value)
        for folder in "ac"
        for name in names
        for tag in ("SOPInstanceUID", "SeriesInstanceUID")
    }
    assert len(uids) == 2 * len(names) + 2
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)


def test_a_frame_of_reference_is_kept(truth: Any, tmp_path: Path) -> None:
    geometry = Geometry(shape=truth.array.shape, affine=truth.affine)
    volume = Volume(
        array=truth.array, geometry=geometry, modality="CT", frame_of_reference="1.2.77"
    )
    write_dicom_series(volume, tmp_path / "out")
    assert read_volume(tmp_path / "out").frame_of_reference == "1.2.77"


def test_a_folder_appears_whole_or_not_at_all(
    truth: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = pydicom.FileDataset.save_as

    def full_disk(self: pydicom.FileDataset, file: BinaryIO, **options: Any) -> None:
        if file.name.endswith("slice_0004.dcm"):
            raise OSError(28, "No space left on device")
        saved(self, file, **options)

    monkeypatch.setattr(pydicom.FileDataset, "save_as", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_dicom_series(_volume(truth), tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(truth: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds something already"):
        write_dicom_series(_volume(truth), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "new").mkdir()
    write_dicom_series(_volume(truth), tmp_path / "new")
    assert len(list((tmp_path / "new").iterdir())) == 6


def test_what_dicom_cannot_say_is_refused(truth: Any, tmp_path: Path) -> None:
    sheared = truth.affine.copy()
    sheared[:3, 0] += sheared[:3, 1]
    tilted = Volume(
        array=truth.array,
        geometry=Geometry(shape=truth.array.shape, affine=sheared),
        modality="CT",
    )
    with pytest.raises(GeometryError, match="perpendicular"):
        write_dicom_series(tilted, tmp_path / "out")
    with pytest.raises(UsageError, match="at most 48 characters"):
        write_dicom_series(_volume(truth), tmp_path / "out", description="x" * 49)
    far = _volume(truth).with_array(truth.array.astype(np.float32) * 100)
    with pytest.raises(UsageError, match="CT values must lie in"):
        write_dicom_series(far, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) not installed")
@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("synthetic", [False, True])
def test_written_files_are_valid_dicom(
    truth: Any, tmp_path: Path, modality: Modality, synthetic: bool
) -> None:
    write_dicom_series(_volume(truth, modality), tmp_path / "out", synthetic=synthetic)
    for path in sorted((tmp_path / "out").iterdir())[:2]:
        checked = subprocess.run(
            ["dciodvfy", str(path)], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0
        assert "Error" not in checked.stderr
        assert f"{modality}Image" in checked.stderr
