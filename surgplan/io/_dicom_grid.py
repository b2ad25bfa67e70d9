"""Slices -> one regular grid, from their positions alone; tags for thickness are not asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.errors import (
    DuplicateSliceError,
    GeometryError,
    MissingSliceError,
    MixedOrientationError,
    UnevenSpacingError,
    UnsupportedImageError,
)
from surgplan.io._dicom_header import Slice
from surgplan.volume import Geometry

MIN_SLICES = 3
"""With fewer, nothing shows whether one is missing."""

SPACING_TOLERANCE_MM = 0.01
SPACING_TOLERANCE = 0.01
"""Distances between slices may differ by 0.01 mm or 1 %, whichever is more."""

SIDE_TOLERANCE_MM = 0.05
"""Slices may lie this far beside the line through the first and the last one."""

COSINE_TOLERANCE = 1e-4
"""Directions may differ by this much: 0.05 mm at the far edge of a body."""

_ONE_STACK = "; give a folder with one stack of slices only"

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Slices in order, rising along row direction x column direction, and their grid.

    Attributes
    ----------
    slices
        Along array axis 0.
    geometry
        Sheared where the gantry was tilted.
    tilt_deg
        Angle between the line of the slices and their normal; 0 for a straight stack.
    """

    slices: tuple[Slice, ...]
    geometry: Geometry
    tilt_deg: float


def stack_of(slices: Sequence[Slice]) -> Stack:
    """Order slices by their position along the normal and check that they make one grid.

    Raises
    ------
    GeometryError
        Or one of its kinds: a position, orientation or spacing is not there or not alike, slices
        are missing, double, unevenly spaced or beside each other.
    UnsupportedImageError
        If there are fewer than `MIN_SLICES`.
    """
    if len(slices) < MIN_SLICES:
        msg = f"a volume has at least {MIN_SLICES} slices, got {len(slices)}; give the whole series"
        raise UnsupportedImageError(msg)
    rows, columns, spacing = _common_plane(slices)
    normal = np.cross(rows, columns)
    positions = np.array([s.position_mm for s in slices])
    order = np.argsort(positions @ normal, kind="stable")
    ordered = tuple(slices[int(n)] for n in order)
    positions = positions[order]
    depths = positions @ normal
    _check_steps(ordered, positions, depths)
    shift = _shift(ordered, positions, depths, normal)
    steps = len(slices) - 1
    affine = np.eye(4)
    affine[:3, 0] = normal * (depths[-1] - depths[0]) / steps + shift / steps
    affine[:3, 1] = columns * spacing[0]
    affine[:3, 2] = rows * spacing[1]
    affine[:3, 3] = positions[0]
    pixels = slices[0].header.pixels
    shape = (len(slices), pixels.rows, pixels.columns)
    tilt = np.degrees(np.arctan2(np.linalg.norm(shift), depths[-1] - depths[0]))
    geometry = Geometry(shape=shape, affine=affine)
    return Stack(slices=ordered, geometry=geometry, tilt_deg=float(tilt))


def _common_plane(slices: Sequence[Slice]) -> tuple[Points, Points, Points]:
    """Row direction, column direction and pixel spacing that all slices share."""
    for what in ("position_mm", "orientation", "pixel_spacing_mm"):
        silent = next((s for s in slices if getattr(s, what) is None), None)
        if silent is not None:
            words = what.removesuffix("_mm").replace("_", " ")
            msg = f"{silent.name} does not say its {words}; get the original series from the PACS"
            raise GeometryError(msg)
    first = slices[0]
    orientation = np.array(first.orientation)
    spacing = np.array(first.pixel_spacing_mm)
    for s in slices:
        if np.abs(np.array(s.orientation) - orientation).max() > COSINE_TOLERANCE:
            msg = (
                f"slices of one series must look in one direction, {s.name} does not look like "
                f"{first.name}"
            )
            raise MixedOrientationError(msg + _ONE_STACK)
        _check_alike(first, s)
    rows, columns = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if np.abs(np.array([*lengths, 1 + rows @ columns]) - 1).max() > 1e-3:
        msg = f"image directions must be perpendicular unit vectors, {first.name} has {orientation}"
        raise GeometryError(msg)
    if not (spacing > 0).all():
        msg = f"pixel spacing must be positive, {first.name} has {spacing} mm; export it again"
        raise GeometryError(msg)
    rows = rows / lengths[0]
    columns = columns - rows * (rows @ columns)
    return rows, columns / np.linalg.norm(columns), spacing


