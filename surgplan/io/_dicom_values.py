"""Stored numbers -> Hounsfield units (CT) or the scanner's own units (MR), exactly."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.errors import IntensityError, UnsupportedImageError
from surgplan.io._dicom_grid import Stack
from surgplan.io._dicom_header import Slice
from surgplan.io._dicom_pixels import Plane, check_format, planes
from surgplan.io._guard import check_declared
from surgplan.volume import HOUNSFIELD_AIR, Modality

_INT16 = np.iinfo(np.int16)


def voxels_of(stack: Stack, modality: Modality) -> npt.NDArray[Any]:
    """Values of all slices, ``(slice, row, column)``.

    int16 where all values are whole and fit, else float32. Padding outside the reconstructed field
    (PixelPaddingValue) becomes air in CT and 0 in MR.

    Raises
    ------
    IntensityError
        If the values are not what the modality means by them.
    UnsupportedImageError, CorruptFileError, UnsafeFileError
        If the pixels cannot be read; see `planes`.
    """
    for s in stack.slices:
        check_format(s.header)
        _check_rescale(s, modality)
    shape = stack.geometry.shape
    claimed = int(np.prod(shape)) * 2
    check_declared(stack.slices[0].name, claimed, claimed, packed=False)
    whole = all(_is_whole(s) for s in stack.slices)
    array: npt.NDArray[Any] = np.empty(shape, np.int16 if whole else np.float32)
    for path_slots in _by_file(stack).values():
        header = stack.slices[path_slots[0]].header
        slots = {stack.slices[n].frame: n for n in path_slots}
        for frame, plane in planes(header, sorted(slots)):
            values = _values(plane, stack.slices[slots[frame]], modality)
            if array.dtype == np.int16 and not _fits(values):
                array = array.astype(np.float32)
            array[slots[frame]] = values
    return array


def _by_file(stack: Stack) -> dict[str, list[int]]:
    files = defaultdict(list)
    for n, s in enumerate(stack.slices):
        files[str(s.header.path)].append(n)
    return files


def _is_whole(s: Slice) -> bool:
    return _slope(s).is_integer() and _intercept(s).is_integer()


def _slope(s: Slice) -> float:
    return 1.0 if s.slope is None else s.slope


def _intercept(s: Slice) -> float:
    return 0.0 if s.intercept is None else s.intercept


def _fits(values: npt.NDArray[Any]) -> bool:
    return bool(values.min() >= _INT16.min and values.max() <= _INT16.max)


def _check_rescale(s: Slice, modality: Modality) -> None:
    if s.lookup_table:
        msg = f"{s.name} maps its values through a table; export it with slope and intercept"
        raise UnsupportedImageError(msg)
    if s.slope == 0:
        msg = f"{s.name} has a rescale slope of 0, so that all values are alike; export it again"
        raise IntensityError(msg)
    if modality == "MR":
        return
    if s.slope is None or s.intercept is None:
        msg = f"a CT says how to get Hounsfield units, {s.name} has no rescale slope or intercept"
        raise IntensityError(f"{msg}; get the original series")  # noqa: EM102
    unspecified = s.rescale_type == "US" and s.image_type[:1] == ("ORIGINAL",)
    if s.rescale_type not in ("", "HU") and not unspecified:
        kind = "\\".join(s.image_type)
        msg = f"CT values must be Hounsfield units, {s.name} ({kind}) has {s.rescale_type}"
        raise IntensityError(f"{msg}; give the original series")  # noqa: EM102
    if s.header.pixels.bits_stored <= 8:
        msg = f"Hounsfield units need more than 8 bits, {s.name} has {s.header.pixels.bits_stored}"
        raise IntensityError(f"{msg}; give the original series")  # noqa: EM102


def _values(plane: Plane, s: Slice, modality: Modality) -> npt.NDArray[Any]:
    padded = _padded(plane, s)
    stored = _within_bits(plane, padded, s)
    if _is_whole(s):
        values: npt.NDArray[Any] = stored.astype(np.int64) * int(_slope(s)) + int(_intercept(s))
    else:
        values = stored.astype(np.float64) * _slope(s) + _intercept(s)
    values[padded] = HOUNSFIELD_AIR if modality == "CT" else 0
    return values


def _padded(plane: Plane, s: Slice) -> npt.NDArray[np.bool_]:
    padding = s.header.pixels.padding
    if padding is None:
        return np.zeros(plane.shape, dtype=bool)
    inside: npt.NDArray[np.bool_] = (plane >= padding[0]) & (plane <= padding[1])
    return inside


def _within_bits(plane: Plane, padded: npt.NDArray[np.bool_], s: Slice) -> Plane:
    """Numbers of BitsStored bits; negative ones may come without their sign carried upwards.

    Bits above that are neither sign nor zero (old overlays, or a header that lies) are refused.
    """
    pixels = s.header.pixels
    bits = pixels.bits_stored
    if bits == plane.dtype.itemsize * 8:
        return plane
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if pixels.signed else (0, 1 << bits)
    shown = plane[~padded]
    if shown.size == 0 or (shown.min() >= low and shown.max() < high):
        return plane
    if pixels.signed and shown.min() >= 0 and shown.max() < 2 * high:
        wide = plane.astype(np.int64)
        return np.where(wide >= high, wide - 2 * high, wide)
    msg = f"{s.name} says {bits} bits and holds {shown.min()} to {shown.max()}; export it again"
    raise IntensityError(msg)
