"""NRRD headers and voxels, from the text of the header itself.

ITK straightens sheared axes and skips checksums, so the header is read here; ITK is the oracle of
the tests. Format: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from surgplan.errors import CorruptFileError, GeometryError, UnsupportedImageError
from surgplan.io._guard import input_file
from surgplan.io._note import NOTE_KEY, Note
from surgplan.io._payload import Encoding, Payload, beside
from surgplan.io._stored import StoredImage, grid
from surgplan.volume import Geometry

_MAX_HEADER = 4 << 20

_TYPES = {
    "i1": "signed char|int8|int8_t",
    "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t",
    "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float",
    "f8": "double",
}
_DTYPES = {name: kind for kind, names in _TYPES.items() for name in names.split("|")}

_ENCODINGS: dict[str, Encoding] = {
    "raw": "raw", "gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2",
}  # fmt: skip

_LPS_SIGNS = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Nrrd:
    """What an NRRD file says.

    Attributes
    ----------
    name
        File name.
    samples
        Slowest axis first; the axis that is no direction in space, where there is one, comes last.
    geometry
        Of the three spatial axes, LPS mm.
    keys
        Key/value pairs (``key:=value``).
    """

    name: str
    samples: npt.NDArray[Any]
    geometry: Geometry
    keys: dict[str, str]


def load_nrrd_image(path: Path | str) -> StoredImage:
    """A scalar 3D image; raises as `load_nrrd`, and `UnsupportedImageError` for components."""
    nrrd = load_nrrd(path)
    if nrrd.samples.ndim != 3:
        msg = f"a scan has one number per voxel, {nrrd.name} has {nrrd.samples.shape[-1]}; split it"
        raise UnsupportedImageError(msg)
    note = Note.from_json(nrrd.keys.get(NOTE_KEY, ""), nrrd.name)
    return StoredImage(
        name=nrrd.name,
        array=nrrd.samples,
        geometry=note.sharpen(nrrd.geometry) if note else nrrd.geometry,
        note=note,
    )


def load_nrrd(path: Path | str) -> Nrrd:
    """Read ``.nrrd``, or ``.nhdr`` with its data file next to it.

    Raises
    ------
    CorruptFileError, UnsafeFileError, ResourceLimitError
        If the file is not NRRD, is cut short, fails its checksum or promises too much.
    UnsupportedImageError
        If it is not three axes in space and at most one more, or in a text encoding.
    GeometryError
        If it names no place in the patient.
    """
    path = input_file(path)
    with path.open("rb") as stream:
        fields, keys = _header(stream, path.name)
        offset = stream.tell()
    payload = _payload(fields, path, offset)
    directions = _directions(fields, path.name)
    spatial = [i for i, d in enumerate(directions) if d is not None]
    if len(directions) != len(payload.sizes) or len(spatial) != 3 or len(directions) > 4:
        msg = f"a scan has three axes in space, {path.name} has {len(spatial)} of {len(directions)}"
        raise UnsupportedImageError(msg + "; extract one volume")
    affine = np.eye(4)
    affine[:3, :3] = np.array([directions[i] for i in reversed(spatial)]).T
    affine[:3, 3] = _vectors(_required(fields, "space origin", path.name), path.name)[0]
    affine[:3] *= _signs(fields, path.name)[:, None]
    sizes = tuple(payload.sizes[i] for i in reversed(spatial))
    geometry = grid(sizes, affine, path.name)
    samples = payload.read(path.name)
    extra = [i for i, d in enumerate(reversed(directions)) if d is None]
    samples = np.moveaxis(samples, extra, [-1] * len(extra)) if extra else samples
    if samples.ndim == 4 and samples.shape[-1] == 1:
        samples = samples[..., 0]
    return Nrrd(name=path.name, samples=samples, geometry=geometry, keys=keys)


def _header(stream: BinaryIO, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Fields and keys; leaves the stream behind the blank line."""
    if not re.fullmatch(rb"NRRD000[1-5]\r?\n", stream.readline(16)):
        msg = f"{name} is not NRRD, whatever its name says; export it again"
        raise CorruptFileError(msg)
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    while stream.tell() < _MAX_HEADER:
        line = stream.readline(_MAX_HEADER)
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            return fields, keys
        if text.startswith("#"):
            continue
        match = re.match(r"([^:]+):(=|\s)\s*(.*)", text)
        if match is None:
            msg = f"{name} has a header line that is none: {text[:60]!r}; export it again"
            raise CorruptFileError(msg)
        key, kind, value = match.groups()
        target = keys if kind == "=" else fields
        if key.lower() in target and kind != "=":
            msg = f"{name} gives {key!r} twice; export it again"
            raise CorruptFileError(msg)
        target[key if kind == "=" else key.lower()] = _unescape(value) if kind == "=" else value
    msg = f"{name} has a header without end; export it again"
    raise CorruptFileError(msg)


