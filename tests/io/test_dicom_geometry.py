"""Series that make one grid come back exactly; the others are refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

from surgplan.errors import (
    DuplicateSliceError,
    GantryTiltError,
    GeometryError,
    MissingSliceError,
    MixedOrientationError,
    UnevenSpacingError,
)
from surgplan.io import list_series, read_volume
from surgplan.io._dicom_grid import stack_of
from surgplan.io._dicom_header import read_slices
from surgplan.volume import Geometry, Volume


def _is_truth(volume: Volume, truth: Any, first: int = 0, last: int | None = None) -> None:
    assert np.array_equal(volume.array, truth.array[first:last])
    assert volume.array.dtype == np.int16
    affine = truth.affine.copy()
    affine[:3, 3] += first * affine[:3, 0]
    assert np.abs(volume.geometry.affine - affine).max() <= 1e-6
    assert volume.frame_of_reference == truth.frame_of_reference


def test_a_series_comes_back_exactly(maker: Any) -> None:
    volume = read_volume(maker.save(maker.slices()))
    _is_truth(volume, maker.truth)
    assert volume.modality == "CT"
    assert volume.identity == "1.2.3"


def test_the_order_of_files_and_instance_numbers_does_not_matter(maker: Any) -> None:
    slices = maker.slices()
    for dataset in slices:
        dataset.InstanceNumber = 1
    order = [3, 0, 5, 1, 4, 2]
    _is_truth(read_volume(maker.save([slices[n] for n in order])), maker.truth)
    _is_truth(read_volume(maker.save(slices[::-1], "reversed")), maker.truth)


def test_files_may_be_nested_among_others(maker: Any) -> None:
    slices = maker.slices()
    folder = maker.save(slices[:2])
    maker.save(slices[2:], "scan/deeper/still")
    (folder / "report.txt").write_text("nothing to see")
    (folder / "empty").touch()
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(600))
    directory = maker.slices()[0]
    directory.file_meta.MediaStorageSOPClassUID = directory.SOPClassUID = "1.2.840.10008.1.3.10"
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    _is_truth(read_volume(folder), maker.truth)


def test_tags_for_thickness_are_not_believed(maker: Any) -> None:
    slices = maker.slices()
    for dataset in slices:
        dataset.SliceThickness = 7
        dataset.SpacingBetweenSlices = 0.1
        dataset.SliceLocation = 4
        dataset.GantryDetectorTilt = 12
    _is_truth(read_volume(maker.save(slices)), maker.truth)


def test_a_multi_frame_file_comes_back_exactly(maker: Any) -> None:
    path = maker.save([maker.enhanced()]) / "IM0000"
    _is_truth(read_volume(path), maker.truth)


def test_frames_in_any_order_come_back_in_place(maker: Any) -> None:
    dataset = maker.enhanced()
    groups = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = groups[::-1]
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(maker.truth.array.shape)
    dataset.PixelData = stored[::-1].tobytes()
    _is_truth(read_volume(maker.save([dataset])), maker.truth)


def test_without_its_first_slice_a_series_is_a_shorter_one(maker: Any) -> None:
    _is_truth(read_volume(maker.save(maker.slices()[1:])), maker.truth, first=1)


@pytest.mark.parametrize("gone", [(2,), (2, 3), (4,)])
def test_a_missing_slice_is_named_with_its_place(maker: Any, gone: tuple[int, ...]) -> None:
    slices = [s for n, s in enumerate(maker.slices()) if n not in gone]
    x, y, z = maker.position(gone[0])
    place = re.escape(f"LPS ({x:.2f}, {y:.2f}, {z:.2f}) mm")
    with pytest.raises(MissingSliceError, match=f"{len(gone)} slices are missing.*{place}"):
        read_volume(maker.save(slices))


def test_a_doubled_slice_is_named(maker: Any) -> None:
    slices = maker.slices()
    with pytest.raises(DuplicateSliceError, match=r"IM0002.*IM0006|IM0006.*IM0002"):
        read_volume(maker.save([*slices, maker.slices()[2]]))


@pytest.mark.parametrize("off", [0.03, -0.4, 0.5])
def test_uneven_spacing_is_refused_beyond_one_percent(maker: Any, off: float) -> None:
    slices = maker.slices()
    slices[3].ImagePositionPatient = [f"{n:.6f}" for n in maker.position(3 + off)]
    with pytest.raises(UnevenSpacingError, match=r"IM000[34]"):
        read_volume(maker.save(slices))


def test_rounded_positions_are_still_even(maker: Any) -> None:
    slices = maker.slices()
    for n, dataset in enumerate(slices):
        dataset.ImagePositionPatient = [f"{x:.2f}" for x in maker.position(n)]
    volume = read_volume(maker.save(slices))
    assert np.array_equal(volume.array, maker.truth.array)
    assert np.abs(volume.geometry.affine - maker.truth.affine).max() < 0.01
    assert volume.geometry.is_orthogonal


@pytest.mark.parametrize(("growth", "fits"), [(0.002, True), (0.009, False)])
def test_differences_that_add_up_are_refused(maker: Any, growth: float, fits: bool) -> None:
    one = read_slices(maker.save(maker.slices()[:1]) / "IM0000")[0]
    steps = [1.0] * 30 + [1.0 + growth] * 30  # each within 1 % of the others
    slices = [replace(one, position_mm=tuple(maker.position(n))) for n in np.cumsum([0.0, *steps])]
    if fits:
        assert stack_of(slices).geometry.shape[0] == 61
    else:
        with pytest.raises(UnevenSpacingError, match="off its place"):
            stack_of(slices)


def _one_other(change: Callable[[Dataset], None]) -> Callable[[Any], Any]:
    def made(maker: Any) -> Any:
        slices = maker.slices()
        change(slices[3])
        return maker.save(slices)

    return made


def _swapped(dataset: Dataset) -> None:
    both = dataset.ImageOrientationPatient
    dataset.ImageOrientationPatient = [*both[3:], *both[:3]]


def _coarser(dataset: Dataset) -> None:
    dataset.PixelSpacing = [0.9, 0.6]


def _smaller(dataset: Dataset) -> None:
    dataset.Rows = 8
    dataset.PixelData = dataset.PixelData[: 8 * 33 * 2]


def _elsewhere(dataset: Dataset) -> None:
    dataset.FrameOfReferenceUID = "1.9"


def _aside(dataset: Dataset) -> None:
    rows = np.array(dataset.ImageOrientationPatient[:3], dtype=float)
    position = np.array(dataset.ImagePositionPatient, dtype=float) + 4 * rows
    dataset.ImagePositionPatient = [f"{n:.6f}" for n in position]


def _nowhere(dataset: Dataset) -> None:
    del dataset.ImagePositionPatient


def _unspaced(dataset: Dataset) -> None:
    del dataset.PixelSpacing


def _undirected(dataset: Dataset) -> None:
    del dataset.ImageOrientationPatient


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_swapped, MixedOrientationError, "IM0003 does not look like"),
        (_coarser, GeometryError, "one pixel spacing, IM0003 has"),
        (_smaller, GeometryError, "one size, IM0003 has"),
        (_elsewhere, GeometryError, "IM0003 .*different frames of reference"),
        (_aside, GeometryError, "IM0003 lies 4.00 mm beside"),
        (_nowhere, GeometryError, "IM0003 does not say its position"),
        (_unspaced, GeometryError, "IM0003 does not say its pixel spacing"),
        (_undirected, GeometryError, "IM0003 does not say its orientation"),
    ],
)
def test_one_slice_unlike_the_others_is_named(
    maker: Any, change: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_volume(_one_other(change)(maker))


def test_directions_that_are_not_perpendicular_are_refused(maker: Any) -> None:
    slices = maker.slices()
    for dataset in slices:
        dataset.ImageOrientationPatient = [1, 0, 0, 0.5, 0.5, 0]
    with pytest.raises(GeometryError, match="perpendicular unit vectors"):
        read_volume(maker.save(slices))


def test_a_lost_geometry_is_refused(maker: Any) -> None:
    slices = maker.slices()
    for n, dataset in enumerate(slices):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [0, 0, n]
        dataset.PixelSpacing = [1, 1]
        del dataset.FrameOfReferenceUID
    with pytest.raises(GeometryError, match="real geometry was lost"):
        read_volume(maker.save(slices))


def _sheared(maker: Any, angle_deg: float) -> npt.NDArray[np.float64]:
    """Each slice is moved along its columns, as a tilted gantry does."""
    affine: npt.NDArray[np.float64] = maker.truth.affine.copy()
    down = affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    affine[:3, 0] += down * np.tan(np.radians(angle_deg)) * np.linalg.norm(affine[:3, 0])
    return affine


def _tilt(maker: Any, angle_deg: float) -> list[Dataset]:
    """Tilted slices through a field that rises linearly through the patient."""
    slices = maker.slices()
    geometry = Geometry(shape=maker.truth.array.shape, affine=_sheared(maker, angle_deg))
    for n, dataset in enumerate(slices):
        dataset.ImagePositionPatient = [f"{x:.8f}" for x in geometry.to_lps((n, 0, 0))]
        points = geometry.to_lps([(n, r, c) for r in range(36) for c in range(33)])
        dataset.PixelData = _stored_at(points).astype("<u2").tobytes()
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.01", "-500"
    return slices


def _stored_at(points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Stored numbers (0.01 HU above -500 HU) of the field."""
    stored: npt.NDArray[np.float64] = np.rint(
        (points_mm @ np.array([0.5, 0.3, 0.1]) + 60 + 500) * 100
    )
    return stored


