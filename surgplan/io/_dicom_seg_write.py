"""DICOM Segmentation objects out (PS3.3 A.51), referring to the images they were made on."""

from __future__ import annotations

import warnings
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import NothingToDoError, UsageError
from surgplan.io._atomic import atomic_file
from surgplan.io._dicom_parse import reading_dicom
from surgplan.io._volume_door import dicom_paths
from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, LabelMap, Segment

_ALTERED = (LIVER_TUMOUR.code, LIVER_CYST.code)
_SERIES_NUMBER = 900


def write_dicom_seg(
    label_map: LabelMap, scan: Path, path: Path, *, series: str, model: str = "surgplan"
) -> None:
    """Write the structures that have voxels as one binary DICOM Segmentation.

    Parameters
    ----------
    label_map
        On the grid of the scan.
    scan
        DICOM folder, zip or file that it was made on: patient, study and frame of reference are
        taken from there, and the images are referred to.
    path
        Ends in ``.dcm``.
    series
        SeriesInstanceUID of the scan.
    model
        What found the structures, for the object.

    Raises
    ------
    NothingToDoError
        If no voxel is labelled, or the scan has no image of that series.
    UsageError
        If the file is to be called something else than ``.dcm``.
    OutputError
        If it cannot be written.
    """
    if path.suffix.lower() != ".dcm":
        msg = f"a DICOM Segmentation is written as .dcm, got {path.name!r}"
        raise UsageError(msg)
    present = [s for s in label_map.segments if s.label in label_map.labels_present()]
    if not present:
        msg = "no voxel is labelled: there is nothing to write as DICOM Segmentation"
        raise NothingToDoError(msg)
    images = _images(scan, series)
    numbers = np.zeros(256, dtype=np.uint8)
    numbers[[s.label for s in present]] = np.arange(1, len(present) + 1)
    volume = hd.Volume(
        array=numbers[label_map.array],
        affine=label_map.geometry.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=images[0].FrameOfReferenceUID,
    )
    with warnings.catch_warnings():
        # The patient's name is copied as it stands in the scan, whatever its form.
        warnings.filterwarnings("ignore", message="The string .* person name", category=UserWarning)
        segmentation = _segmentation(volume, images, present, model)
    with atomic_file(path) as temporary:
        segmentation.save_as(temporary)


def _segmentation(
    volume: hd.Volume, images: list[Dataset], present: list[Segment], model: str
) -> hd.seg.Segmentation:
    return hd.seg.Segmentation(
        source_images=images,
        pixel_array=volume,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(n, s, model) for n, s in enumerate(present, start=1)],
        series_instance_uid=generate_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="surgplan",
        manufacturer_model_name=model[:64],
        software_versions=__version__,
        device_serial_number="0",
        content_description=NOT_A_MEDICAL_DEVICE[:64],
        content_label="SURGPLAN",
        series_description=NOT_A_MEDICAL_DEVICE[:64],
    )


def _images(scan: Path, series: str) -> list[Dataset]:
    """Headers of the series; pixels are not needed."""
    images: list[Dataset] = []
    with dicom_paths(scan) as paths:
        for path in paths:
            with reading_dicom(path):
                image = pydicom.dcmread(path, stop_before_pixels=True)
            if image.get("SeriesInstanceUID") == series:
                images.append(image)
    if not images:
        msg = f"{scan} holds no image of series {series}; give the folder that was segmented"
        raise NothingToDoError(msg)
    return images


def _described(number: int, segment: Segment, model: str) -> hd.seg.SegmentDescription:
    altered = segment.code in _ALTERED
    category = (
        CodedConcept("49755003", "SCT", "Morphologically Altered Structure")
        if altered
        else CodedConcept("123037004", "SCT", "Anatomical Structure")
    )
    code = segment.code
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:64],
        segmented_property_category=category,
        segmented_property_type=CodedConcept(code.value, code.scheme, code.meaning[:64]),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=model[:64],
            version=__version__,
            family=CodedConcept("123110", "DCM", "Artificial Intelligence"),
        ),
    )
