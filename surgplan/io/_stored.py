"""An image as its file stores it, on the way to a Volume or to labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.errors import GeometryError, LabelError, UnsupportedImageError, UsageError
from surgplan.io._intensity import check_intensities
from surgplan.io._note import Note
from surgplan.volume import Geometry, Modality, Volume

_INT16 = np.iinfo(np.int16)
_THINNEST_MM, _THICKEST_MM = 0.01, 100.0


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredImage:
    """Voxels in the type of the file, and where they lie.

    Attributes
    ----------
    name
        File name, for messages and as identity.
    array
        ``(slice, row, column)``, real numbers.
    geometry
        LPS mm.
    slope, intercept
        A voxel means ``slope * stored + intercept``.
    note
        What surgplan wrote along, where it did.
    names
        Label number to name, where the file lists them.
    """

    name: str
    array: npt.NDArray[Any]
    geometry: Geometry
    slope: float = 1.0
    intercept: float = 0.0
    note: Note | None = None
    names: dict[int, str] = field(default_factory=dict)

    @property
    def is_scaled(self) -> bool:
        """Whether stored numbers are not yet what they mean."""
        return (self.slope, self.intercept) != (1.0, 0.0)


def as_volume(stored: StoredImage, modality: Modality | None) -> Volume:
    """The stored image as a scan, its values exact and checked against the modality.

    Raises `UnsupportedImageError` for a single slice, `IntensityError` for values that do not fit.
    """
    if min(stored.geometry.shape) < 2:
        msg = f"{stored.name} is one slice of {stored.geometry.shape}; give the whole 3D scan"
        raise UnsupportedImageError(msg)
    note = stored.note
    array = meant_values(stored)
    known = check_intensities(array, modality or (note.modality if note else None))
    return Volume(
        array=array,
        geometry=stored.geometry,
        modality=known,
        frame_of_reference=note.frame_of_reference if note else None,
        identity=(note and note.identity) or stored.name,
    )


def as_label_numbers(stored: StoredImage) -> npt.NDArray[Any]:
    """The stored image as whole numbers from 0 up, in an unsigned type.

    Raises `LabelError` if there are fractions, negative numbers or numbers above 65535.
    """
    array = meant_values(stored) if stored.is_scaled else stored.array
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= np.iinfo(np.uint16).max):
        msg = f"labels lie in 0..65535, got {low:g} to {high:g} in {stored.name}; is it a scan?"
        raise LabelError(msg)
    numbers = array.astype(np.uint8 if high <= 255 else np.uint16)
    if array.dtype.kind == "f" and not np.array_equal(numbers, array):
        msg = f"labels are whole numbers, got fractions in {stored.name}; is it a scan?"
        raise LabelError(msg)
    return numbers


def grid(shape: tuple[int, ...], affine: npt.ArrayLike, name: str) -> Geometry:
    """A geometry from a file's own words.

    Raises `GeometryError` if it cannot be one, or if no patient has such voxels.
    """
    slices, rows, columns = shape
    try:
        geometry = Geometry(shape=(slices, rows, columns), affine=np.asarray(affine))
    except UsageError as e:
        msg = f"{name} has no usable place in the patient: {e}; export it again"
        raise GeometryError(msg) from e
    spacing = geometry.spacing_mm
    if min(spacing) < _THINNEST_MM or max(spacing) > _THICKEST_MM:
        sizes = " x ".join(f"{s:.4g}" for s in spacing)
        msg = (
            f"voxels are {_THINNEST_MM:g} to {_THICKEST_MM:g} mm apart, {name} says {sizes} mm; "
            "correct its spacing or its unit of length"
        )
        raise GeometryError(msg)
    return geometry


def real_type(dtype: np.dtype[Any], name: str) -> None:
    """Raise `UnsupportedImageError` unless voxels are single real numbers."""
    if dtype.kind not in "iuf":
        kind = "colours" if dtype.names else "complex numbers" if dtype.kind == "c" else str(dtype)
        msg = f"a scan has one real number per voxel, {name} has {kind}; export the scan itself"
        raise UnsupportedImageError(msg)


def meant_values(stored: StoredImage) -> npt.NDArray[Any]:
    """Meant values: int16 where all are whole and fit, else float32."""
    array = stored.array
    if array.dtype.kind in "iu" and not stored.is_scaled:
        fits = _INT16.min <= array.min() and array.max() <= _INT16.max
        return array.astype(np.int16 if fits else np.float32)
    values = np.empty(array.shape, dtype=np.float32)
    whole = True
    with np.errstate(over="ignore"):  # an overflow becomes infinite, which is refused later
        for meant, plane in zip(values, array, strict=True):  # by plane: float64 takes 4x the room
            exact = plane.astype(np.float64) * stored.slope + stored.intercept
            whole = whole and bool((exact == np.rint(exact)).all())
            meant[...] = exact
    fits = whole and _INT16.min <= values.min() and values.max() <= _INT16.max
    return values.astype(np.int16) if fits else values
