"""Scans written as a DICOM series, one slice per file; RAS plays no part."""

from __future__ import annotations

import os
import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import GeometryError, OutputError, UsageError
from surgplan.volume import Volume

_DAY = "20000101"
_TIME = "120000"
_INT16 = np.iinfo(np.int16)
_IMPLEMENTATION = f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, 'surgplan').int}"


@dataclass(frozen=True, kw_only=True)
class _Series:
    """What all slices of one series share."""

    volume: Volume
    stored: npt.NDArray[np.int16]
    slope: float
    intercept: float
    description: str
    synthetic: bool
    seed: int

    def uid(self, what: str) -> str:
        """The same UID for the same scan, seed and purpose; below 2.25, where UUIDs live."""
        name = f"surgplan {self.seed} {self.volume.fingerprint()} {self.description} {what}"
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"


def write_dicom_series(
    volume: Volume,
    folder: Path | str,
    *,
    seed: int = 0,
    description: str = "",
    synthetic: bool = False,
) -> None:
    """Write a scan as CT or MR Image Storage, one file per slice, ``slice_0001.dcm`` and on.

    The same volume, seed and description give the same bytes. Nothing of a patient is written:
    name ``Phantom``, fixed dates, UIDs made from the content. Reading it back gives the same
    voxels at the same places; slices come back rising along row direction x column direction.

    Parameters
    ----------
    volume
        ``(slice, row, column)`` on perpendicular axes, oblique or not. Whole numbers that fit into
        int16 are stored exactly; other CT values are rounded to the nearest Hounsfield unit, other
        MR values to 1/65535 of their range.
    folder
        A folder that does not exist yet, or is empty; it appears complete or not at all.
    seed
        Another seed makes other UIDs.
    description
        SeriesDescription and PatientName; 'Phantom' where empty.
    synthetic
        Whether to mark the images as SYNTHETIC in series description and image comments, also
        where the volume does not say so itself.

    Raises
    ------
    GeometryError
        If the axes are not perpendicular.
    OutputError
        If the folder holds something already or cannot be written.
    UsageError
        If the description is longer than 48 characters or CT values do not fit into int16.
    """
    if not volume.geometry.is_orthogonal:
        msg = "DICOM slices need perpendicular axes; resample first with volume.resample_to"
        raise GeometryError(msg)
    if len(description) > 48 or "\\" in description:
        msg = f"`description` is at most 48 characters without backslash, got {description!r}"
        raise UsageError(msg)
    stored, slope, intercept = _stored(volume)
    series = _Series(
        volume=volume,
        stored=stored,
        slope=slope,
        intercept=intercept,
        description=description,
        synthetic=synthetic or volume.is_synthetic,
        seed=seed,
    )
    shared = _shared(series)
    with _whole_folder(Path(folder)) as temporary:
        for index in range(volume.geometry.shape[0]):
            with (temporary / f"slice_{index + 1:04d}.dcm").open("wb") as file:
                _file(series, shared, index).save_as(file, enforce_file_format=True)
                file.flush()
                os.fsync(file.fileno())


def _stored(volume: Volume) -> tuple[npt.NDArray[np.int16], float, float]:
    """Numbers to store, slope and intercept."""
    array = volume.array
    if array.dtype == np.int16:
        return array, 1.0, 0.0
    low, high = float(array.min()), float(array.max())
    rounded = np.rint(array)
    if (
        low >= _INT16.min
        and high <= _INT16.max
        and (volume.modality == "CT" or np.array_equal(rounded, array))
    ):
        return rounded.astype(np.int16), 1.0, 0.0
    if volume.modality == "CT":
        msg = f"CT values must lie in -32768..32767 to be stored, got {low:g} to {high:g}"
        raise UsageError(msg)
    middle = _decimal((low + high) / 2)
    reach = max(high - middle, middle - low)
    slope = _decimal(reach / _INT16.max * (1 + 1e-9)) or 1.0
    stored = np.rint((array.astype(np.float64) - middle) / slope)
    return np.clip(stored, _INT16.min, _INT16.max).astype(np.int16), slope, middle


def _decimal(number: float) -> float:
    """The nearest number that 16 characters (DICOM's DS) can say."""
    return float(format_number_as_ds(float(number)))