def _check_alike(first: Slice, other: Slice) -> None:
    mine = (other.header.pixels.rows, other.header.pixels.columns)
    theirs = (first.header.pixels.rows, first.header.pixels.columns)
    if mine != theirs:
        msg = f"slices must have one size, {other.name} has {mine} and {first.name} {theirs} pixels"
        raise GeometryError(msg + _ONE_STACK)
    a, b = np.array(other.pixel_spacing_mm), np.array(first.pixel_spacing_mm)
    if (np.abs(a - b) * np.array(theirs) > SIDE_TOLERANCE_MM).any():
        msg = f"slices must have one pixel spacing, {other.name} has {a} and {first.name} {b} mm"
        raise GeometryError(msg + _ONE_STACK)
    if other.header.frame_of_reference != first.header.frame_of_reference:
        msg = f"{other.name} and {first.name} lie in different frames of reference"
        raise GeometryError(msg + _ONE_STACK)


def _check_steps(slices: tuple[Slice, ...], positions: Points, depths: Points) -> None:
    steps = np.diff(depths)
    double = np.flatnonzero(steps <= SPACING_TOLERANCE_MM)
    if double.size:
        at = int(double[0])
        msg = (
            f"{slices[at].name} and {slices[at + 1].name} lie at the same place, "
            f"{_place(positions[at])} ({double.size} of {len(steps)} steps); "
            "keep one copy, or one phase or echo, per folder"
        )
        raise DuplicateSliceError(msg)
    step = float(np.quantile(steps, 0.5, method="lower"))
    tolerance = max(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * step)
    times = np.round(steps / step)
    off = np.abs(steps - times * step) > tolerance * times
    if off.any():
        at = int(np.argmax(off))
        msg = (
            f"slices must be evenly spaced: {steps[at]:.3f} mm between {slices[at].name} and "
            f"{slices[at + 1].name}, {step:.3f} mm elsewhere; get the original series"
        )
        raise UnevenSpacingError(msg)
    _check_gaps(slices, positions, times)
    _check_drift(slices, depths, tolerance)


def _check_gaps(slices: tuple[Slice, ...], positions: Points, times: Points) -> None:
    if (times == 1).all():
        return
    at = int(np.argmax(times > 1))
    place = positions[at] + (positions[at + 1] - positions[at]) / times[at]
    msg = (
        f"{int((times - 1).sum())} slices are missing, the first at {_place(place)} between "
        f"{slices[at].name} and {slices[at + 1].name}; get the complete series from the PACS"
    )
    raise MissingSliceError(msg)


def _check_drift(slices: tuple[Slice, ...], depths: Points, tolerance: float) -> None:
    """Small differences between steps must not add up."""
    drift = np.abs(depths - np.linspace(depths[0], depths[-1], len(depths)))
    at = int(np.argmax(drift))
    if drift[at] > 5 * tolerance:
        msg = (
            f"slices must be evenly spaced: {slices[at].name} lies {drift[at]:.3f} mm "
            "off its place between the first and the last; get the original series"
        )
        raise UnevenSpacingError(msg)


def _shift(slices: tuple[Slice, ...], positions: Points, depths: Points, normal: Points) -> Points:
    """How far the last slice lies beside the first, in their plane; exactly 0 within tolerance."""
    beside = positions - positions[0]
    beside = beside - np.outer(beside @ normal, normal)
    shift: Points = beside[-1]
    if np.linalg.norm(shift) <= SIDE_TOLERANCE_MM:
        shift = np.zeros(3)
    line = np.outer((depths - depths[0]) / (depths[-1] - depths[0]), shift)
    away = np.linalg.norm(beside - line, axis=1)
    at = int(np.argmax(away))
    if away[at] > SIDE_TOLERANCE_MM:
        msg = (
            f"{slices[at].name} lies {away[at]:.2f} mm beside the line of the other slices; "
            "give a folder with one acquisition"
        )
        raise GeometryError(msg)
    return shift


def _place(point: Points) -> str:
    x, y, z = (float(n) for n in point)
    return f"LPS ({x:.2f}, {y:.2f}, {z:.2f}) mm"
