"""DICOM Segmentation objects in (PS3.3 A.51)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.uid import UID

from surgplan.errors import CorruptFileError, GeometryError, LabelError, UnsupportedImageError
from surgplan.io._dicom_parse import parse, reading_dicom
from surgplan.io._dicom_seg_frames import READABLE_SYNTAXES, plain
from surgplan.io._guard import check_declared
from surgplan.io._label_codes import Concept, segment_of
from surgplan.io._label_file import LabelFile, LabelPart
from surgplan.io._stored import grid

_KINDS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_HEADER = ("SOPClassUID", "SegmentationType", "Rows", "Columns", "NumberOfFrames", "BitsAllocated")

_WAY_OUT = "convert it to uncompressed DICOM, for example with gdcmconv --raw"


def load_dicom_seg(path: Path) -> LabelFile:
    """Binary and label map segmentations; empty frames that were left out are put back.

    Slices rise along row direction x column direction, as in the scans we read from DICOM.

    Raises
    ------
    CorruptFileError, UnsafeFileError
        If the bytes are damaged or promise too much.
    UnsupportedImageError
        If it is no segmentation, or an encoding that cannot be decoded.
    LabelError
        If it is fractional: where a structure ends would be a guess.
    GeometryError
        If its frames do not make one regular grid.
    """
    header = parse(path, _HEADER)
    with _decoding(path):
        _check(header, path)
        dataset = plain(pydicom.dcmread(path), path.name)
        segmentation = hd.seg.Segmentation.from_dataset(dataset, copy=False)
        return _placed(segmentation, _parts(segmentation), path)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """What pydicom and the frame tables of highdicom raise on damage becomes `CorruptFileError`."""
    try:
        with reading_dicom(path), np.errstate(invalid="raise"):
            yield
    except sqlite3.Error as e:
        msg = f"{path.name} is damaged DICOM ({e}); copy or export it again"
        raise CorruptFileError(msg) from e


def _check(header: Any, path: Path) -> None:
    """Refuse other objects, encodings and kinds, and more voxels than the file can hold."""
    if header.get("SOPClassUID") not in _KINDS:
        msg = f"{path.name} is DICOM but no segmentation; give the SEG object of the study"
        raise UnsupportedImageError(msg)
    syntax = UID(header.file_meta.get("TransferSyntaxUID", ""))
    if syntax not in READABLE_SYNTAXES:
        msg = f"no decoder for {syntax.name or 'its encoding'} in {path.name}; {_WAY_OUT}"
        raise UnsupportedImageError(msg)
    if header.get("SegmentationType") not in ("BINARY", "LABELMAP"):
        msg = (
            f"{path.name} is a fractional segmentation, whose structures have no sharp end; "
            "export it as binary"
        )
        raise LabelError(msg)
    bits = int(header.Rows) * int(header.Columns) * int(header.NumberOfFrames)
    declared = bits if header.BitsAllocated == 1 else bits * int(header.BitsAllocated) // 8
    check_declared(path.name, declared, path.stat().st_size, packed=True)


def _placed(segmentation: Any, parts: list[LabelPart], path: Path) -> LabelFile:
    """The file with its grid; one layer where segments are apart, else one layer each."""
    name = path.name
    try:
        geometry = segmentation.get_volume_geometry()
    except ValueError as e:
        msg = f"{name} has frames that do not make one regular grid ({e}); export it again"
        raise GeometryError(msg) from e
    if geometry is None:
        msg = f"{name} has frames that do not make one regular grid; export it again"
        raise GeometryError(msg)
    flip = float(np.linalg.det(geometry.affine[:3, :3])) > 0
    affine = np.array(geometry.affine)
    if flip:
        affine[:3, 3] += affine[:3, 0] * (geometry.spatial_shape[0] - 1)
        affine[:3, 0] *= -1
    overlapping = segmentation.segmentation_type.value == "BINARY" and len(parts) > 1
    layered = [
        LabelPart(name=p.name, numbers=(1,), layer=i, coded=p.coded) for i, p in enumerate(parts)
    ]
    return LabelFile(
        name=name,
        geometry=grid(geometry.spatial_shape, affine, name),
        layers=_layers(segmentation, parts, path, flip=flip, apart=overlapping),
        parts=tuple(layered if overlapping else parts),
    )


def _layers(
    segmentation: Any, parts: list[LabelPart], path: Path, *, flip: bool, apart: bool
) -> Iterator[npt.NDArray[Any]]:
    wanted = [[p.numbers[0]] for p in parts] if apart else [[p.numbers[0] for p in parts]]
    for numbers in wanted:
        with _decoding(path):
            volume = segmentation.get_volume(
                segment_numbers=numbers, combine_segments=True, relabel=apart
            )
        array = volume.array.astype(np.uint16, copy=False)
        yield array[::-1] if flip else array


def _parts(segmentation: Any) -> list[LabelPart]:
    parts = []
    for item in segmentation.SegmentSequence:
        number = int(item.SegmentNumber)
        if number == 0:
            continue  # the background of a label map
        concept = Concept(
            kind=_code(item, "SegmentedPropertyTypeCodeSequence"),
            kind_modifier=_code(
                item.SegmentedPropertyTypeCodeSequence[0],
                "SegmentedPropertyTypeModifierCodeSequence",
            ),
            region=_code(item, "AnatomicRegionSequence"),
            region_modifier=_code(
                item.get("AnatomicRegionSequence", [{}])[0], "AnatomicRegionModifierSequence"
            ),
        )
        label = str(item.get("SegmentLabel", f"segment {number}"))
        parts.append(LabelPart(name=label, numbers=(number,), coded=segment_of(concept)))
    return parts


def _code(item: Any, keyword: str) -> tuple[str, str] | None:
    sequence = item.get(keyword)
    if not sequence:
        return None
    code = sequence[0]
    return str(code.get("CodingSchemeDesignator", "")), str(code.get("CodeValue", ""))