def _shared(series: _Series) -> Dataset:
    """Everything that is the same in each file (PS3.3 A.3 and A.4, type 1 and 2)."""
    volume = series.volume
    dataset = Dataset()
    name = series.description or "Phantom"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = name
    dataset.PatientID = f"SURGPLAN-{series.seed}"
    dataset.PatientBirthDate = dataset.PatientSex = dataset.AccessionNumber = ""
    dataset.StudyInstanceUID = series.uid("study")
    dataset.SeriesInstanceUID = series.uid("series")
    dataset.FrameOfReferenceUID = volume.frame_of_reference or series.uid("frame of reference")
    dataset.StudyID = dataset.SeriesNumber = dataset.AcquisitionNumber = "1"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = _DAY
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = _TIME
    dataset.ReferringPhysicianName = dataset.PositionReferenceIndicator = ""
    dataset.Laterality = ""
    dataset.PatientPosition = "HFS"
    dataset.Modality = volume.modality
    dataset.Manufacturer = "surgplan"
    dataset.ManufacturerModelName = "surgplan"
    dataset.SoftwareVersions = __version__
    marks = ["SYNTHETIC"] if series.synthetic else []
    dataset.SeriesDescription = " ".join([*marks, name])
    dataset.ImageComments = "; ".join([*marks, NOT_A_MEDICAL_DEVICE])
    dataset.update(_plane(series))
    dataset.update(_modality(series))
    return dataset


def _plane(series: _Series) -> Dataset:
    geometry = series.volume.geometry
    directions = geometry.directions
    dataset = Dataset()
    dataset.ImageOrientationPatient = _texts([*directions[:, 2], *directions[:, 1]])
    dataset.PixelSpacing = _texts(geometry.spacing_mm[1:])
    dataset.SliceThickness = _texts([geometry.spacing_mm[0]])[0]
    dataset.Rows, dataset.Columns = geometry.shape[1:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    if series.volume.modality == "CT" or (series.slope, series.intercept) != (1.0, 0.0):
        dataset.RescaleIntercept, dataset.RescaleSlope = _texts([series.intercept, series.slope])
    return dataset


def _modality(series: _Series) -> Dataset:
    dataset = Dataset()
    first = "DERIVED" if series.synthetic else "ORIGINAL"
    if series.volume.modality == "CT":
        dataset.SOPClassUID = CTImageStorage
        dataset.ImageType = [first, "PRIMARY", "AXIAL"]
        dataset.KVP = ""
        dataset.RescaleType = "HU"
        return dataset
    dataset.SOPClassUID = MRImageStorage
    dataset.ImageType = [first, "PRIMARY", "OTHER"]
    dataset.ScanningSequence = "RM"
    dataset.SequenceVariant = "NONE"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "3D"
    dataset.EchoTime = dataset.EchoTrainLength = dataset.RepetitionTime = None
    return dataset


def _file(series: _Series, shared: Dataset, index: int) -> FileDataset:
    dataset = Dataset()
    dataset.update(shared)
    dataset.SOPInstanceUID = series.uid(f"slice {index}")
    dataset.InstanceNumber = str(index + 1)
    dataset.ImagePositionPatient = _texts(series.volume.geometry.to_lps((index, 0, 0)))
    dataset.PixelData = series.stored[index].astype("<i2").tobytes()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_IMPLEMENTATION)
    meta.ImplementationVersionName = "SURGPLAN"
    return FileDataset("", dataset, preamble=b"\0" * 128, file_meta=meta)


def _texts(numbers: Any) -> list[str]:
    return [format_number_as_ds(float(n) + 0.0) for n in numbers]  # + 0.0: no negative zero


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``folder`` when the block ends well."""
    temporary = folder.with_name(f".{secrets.token_hex(6)}.{folder.name}")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            msg = f"cannot write {folder}: it holds something already; give a new folder"
            raise OutputError(msg)
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            folder.rmdir()
        os.replace(temporary, folder)  # noqa: PTH105 the name that os documents as atomic
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        msg = f"cannot write {folder}: {reason}; choose a folder that can be written and has room"
        raise OutputError(msg) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
