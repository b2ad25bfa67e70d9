"""DICOM Segmentations written on a series and read back."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

import surgplan
from surgplan.errors import NothingToDoError, UsageError
from surgplan.io import read_label_map, read_volume, write_dicom_seg, write_dicom_series
from surgplan.volume import ANATOMY, LIVER, LIVER_TUMOUR, SPLEEN, Geometry, LabelMap, Volume


@pytest.fixture(params=["straight", "oblique"])
def series(request, tmp_path):
    """Folder and scan, as it is read back."""
    affine = np.diag([3.0, 0.9, 0.9, 1.0])[[2, 1, 0, 3]]
    if request.param == "oblique":
        turn = np.deg2rad(20)
        tilt = np.eye(4)
        tilt[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        affine = tilt @ affine
    affine[:3, 3] = (-20, 10, 300)
    array = np.random.default_rng(0).integers(-200, 300, (7, 20, 24)).astype(np.int16)
    grid = Geometry(shape=array.shape, affine=affine)
    write_dicom_series(Volume(array=array, geometry=grid, modality="CT"), tmp_path / "scan")
    return tmp_path / "scan", read_volume(tmp_path / "scan")


def labelled(volume: Volume) -> LabelMap:
    array = np.zeros(volume.geometry.shape, dtype=np.uint8)
    array[2:6, 3:15, 2:14] = LIVER.label
    array[3:5, 5:9, 5:8] = LIVER_TUMOUR.label
    array[1, 16, 20] = SPLEEN.label
    return LabelMap(array=array, geometry=volume.geometry, segments=ANATOMY)


def test_what_is_written_is_read_back(series, tmp_path) -> None:
    folder, volume = series
    label_map = labelled(volume)
    out = tmp_path / "labels.dcm"
    write_dicom_seg(label_map, folder, out, series=volume.identity, model="tiny 1")
    back = read_label_map(out)
    first = int(np.rint(volume.geometry.to_index(back.geometry.to_lps((0, 0, 0)))[0]))
    whole = np.zeros_like(label_map.array)
    whole[first : first + len(back.array)] = back.array
    assert np.array_equal(whole, label_map.array)
    np.testing.assert_allclose(
        back.geometry.affine[:3, :3], volume.geometry.affine[:3, :3], atol=1e-4
    )


def test_the_object_refers_to_its_images_and_says_what_it_is(series, tmp_path) -> None:
    folder, volume = series
    out = tmp_path / "labels.dcm"
    write_dicom_seg(labelled(volume), folder, out, series=volume.identity, model="tiny 1")
    told = pydicom.dcmread(out)
    image = pydicom.dcmread(next(folder.iterdir()))
    assert told.Modality == "SEG"
    assert told.StudyInstanceUID == image.StudyInstanceUID
    assert told.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert told.SeriesDescription in surgplan.NOT_A_MEDICAL_DEVICE
    names = [s.SegmentLabel for s in told.SegmentSequence]
    assert names == [LIVER.name, LIVER_TUMOUR.name, SPLEEN.name]
    codes = [s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in told.SegmentSequence]
    assert codes == [s.code.value for s in (LIVER, LIVER_TUMOUR, SPLEEN)]


def test_what_cannot_be_written_is_refused(series, tmp_path) -> None:
    folder, volume = series
    label_map = labelled(volume)
    with pytest.raises(NothingToDoError, match="no image"):
        write_dicom_seg(label_map, folder, tmp_path / "x.dcm", series="1.2.3")
    empty = label_map.with_array(np.zeros_like(label_map.array))
    with pytest.raises(NothingToDoError, match="no voxel"):
        write_dicom_seg(empty, folder, tmp_path / "x.dcm", series=volume.identity)
    with pytest.raises(UsageError, match=r"\.dcm"):
        write_dicom_seg(label_map, folder, tmp_path / "x.nii", series=volume.identity)
