"""DICOM series with a known answer, written with pydicom alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

SHAPE = (6, 36, 33)
SPACING_MM = (2.5, 0.8, 0.6)


def _rotation() -> npt.NDArray[np.float64]:
    """No axis of it is near another one's, and nothing is symmetric."""
    a, b, c = np.radians((25.0, -17.0, 40.0))
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return z @ y @ x


@dataclass
class Truth:
    """What a reader must find: Hounsfield units and the affine from (slice, row, column)."""

    array: npt.NDArray[np.int16]
    affine: npt.NDArray[np.float64]
    frame_of_reference: str


@pytest.fixture(params=["axial", "oblique"])
def truth(request: pytest.FixtureRequest) -> Truth:
    """An asymmetric block of values on an anisotropic grid, straight and oblique."""
    array = np.random.default_rng(7).integers(-1000, 1500, SHAPE).astype(np.int16)
    array[0, 0, 0] = -1024  # always some air
    directions = np.eye(3) if request.param == "axial" else _rotation()
    steps = directions @ np.diag(SPACING_MM[::-1])  # columns left, rows posterior, slices superior
    affine = np.eye(4)
    affine[:3, :3] = steps[:, ::-1]
    affine[:3, 3] = (-120.5, 33.25, -871.125)
    return Truth(array=array, affine=affine, frame_of_reference=generate_uid(entropy_srcs=["f"]))


def place(dataset: Dataset, truth: Truth, position: Sequence[float]) -> None:
    """Position, orientation and spacing, as the truth has them."""
    rows, columns = truth.affine[:3, 1], truth.affine[:3, 2]
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    directions = [*(columns / lengths[1]), *(rows / lengths[0])]
    dataset.ImageOrientationPatient = [f"{n:.12f}" for n in directions]
    dataset.PixelSpacing = [f"{n:.10f}" for n in lengths]
    dataset.ImagePositionPatient = [f"{n:.10f}" for n in position]


def pixels(dataset: Dataset, stored: npt.NDArray[np.integer]) -> None:
    """Stored numbers, 16 bits, signed as the array is."""
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset["PixelData"] = pixel_element(stored.astype(stored.dtype.newbyteorder("<")).tobytes())


def pixel_element(content: bytes) -> DataElement:
    return DataElement(0x7FE00010, "OW", content)


def new_file(sop_class: str, series: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID = series
    dataset.PatientName = "Test^Torture"
    return dataset


@dataclass
class Maker:
    """Makes slices of the truth and writes them."""

    truth: Truth
    folder: Path

    def slices(
        self, *, modality: str = "CT", series: str = "1.2.3", description: str = "portal"
    ) -> list[FileDataset]:
        """One data set per slice of the truth: unsigned, intercept -1024 (CT)."""
        made = []
        sop_class = CTImageStorage if modality == "CT" else MRImageStorage
        for n, plane in enumerate(self.truth.array):
            dataset = new_file(sop_class, series)
            dataset.Modality = modality
            dataset.SeriesDescription = description
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
            dataset.FrameOfReferenceUID = self.truth.frame_of_reference
            dataset.InstanceNumber = n + 1
            place(dataset, self.truth, self.position(n))
            dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
            pixels(dataset, (plane + 1024).astype(np.uint16))
            made.append(dataset)
        return made

    def position(self, n: float) -> npt.NDArray[np.float64]:
        return np.asarray(self.truth.affine[:3, 3] + n * self.truth.affine[:3, 0])

    def save(self, slices: Sequence[Dataset], folder: str = "scan") -> Path:
        """Write each to a file of its own, named in the order given."""
        target = self.folder / folder
        target.mkdir(parents=True, exist_ok=True)
        count = len(list(target.iterdir()))
        for n, dataset in enumerate(slices):
            dataset.save_as(target / f"IM{count + n:04d}", enforce_file_format=True)
        return target

    def enhanced(self) -> FileDataset:
        """All slices in one file: orientation and rescale shared, positions per frame."""
        dataset = new_file(EnhancedCTImageStorage, "1.2.4")
        dataset.Modality = "CT"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        dataset.FrameOfReferenceUID = self.truth.frame_of_reference
        dataset.NumberOfFrames = len(self.truth.array)
        pixels(dataset, (self.truth.array + 1024).astype(np.uint16))
        placed = Dataset()
        place(placed, self.truth, (0, 0, 0))
        rescale = Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1, -1024, "HU"
        shared = Dataset()
        shared.PlaneOrientationSequence = DicomSequence([_only(placed, "ImageOrientationPatient")])
        shared.PixelMeasuresSequence = DicomSequence([_only(placed, "PixelSpacing")])
        shared.PixelValueTransformationSequence = DicomSequence([rescale])
        dataset.SharedFunctionalGroupsSequence = DicomSequence([shared])
        frames = []
        for n in range(len(self.truth.array)):
            place(placed, self.truth, self.position(n))
            frame = Dataset()
            frame.PlanePositionSequence = DicomSequence([_only(placed, "ImagePositionPatient")])
            frames.append(frame)
        dataset.PerFrameFunctionalGroupsSequence = DicomSequence(frames)
        return dataset


def _only(dataset: Dataset, keyword: str) -> Dataset:
    one = Dataset()
    setattr(one, keyword, getattr(dataset, keyword))
    return one


@pytest.fixture
def maker(truth: Truth, tmp_path: Path) -> Maker:
    return Maker(truth=truth, folder=tmp_path)


@pytest.fixture
def store() -> Callable[[Dataset, npt.NDArray[np.integer]], None]:
    """Replaces the stored numbers of a data set."""
    return pixels