def _unescape(value: str) -> str:
    return re.sub(r"\\(n|\\)", lambda m: "\n" if m[1] == "n" else "\\", value)


def _payload(fields: dict[str, str], path: Path, offset: int) -> Payload:
    name = path.name
    for skip in ("line skip", "lineskip", "byte skip", "byteskip"):
        if fields.get(skip, "0").strip() != "0":
            msg = f"{name} skips bytes before its voxels; save it as a plain .nrrd"
            raise UnsupportedImageError(msg)
    kind = _DTYPES.get(_required(fields, "type", name).strip().lower())
    encoding = _ENCODINGS.get(_required(fields, "encoding", name).strip().lower())
    if kind is None or encoding is None:
        msg = f"{name} holds {fields['type']} in encoding {fields['encoding']}; save it as gzip"
        raise UnsupportedImageError(msg)
    endian = fields.get("endian", "").strip().lower()
    if kind[1] != "1" and endian not in ("little", "big"):
        msg = f"{name} does not say its byte order; export it again"
        raise CorruptFileError(msg)
    sizes = tuple(int(n) for n in _numbers(_required(fields, "sizes", name), name))
    if not sizes or min(sizes) < 1 or str(len(sizes)) != fields.get("dimension", "").strip():
        msg = f"{name} declares impossible sizes {fields['sizes']}; export it again"
        raise CorruptFileError(msg)
    data = fields.get("data file", fields.get("datafile"))
    return Payload(
        path=path if data is None else beside(path, data.strip()),
        offset=offset if data is None else 0,
        encoding=encoding,
        sizes=sizes,
        dtype=np.dtype(kind).newbyteorder(">" if endian == "big" else "<"),
    )


def _directions(fields: dict[str, str], name: str) -> list[npt.NDArray[np.float64] | None]:
    """One vector per axis of the file, None where an axis is no direction in space."""
    units = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    if any(u.lower() not in ("mm", "millimeter", "millimeters", "") for u in units):
        msg = f"{name} measures in {', '.join(units)}; save it in mm"
        raise GeometryError(msg)
    text = _required(fields, "space directions", name)
    parts = re.findall(r"\([^)]*\)|none", text)
    return [None if p == "none" else _vectors(p, name)[0] for p in parts]


def _signs(fields: dict[str, str], name: str) -> npt.NDArray[np.float64]:
    space = _required(fields, "space", name).strip().lower()
    if space not in _LPS_SIGNS:
        msg = f"{name} lies in space {space!r}, not in a patient; save it in LPS or RAS"
        raise GeometryError(msg)
    return np.array(_LPS_SIGNS[space], dtype=np.float64)


def _required(fields: dict[str, str], field: str, name: str) -> str:
    if field not in fields:
        kind = GeometryError if field.startswith("space") else CorruptFileError
        msg = f"{name} does not give its {field!r}; export it again with its place in the patient"
        raise kind(msg)
    return fields[field]


def _vectors(text: str, name: str) -> list[npt.NDArray[np.float64]]:
    vectors = [_numbers(v.replace(",", " "), name) for v in re.findall(r"\(([^)]*)\)", text)]
    if not vectors or any(len(v) != 3 for v in vectors):
        msg = f"{name} has a direction or origin that is no 3D vector: {text[:60]}; export it again"
        raise GeometryError(msg)
    return [np.array(v) for v in vectors]


def _numbers(text: str, name: str) -> list[float]:
    try:
        return [float(n) for n in text.split()]
    except ValueError as e:
        msg = f"{name} has a number in its header that is none ({e}); export it again"
        raise CorruptFileError(msg) from e
