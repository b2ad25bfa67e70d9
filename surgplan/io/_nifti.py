"""NIfTI in and out. RAS and (column, row, slice) exist on this side of the door only."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import CorruptFileError, UnsupportedImageError, UsageError
from surgplan.io._atomic import atomic_file
from surgplan.io._guard import (
    GZIP_MAGIC,
    check_declared,
    input_file,
    read_to_end,
    refusing_damage,
)
from surgplan.io._nifti_place import RAS_FROM_LPS, affine_lps
from surgplan.io._note import Note
from surgplan.io._stored import StoredImage, as_volume, grid, meant_values, real_type
from surgplan.volume import Geometry, LabelMap, Modality, Volume

_COMMENT = 6  # code of a plain text extension
_SCANNER = 1  # code of a place in the scanner, that is in the patient
_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


def read_nifti(path: Path | str, modality: Modality | None = None) -> Volume:
    """Read a scan from ``.nii`` or ``.nii.gz``.

    The sform places the voxels where it is coded, else the qform; where both are coded they must
    say the same (the standard gives neither precedence). Lengths in metres and micrometres become
    millimetres; no unit means millimetres. ``scl_slope`` and ``scl_inter`` are applied in double
    precision. A compressed file is read to the end, checksum included, before it is used.

    Parameters
    ----------
    path
        The file.
    modality
        ``'CT'`` or ``'MR'``; None takes what surgplan wrote into the file, else decides by the
        values, see `check_intensities`.

    Raises
    ------
    CorruptFileError
        If it is not NIfTI, is cut short or fails its checksum.
    UnsafeFileError, ResourceLimitError
        If its header promises more than the file can hold or we can take.
    UnsupportedImageError
        If it is 2D, a series over time, complex, in colours or in two files.
    GeometryError
        If it has no place in the patient, or two that differ.
    IntensityError
        If values are NaN, infinite or do not fit the modality.

    References
    ----------
    NIfTI-1 Data Format, https://nifti.nimh.nih.gov/nifti-1
    """
    return as_volume(load_nifti(path), modality)


def load_nifti(path: Path | str) -> StoredImage:
    """Voxels as stored, with their place; raises as `read_nifti`."""
    path = input_file(path)
    name = path.name
    with path.open("rb") as raw, refusing_damage(name):
        packed = raw.read(2) == GZIP_MAGIC
        if packed != (path.suffix == ".gz"):
            kind, right = ("gzip", ".nii.gz") if packed else ("not gzip", ".nii")
            msg = f"{name} is not what its name says: it is {kind}; if it is NIfTI name it {right}"
            raise CorruptFileError(msg)
        raw.seek(0)
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw) if packed else raw)
        start = stream.read(544)
        header = _header(start, name)
        shape, offset = _shape(header, name), _offset(header, name)
        dtype = _dtype(header, name)
        declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
        stored = path.stat().st_size
        check_declared(name, declared + offset, stored, packed=packed)
        content = read_to_end(stream, offset + declared, name, start=start)
    voxels = np.frombuffer(content, dtype=dtype, offset=offset).reshape(shape[::-1])
    notes = _extensions(bytes(content[:offset]), header)
    note = next(filter(None, (Note.from_json(n, name) for n in notes)), None)
    geometry = grid(voxels.shape, affine_lps(header, shape, name), name)
    slope, intercept = _scaling(header, name)
    return StoredImage(
        name=name,
        array=voxels.astype(dtype.newbyteorder("="), copy=False),
        geometry=note.sharpen(geometry) if note else geometry,
        slope=slope,
        intercept=intercept,
        note=note,
        names=_label_table(notes),
    )


def write_nifti(image: Volume | LabelMap, path: Path | str) -> None:
    """Write a scan or label map as ``.nii`` or ``.nii.gz``, sform and qform coded, in mm.

    A sheared grid has no qform, since a quaternion cannot say it. Raises `OutputError`.
    """
    what = "labels" if isinstance(image, LabelMap) else str(image.modality)
    if isinstance(image, Volume) and image.is_synthetic:
        what = f"synthetic {what}"
    _write(image.array, image.geometry, Note.of(image), what=what, path=path)


def write_scalar_map(
    array: npt.NDArray[np.float32], geometry: Geometry, path: Path | str, *, what: str
) -> None:
    """Write numbers that are no scan, such as a confidence, as ``.nii.gz``.

    Parameters
    ----------
    array
        ``(slice, row, column)`` float32.
    geometry
        LPS mm; same shape as the array.
    path
        Ends in ``.nii`` or ``.nii.gz``.
    what
        A word for the header, such as ``'confidence'``.

    Raises
    ------
    UsageError
        If array and geometry do not fit.
    OutputError
        If the file cannot be written.
    """
    if array.shape != geometry.shape or array.dtype != np.float32:
        msg = f"a map is float32 of {geometry.shape}, got {array.dtype} of {array.shape}"
        raise UsageError(msg)
    _write(array, geometry, Note(affine=geometry.affine), what=what, path=path)


def read_scalar_map(path: Path | str) -> tuple[npt.NDArray[np.float32], Geometry]:
    """The inverse of `write_scalar_map`; raises as `read_nifti`."""
    stored = load_nifti(path)
    return meant_values(stored).astype(np.float32), stored.geometry


def _write(
    array: npt.NDArray[Any], geometry: Geometry, note: Note, *, what: str, path: Path | str
) -> None:
    affine = (RAS_FROM_LPS @ geometry.affine)[:, [2, 1, 0, 3]]
    nifti = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
    header = nifti.header
    header.set_xyzt_units("mm")
    header.set_sform(affine, code=_SCANNER)
    header.set_qform(affine, code=_SCANNER if geometry.is_orthogonal else 0)
    header["descrip"] = f"surgplan {what}. {NOT_A_MEDICAL_DEVICE}".encode("ascii")[:79]
    comment = note.to_json().encode("ascii")
    header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, comment))
    with atomic_file(path) as temporary:
        nib.save(nifti, temporary)


def _header(start: bytes, name: str) -> nib.Nifti1Header:
    sizes = {int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")}
    size = next((s for s in _HEADERS if s in sizes), None)
    if size is None:
        msg = f"{name} is not NIfTI, whatever its name says; export the scan as NIfTI or DICOM"
        raise CorruptFileError(msg)
    if len(start) < size:
        msg = f"{name} is cut short in its header; copy it again"
        raise CorruptFileError(msg)
    header = _HEADERS[size](start[:size], check=False)
    magic = bytes(header["magic"])[:2]
    if magic == b"ni" or not magic.strip(b"\0"):
        msg = f"{name} is half of a pair of files (Analyze or .hdr/.img); save it as one .nii.gz"
        raise UnsupportedImageError(msg)
    if magic != b"n+":
        msg = f"{name} is not NIfTI: its mark is {magic!r}; export it again"
        raise CorruptFileError(msg)
    return header


def _shape(header: nib.Nifti1Header, name: str) -> tuple[int, int, int]:
    """Voxels along (column, row, slice)."""
    count = int(header["dim"][0])
    sizes = [int(n) for n in header["dim"][1 : count + 1]]
    if not 1 <= count <= 7 or min(sizes) < 1:
        msg = f"{name} declares impossible sizes {header['dim'].tolist()}; export it again"
        raise CorruptFileError(msg)
    if count < 3 or any(n > 1 for n in sizes[3:]):
        msg = f"a scan has three axes, {name} has {' x '.join(map(str, sizes))}; extract one volume"
        raise UnsupportedImageError(msg)
    return sizes[0], sizes[1], sizes[2]


def _offset(header: nib.Nifti1Header, name: str) -> int:
    least = header.sizeof_hdr + 4
    offset = float(header["vox_offset"]) or least
    if not (least <= offset < 1 << 30 and offset.is_integer()):
        msg = f"{name} declares voxels from byte {offset:g}, not {least} or later; export it again"
        raise CorruptFileError(msg)
    return int(offset)


def _dtype(header: nib.Nifti1Header, name: str) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except (HeaderDataError, KeyError) as e:
        msg = f"{name} has an unknown type of voxels ({e}); save it as int16 or float32"
        raise UnsupportedImageError(msg) from e
    real_type(dtype, name)
    if int(header["bitpix"]) != 8 * dtype.itemsize:
        msg = f"{name} declares {header['bitpix']} bits for {dtype} voxels; export it again"
        raise CorruptFileError(msg)
    return dtype


def _scaling(header: nib.Nifti1Header, name: str) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 means that there is no scaling."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or (np.isnan(slope) and np.isnan(intercept)):
        return 1.0, 0.0
    if not np.isfinite([slope, intercept]).all():
        msg = f"{name} has a scaling of {slope} and {intercept}; export it again"
        raise CorruptFileError(msg)
    return slope, intercept


def _extensions(content: bytes, header: nib.Nifti1Header) -> list[bytes]:
    """Contents of the extensions between header and voxels."""
    order = "little" if header.endianness == "<" else "big"
    at = header.sizeof_hdr
    found: list[bytes] = []
    if content[at : at + 1] in (b"", b"\0"):
        return found
    at += 4
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], cast("Any", order))
        if size < 8 or at + size > len(content):
            break
        found.append(content[at + 8 : at + size].rstrip(b"\0"))
        at += size
    return found


def _label_table(notes: list[bytes]) -> dict[int, str]:
    """Names of a Caret label table, as TotalSegmentator and Connectome Workbench write it."""
    pattern = (
        rb'<Label\s[^>]*?\bKey="(\d{1,9})"[^>]*>\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))\s*</Label>'
    )
    table = {}
    for note in notes:
        for key, quoted, plain in re.findall(pattern, note, flags=re.DOTALL):
            table[int(key)] = (quoted or plain).decode("utf-8", "replace").strip()
    return table
