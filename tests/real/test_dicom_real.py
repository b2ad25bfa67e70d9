"""Real DICOM is read onto the right grid, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from surgplan.errors import UnsupportedImageError
from surgplan.io import list_series, read_volume
from surgplan.volume import Volume

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CASES.is_dir(), reason="the real cases are not next to the project"),
]


def _lps_corners(path: Path) -> npt.NDArray[np.float64]:
    """The eight corners of a NIfTI grid in LPS, in no order, through nibabel alone."""
    image = nib.load(path)
    far = np.array(image.shape) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in far])).reshape(3, -1).T
    return nib.affines.apply_affine(image.affine, corners) * (-1, -1, 1)


def _corners(volume: Volume) -> npt.NDArray[np.float64]:
    far = [(0, n - 1) for n in volume.array.shape]
    return volume.geometry.to_lps(np.array(np.meshgrid(*far)).reshape(3, -1).T)


def _sorted(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rounded = np.round(points, 2) + 0.0
    return rounded[np.lexsort(rounded.T)]


def _labels_at(volume: Volume, path: Path, label: int) -> npt.NDArray[np.bool_]:
    """Where a label of a NIfTI file lies on the volume's grid, by physical place."""
    image = nib.load(path)
    points = np.argwhere(np.asarray(image.dataobj) == label)
    lps = nib.affines.apply_affine(image.affine, points) * (-1, -1, 1)
    indices = np.rint(volume.geometry.to_index(lps)).astype(int)
    mask = np.zeros(volume.array.shape, dtype=bool)
    mask[tuple(indices.T)] = True
    return mask


def test_ircadb_17_lies_on_the_grid_of_its_labels() -> None:
    volume = read_volume(CASES / "ircadb-17" / "dicom")
    assert volume.modality == "CT"
    assert volume.array.dtype == np.int16
    assert volume.array.shape == (119, 512, 512)
    assert (volume.array.min(), volume.array.max()) == (-1024, 1023)
    labels = CASES / "ircadb-17" / "labels.nii.gz"
    assert np.abs(_sorted(_corners(volume)) - _sorted(_lps_corners(labels))).max() <= 0.01
    liver, bone = _labels_at(volume, labels, 3), _labels_at(volume, labels, 2)
    assert 60 < np.median(volume.array[liver]) < 160  # portal phase
    assert np.median(volume.array[bone]) > 180
    inner = np.percentile(volume.array[liver], [5, 95])
    assert inner[0] > 0
    assert inner[1] < 250


def test_totalseg_dicom_in_jpeg_2000_is_read_as_highdicom_places_it() -> None:
    folder = CASES / "totalseg-dicom" / "dicom"
    volume = read_volume(folder)
    assert volume.array.shape == (20, 512, 512)
    assert volume.geometry.spacing_mm == pytest.approx((2.0, 0.9765625, 0.9765625), abs=1e-3)
    files = [pydicom.dcmread(p, stop_before_pixels=True) for p in sorted(folder.iterdir())]
    places = np.array([f.ImagePositionPatient for f in files], dtype=float)
    found = volume.geometry.to_lps([(n, 0, 0) for n in range(20)])
    assert np.abs(found - places[np.argsort(places[:, 2])]).max() <= 1e-3
    liver = _labels_at(volume, CASES / "totalseg-dicom" / "labels.nii.gz", 5)
    assert liver.sum() > 1000
    assert 40 < np.median(volume.array[liver]) < 200


def test_three_slices_with_padding_are_read() -> None:
    volume = read_volume(CASES / "dicom-odd" / "ct-3slice")
    assert volume.array.shape == (3, 512, 512)
    assert volume.geometry.spacing_mm == pytest.approx((1.0, 0.810547, 0.810547))
    place = volume.geometry.to_lps((0, 0, 0))
    assert np.abs(place - (-235.199997, -226.800003, -128.690002)).max() < 1e-6
    raw = pydicom.dcmread(CASES / "dicom-odd" / "ct-3slice" / "03.dcm")
    stored = np.frombuffer(raw.PixelData, "<i2").reshape(512, 512).astype(int)
    expected = np.where(stored == -2000, -1000, stored - 1024)
    assert np.array_equal(volume.array[0], expected)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ct_image.dcm", "at least 3 slices"),
        ("enhanced-ct.dcm", "at least 3 slices"),
        *[
            (name, r"segmentation \(DICOM SEG\), not a scan; pass it with --labels")
            for name in (
                "liver-seg.dcm",
                "liver-seg-deflate.dcm",
                "liver-seg-expb.dcm",
                "liver-seg-j2k.dcm",
                "liver-seg-nonbyte_aligned.dcm",
                "liver-seg-rle.dcm",
                "overlapping-seg.dcm",
                "seg_image_ct_binary.dcm",
                "seg_image_ct_binary_fractional.dcm",
                "seg_image_ct_binary_overlap.dcm",
                "seg_image_ct_binary_single_frame.dcm",
                "seg_image_ct_true_fractional.dcm",
                "sparse-labelmap-noppv.dcm",
                "sparse-labelmap-ppv5.dcm",
            )
        ],
    ],
)
def test_what_is_no_scan_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(UnsupportedImageError, match=reason):
        read_volume(CASES / "dicom-odd" / name)


def test_every_odd_file_is_covered_here() -> None:
    folder = CASES / "dicom-odd"
    listed = {s.uid: s.kind for s in list_series(folder)}
    assert sorted(listed.values()) == ["not a scan"] * 11 + ["too few slices"] * 2 + ["volume"]
    assert len(list(folder.glob("*.dcm"))) == 16
    assert read_volume(folder).array.shape == (3, 512, 512)
