"""Which series is meant is clear, or asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage, SecondaryCaptureImageStorage

from surgplan.errors import (
    DuplicateSliceError,
    IntensityError,
    NothingToDoError,
    SeveralSeriesError,
    UnsupportedImageError,
    UsageError,
)
from surgplan.io import SeriesInfo, list_series, read_volume

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def _localiser(maker: Any, series: str = "1.2.9") -> Dataset:
    dataset: Dataset = maker.slices(series=series, description="scout")[0]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    return dataset


def _of_class(dataset: Dataset, sop_class: str, modality: str) -> Dataset:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.Modality = modality
    return dataset


def _captures(maker: Any, series: str = "1.2.8") -> list[Dataset]:
    return [
        _of_class(dataset, SecondaryCaptureImageStorage, "CT")
        for dataset in maker.slices(series=series, description="screenshots")
    ]


@pytest.mark.parametrize("series", ["1.2.3", "1.2.9"])
def test_localisers_are_passed_over_in_their_own_or_the_same_series(
    maker: Any, series: str
) -> None:
    folder = maker.save([_localiser(maker, series), *maker.slices()])
    assert np.array_equal(read_volume(folder).array, maker.truth.array)
    assert np.array_equal(read_volume(folder, series="1.2.3").array, maker.truth.array)
    assert {s.kind for s in list_series(folder)} == {"volume", "localiser"}


def test_captures_that_share_the_uid_of_a_scan_are_passed_over(maker: Any) -> None:
    folder = maker.save([*_captures(maker, "1.2.3")[:2], *maker.slices()])
    assert np.array_equal(read_volume(folder).array, maker.truth.array)
    assert np.array_equal(read_volume(folder, series="1.2.3").array, maker.truth.array)


def test_single_images_and_captures_are_passed_over(maker: Any) -> None:
    dose_report = maker.slices(series="1.2.7", description="dose")[0]
    folder = maker.save([*_captures(maker), dose_report, *maker.slices()])
    assert np.array_equal(read_volume(folder).array, maker.truth.array)


def test_two_volumes_are_listed_for_the_user_to_choose(maker: Any) -> None:
    venous = maker.slices(series="1.2.4", description="venous")
    folder = maker.save([*maker.slices(), *venous[::-1]])
    with pytest.raises(SeveralSeriesError) as refusal:
        read_volume(folder)
    message = str(refusal.value)
    assert "\n" not in message
    assert "choose with --series UID" in message
    for words in ("1.2.3 'portal'", "1.2.4 'venous'", "CT volume, 6x36x33, 2.5x0.8x0.6 mm"):
        assert words in message
    assert read_volume(folder, series="1.2.4").identity == "1.2.4"
    assert [(s.uid, s.description, s.kind) for s in list_series(folder)] == [
        ("1.2.3", "portal", "volume"),
        ("1.2.4", "venous", "volume"),
    ]


def test_a_listed_series_says_its_grid(maker: Any) -> None:
    info = list_series(maker.save(maker.slices(modality="MR")))[0]
    assert info == SeriesInfo(
        uid="1.2.3",
        description="portal",
        modality="MR",
        shape=(6, 36, 33),
        spacing_mm=info.spacing_mm,
        kind="volume",
    )
    assert info.spacing_mm == pytest.approx((2.5, 0.8, 0.6))


def test_a_listed_series_without_a_grid_says_so(maker: Any) -> None:
    slices = maker.slices()
    info = list_series(maker.save(slices[:2] + slices[3:]))[0]
    assert info.spacing_mm is None
    assert "no regular spacing" in str(info)


def test_a_series_is_found_by_the_beginning_of_its_uid_if_it_is_the_only_one(maker: Any) -> None:
    other = maker.slices(series="1.7.4")
    folder = maker.save([*maker.slices(), *other])
    assert read_volume(folder, series="1.2").identity == "1.2.3"
    with pytest.raises(SeveralSeriesError, match=r"1\.2\.3.*1\.7\.4"):
        read_volume(folder, series="1.")
    with pytest.raises(UsageError, match=r"no series '9' .*1\.2\.3.*1\.7\.4"):
        read_volume(folder, series="9")


def test_a_uid_that_begins_another_one_means_itself(maker: Any) -> None:
    folder = maker.save([*maker.slices(), *maker.slices(series="1.2.3.4")])
    assert read_volume(folder, series="1.2.3").identity == "1.2.3"


def test_a_reformatted_volume_is_never_chosen_beside_another(maker: Any) -> None:
    derived = maker.slices(series="1.2.5", description="MPR")
    for dataset in derived:
        dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    alone = maker.save(derived, "alone")
    assert read_volume(alone).identity == "1.2.5"
    beside = maker.save([*derived, _localiser(maker)], "beside")
    with pytest.raises(SeveralSeriesError, match="derived volume"):
        read_volume(beside)
    assert read_volume(beside, series="1.2.5").identity == "1.2.5"
    with_original = maker.save([*derived, *maker.slices()], "original")
    with pytest.raises(SeveralSeriesError, match="2 series"):
        read_volume(with_original)


@pytest.mark.parametrize("series", [None, "1.2.8"])
def test_secondary_captures_are_no_scan_even_if_asked_for(maker: Any, series: str | None) -> None:
    with pytest.raises(UnsupportedImageError, match="Secondary Capture"):
        read_volume(maker.save(_captures(maker)), series=series)


def test_a_segmentation_is_named_with_the_way_out(maker: Any) -> None:
    dataset = _of_class(maker.slices()[0], SEGMENTATION, "SEG")
    with pytest.raises(UnsupportedImageError, match=r"segmentation.*--labels"):
        read_volume(maker.save([dataset]) / "IM0000")


def test_other_modalities_are_refused(maker: Any) -> None:
    slices = [_of_class(s, PositronEmissionTomographyImageStorage, "PT") for s in maker.slices()]
    with pytest.raises(UnsupportedImageError, match=r"Positron.*modality PT"):
        read_volume(maker.save(slices))


def test_localisers_alone_are_no_scan(maker: Any) -> None:
    with pytest.raises(UnsupportedImageError, match="localiser"):
        read_volume(maker.save([_localiser(maker)] * 3))


def test_one_slice_is_no_volume(maker: Any) -> None:
    folder = maker.save(maker.slices()[:2])
    with pytest.raises(UnsupportedImageError, match="at least 3 slices"):
        read_volume(folder)
    with pytest.raises(UnsupportedImageError, match="give the folder of the whole series"):
        read_volume(folder / "IM0000")


def test_phases_in_one_series_are_not_mixed(maker: Any) -> None:
    with pytest.raises(DuplicateSliceError, match="one phase or echo"):
        read_volume(maker.save([*maker.slices(), *maker.slices()]))


def test_another_modality_than_the_file_says_is_refused(maker: Any) -> None:
    folder = maker.save(maker.slices())
    assert read_volume(folder, modality="CT").modality == "CT"
    with pytest.raises(IntensityError, match="is CT, not MR"):
        read_volume(folder, modality="MR")


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError, match="no such file or folder"):
        read_volume(tmp_path / "missing")
    with pytest.raises(NothingToDoError, match="no DICOM file"):
        read_volume(tmp_path)
    (tmp_path / "notes.txt").write_text("no scan")
    with pytest.raises(NothingToDoError, match="no DICOM file"):
        list_series(tmp_path)


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    path.write_text("this is no image at all")
    with pytest.raises(UnsupportedImageError, match="whatever its name says"):
        read_volume(path)
    assert list_series(path) == ()
    with pytest.raises(UnsupportedImageError, match="no series to choose"):
        read_volume(path, series="1.2")


def test_text_in_headers_cannot_steer_a_terminal(maker: Any) -> None:
    slices = maker.slices()
    with disable_value_validation():
        for dataset in slices:
            del dataset.SeriesDescription
            dataset.SeriesDescription = "red \x1b[31malert" + "!" * 500
        folder = maker.save(slices)
    description = list_series(folder)[0].description
    assert description.startswith("red [31malert")
    assert len(description) == 64


def test_undeclared_characters_spoil_a_description_and_no_scan(maker: Any) -> None:
    slices = maker.slices()
    for dataset in slices:
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.SeriesDescription = "Übersicht"
    folder = maker.save(slices)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", b"ISO_NO 777"))
    assert np.array_equal(read_volume(folder).array, maker.truth.array)
    assert "bersicht" in list_series(folder)[0].description
