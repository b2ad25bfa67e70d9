"""What the header of a DICOM file says about its frames; None where it is silent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian

from surgplan.errors import CorruptFileError
from surgplan.io._dicom_parse import parse, reading_dicom

_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "ImageType", "Modality", "SeriesDescription",
    "SeriesInstanceUID", "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "ModalityLUTSequence", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)  # fmt: skip

MAX_FRAMES = 20_000

_TEXT = 64


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """How the pixels of one file are stored (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    padding: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class Header:
    """One DICOM file: what it is and which series it belongs to."""

    path: Path
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    modality: str
    series_uid: str
    description: str
    frame_of_reference: str | None
    pixels: PixelFormat


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One frame: where it lies (LPS millimetres) and how its numbers become values.

    Attributes
    ----------
    header
        The file it is in.
    frame
        Its index there.
    image_type
        DICOM ImageType or FrameType, for example ``('ORIGINAL', 'PRIMARY', 'AXIAL')``.
    position_mm
        Centre of the first pixel, (x, y, z).
    orientation
        Two directions: along a row (rising column index), then along a column.
    pixel_spacing_mm
        Between rows, then between columns.
    slope, intercept
        value = stored * slope + intercept.
    rescale_type
        What the values are then; empty where not said.
    lookup_table
        Whether the values come from a table instead.
    """

    header: Header
    frame: int
    image_type: tuple[str, ...]
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    lookup_table: bool

    @property
    def name(self) -> str:
        """What to call it in a message."""
        name = self.header.path.name
        return f"{name} frame {self.frame + 1}" if self.header.pixels.frames > 1 else name


def read_slices(path: Path) -> tuple[Slice, ...]:
    """All frames of a DICOM file, as its header describes them; at least one.

    Raises
    ------
    CorruptFileError
        If the file cannot be parsed or a value is not of its type.
    UnsafeFileError
        If it would unpack without bound.
    """
    dataset = parse(path, _TAGS)
    with reading_dicom(path):
        header = _header(dataset, path)
        shared = _item(dataset, "SharedFunctionalGroupsSequence")
        frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
        count = header.pixels.frames
        if frames and len(frames) != count:
            msg = f"{path.name} has {count} frames but describes {len(frames)}; export it again"
            raise CorruptFileError(msg)
        return tuple(
            _slice(header, n, (frames[n] if frames else Dataset(), shared, dataset))
            for n in range(count)
        )


def _header(dataset: Dataset, path: Path) -> Header:
    meta = getattr(dataset, "file_meta", Dataset())
    frame_of_reference = _text(dataset, "FrameOfReferenceUID")
    return Header(
        path=path,
        sop_class=_text(dataset, "SOPClassUID") or _text(meta, "MediaStorageSOPClassUID"),
        sop_instance=_text(dataset, "SOPInstanceUID"),
        transfer_syntax=_text(meta, "TransferSyntaxUID") or str(ImplicitVRLittleEndian),
        modality=_text(dataset, "Modality"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        description=_text(dataset, "SeriesDescription"),
        frame_of_reference=frame_of_reference or None,
        pixels=_pixel_format(dataset, path),
    )


def _pixel_format(dataset: Dataset, path: Path) -> PixelFormat:
    frames = _whole(dataset, "NumberOfFrames", 1)
    if not 1 <= frames <= MAX_FRAMES:
        msg = f"{path.name} claims {frames} frames, a scan has 1..{MAX_FRAMES}; export it again"
        raise CorruptFileError(msg)
    bits = _whole(dataset, "BitsAllocated", 0)
    stored = _whole(dataset, "BitsStored", bits)
    signed = _whole(dataset, "PixelRepresentation", 0) == 1
    padding = _padding(dataset, bits, signed=signed)
    return PixelFormat(
        rows=_whole(dataset, "Rows", 0),
        columns=_whole(dataset, "Columns", 0),
        frames=frames,
        samples=_whole(dataset, "SamplesPerPixel", 1),
        photometric=_text(dataset, "PhotometricInterpretation"),
        bits_allocated=bits,
        bits_stored=stored,
        high_bit=_whole(dataset, "HighBit", stored - 1),
        signed=signed,
        padding=padding,
    )


def _padding(dataset: Dataset, bits: int, *, signed: bool) -> tuple[int, int] | None:
    """Lowest and highest stored number that marks a pixel outside the image.

    Some writers give a signed padding value as if it were unsigned.
    """
    if dataset.get("PixelPaddingValue") is None:
        return None
    first = _whole(dataset, "PixelPaddingValue", 0)
    last = _whole(dataset, "PixelPaddingRangeLimit", first)
    if signed:
        first, last = (n - (1 << bits) if n >= 1 << (bits - 1) else n for n in (first, last))
    return min(first, last), max(first, last)


def _slice(header: Header, frame: int, places: tuple[Dataset, Dataset, Dataset]) -> Slice:
    """A frame from its own functional groups, the shared ones, or the data set itself."""
    position = _from(places, "PlanePositionSequence", "ImagePositionPatient")
    orientation = _from(places, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _from(places, "PixelMeasuresSequence", "PixelSpacing")
    rescale = "PixelValueTransformationSequence"
    kind = _from(places, "CTImageFrameTypeSequence", "FrameType") or _from(
        places, "MRImageFrameTypeSequence", "FrameType"
    )
    return Slice(
        header=header,
        frame=frame,
        image_type=_words(kind or places[2].get("ImageType")),
        position_mm=_numbers(position, 3),
        orientation=_numbers(orientation, 6),
        pixel_spacing_mm=_numbers(spacing, 2),
        slope=_number(_from(places, rescale, "RescaleSlope")),
        intercept=_number(_from(places, rescale, "RescaleIntercept")),
        rescale_type=str(_from(places, rescale, "RescaleType") or "").strip(),
        lookup_table=bool(places[2].get("ModalityLUTSequence")),
    )


def _from(places: tuple[Dataset, Dataset, Dataset], sequence: str, keyword: str) -> Any:
    own, shared, whole = places
    for groups in (own, shared):
        value = _item(groups, sequence).get(keyword)
        if value is not None:
            return value
    return whole.get(keyword)


def _item(dataset: Dataset, keyword: str) -> Dataset:
    items = dataset.get(keyword)
    return items[0] if items else Dataset()


def _text(dataset: Dataset, keyword: str) -> str:
    """A value on one line, without what could steer a terminal, and not too long to read."""
    value = str(dataset.get(keyword) or "")
    return "".join(c for c in value if c.isprintable()).strip()[:_TEXT]


def _words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (str(value),) if isinstance(value, str) else tuple(str(v) for v in value)


def _whole(dataset: Dataset, keyword: str, default: int) -> int:
    value = dataset.get(keyword)
    if value is None or value == "":
        return default
    return int(value)


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else _finite(value)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or value == "" or len(value) == 0:
        return None
    if len(value) != count:
        msg = f"{count} numbers expected, got {len(value)}"
        raise ValueError(msg)
    return tuple(_finite(v) for v in value)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        msg = f"a finite number expected, got {value}"
        raise ValueError(msg)
    return number


def uid_name(uid: str) -> str:
    """What DICOM calls it, ``'CT Image Storage'``; the UID itself where it is not DICOM's."""
    return str(UID(uid, validation_mode=IGNORE).name) if uid else "nothing that names itself"


def class_name(header: Header) -> str:
    """What kind of object the file is, in DICOM's words."""
    return uid_name(header.sop_class)
