"""MetaImage (``.mha``, ``.mhd``) headers and voxels, from the text of the header itself.

ITK returns an image from a truncated MetaImage, so the header is read here; ITK is the oracle of
the tests. Format: https://itk.org/Wiki/MetaIO/Documentation
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from surgplan.errors import CorruptFileError, GeometryError, UnsupportedImageError
from surgplan.io._guard import input_file
from surgplan.io._note import NOTE_KEY, Note
from surgplan.io._payload import Payload, beside
from surgplan.io._stored import StoredImage, grid
from surgplan.volume import Geometry

_MAX_HEADER = 4 << 20

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip

_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_ORIGIN = ("Offset", "Position", "Origin")

_MUST_BE = {
    "ObjectType": ("Image",),
    "NDims": ("3",),
    "BinaryData": ("True",),
    "ElementNumberOfChannels": ("1",),
    "HeaderSize": ("0",),
    "ElementToIntensityFunctionSlope": ("1",),
    "ElementToIntensityFunctionOffset": ("0",),
}


def load_metaimage(path: Path | str) -> StoredImage:
    """Read ``.mha``, or ``.mhd`` with its data file next to it.

    Raises
    ------
    CorruptFileError, UnsafeFileError, ResourceLimitError
        If the file is not MetaImage, is cut short, fails its checksum or promises too much.
    UnsupportedImageError
        If it is not 3D, has several numbers per voxel, or is spread over several files.
    GeometryError
        If it names no place in the patient.
    """
    path = input_file(path)
    with path.open("rb") as stream:
        fields = _header(stream, path.name)
        offset = stream.tell()
    for field, allowed in _MUST_BE.items():
        if fields.get(field, allowed[0]) not in allowed:
            msg = f"{path.name} has {field} = {fields[field]}, readable is {allowed[0]}; convert it"
            raise UnsupportedImageError(msg)
    payload = _payload(fields, path, offset)
    geometry = _geometry(fields, payload.sizes, path.name)
    note = Note.from_json(fields.get(NOTE_KEY, ""), path.name)
    return StoredImage(
        name=path.name,
        array=payload.read(path.name),
        geometry=note.sharpen(geometry) if note else geometry,
        note=note,
    )


def _header(stream: BinaryIO, name: str) -> dict[str, str]:
    """Fields up to ElementDataFile, which ends the header."""
    fields: dict[str, str] = {}
    while stream.tell() < _MAX_HEADER and "ElementDataFile" not in fields:
        line = stream.readline(_MAX_HEADER)
        key, equals, value = line.decode("utf-8", "replace").partition("=")
        if not equals or key.strip() in fields:
            break
        fields[key.strip()] = value.strip()
    if "ElementDataFile" not in fields or "DimSize" not in fields:
        msg = f"{name} is not MetaImage, whatever its name says, or is cut short; export it again"
        raise CorruptFileError(msg)
    return fields


def _payload(fields: dict[str, str], path: Path, offset: int) -> Payload:
    name = path.name
    kind = _TYPES.get(fields.get("ElementType", ""))
    data = fields["ElementDataFile"]
    if kind is None or data.split()[:1] == ["LIST"] or "%" in data:
        msg = f"{name} has {fields.get('ElementType')} voxels in {data!r}; save it as one .mha"
        raise UnsupportedImageError(msg)
    sizes = tuple(int(n) for n in _numbers(fields, ("DimSize",), 3, name))
    if min(sizes) < 1:
        msg = f"{name} declares impossible sizes {fields['DimSize']}; export it again"
        raise CorruptFileError(msg)
    big = "True" in (fields.get("BinaryDataByteOrderMSB"), fields.get("ElementByteOrderMSB"))
    local = data.upper() == "LOCAL"
    return Payload(
        path=path if local else beside(path, data),
        offset=offset if local else 0,
        encoding="zlib" if fields.get("CompressedData") == "True" else "raw",
        sizes=sizes,
        dtype=np.dtype(kind).newbyteorder(">" if big else "<"),
    )


def _geometry(fields: dict[str, str], sizes: tuple[int, ...], name: str) -> Geometry:
    """MetaImage lists the direction of each axis, fastest axis first, in LPS."""
    axes = np.array(_numbers(fields, _MATRIX, 9, name)).reshape(3, 3)
    steps = axes * np.array(_numbers(fields, ("ElementSpacing",), 3, name))[:, None]
    affine = np.eye(4)
    affine[:3, :3] = steps[::-1].T
    affine[:3, 3] = _numbers(fields, _ORIGIN, 3, name)
    return grid(sizes[::-1], affine, name)


def _numbers(
    fields: dict[str, str], synonyms: tuple[str, ...], count: int, name: str
) -> list[float]:
    text = next((fields[s] for s in synonyms if s in fields), None)
    if text is None:
        msg = (
            f"{name} does not give its {synonyms[0]}; export it again with its place in the patient"
        )
        raise GeometryError(msg)
    try:
        numbers = [float(n) for n in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        msg = f"{name} needs {count} numbers in {synonyms[0]}, got {text[:60]!r}; export it again"
        raise CorruptFileError(msg)
    return numbers