def test_a_tilted_gantry_is_refused_with_its_angle(maker: Any) -> None:
    folder = maker.save(_tilt(maker, 12.5))
    with pytest.raises(GantryTiltError, match=r"tilted by 12\.5 degrees.*--allow-resample"):
        read_volume(folder)
    assert list_series(folder)[0].kind == "volume"


@pytest.mark.parametrize("angle_deg", [12.5, -20.0])
def test_a_tilted_gantry_can_be_straightened(maker: Any, angle_deg: float) -> None:
    volume = read_volume(maker.save(_tilt(maker, angle_deg)), allow_resample=True)
    geometry = volume.geometry
    assert geometry.is_orthogonal
    assert geometry.spacing_mm == pytest.approx((2.5, 0.8, 0.6))
    indices = np.indices(volume.array.shape).reshape(3, -1).T
    points = geometry.to_lps(indices)
    source = Geometry(shape=maker.truth.array.shape, affine=_sheared(maker, angle_deg))
    where = source.to_index(points)
    inside = ((where > -1e-6) & (where < np.array(source.shape) - 1 + 1e-6)).all(axis=1)
    outside = ((where < -1) | (where > np.array(source.shape))).any(axis=1)
    assert inside.sum() > 0.7 * volume.array.size
    far = np.array(source.shape) - 1
    corners = geometry.to_index(source.to_lps(np.array(np.meshgrid(*[(0, n) for n in far])).T))
    assert (corners > -1e-6).all()  # nothing of the scan is cut off
    assert (corners < np.array(geometry.shape) - 1 + 1e-6).all()
    found = volume.array.ravel()
    assert np.abs(found - (_stored_at(points) / 100 - 500))[inside].max() < 0.02
    assert (found[outside] == volume.background).all()


def test_a_straight_series_is_never_resampled(maker: Any) -> None:
    _is_truth(read_volume(maker.save(maker.slices()), allow_resample=True), maker.truth)
