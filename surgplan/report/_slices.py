"""Planes through a scan as they are looked at: radiological convention, millimetres, letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import find_contours

from surgplan.report._views import direction_letters
from surgplan.volume import Geometry

PlaneName = Literal["axial", "coronal", "sagittal"]
PLANES: tuple[PlaneName, ...] = ("axial", "coronal", "sagittal")

DISPLAY_AXES = "SPL"
"""Everything that is cut here runs (superior, posterior, left) first; see `volume.reorient`."""

_CONTOUR_BLUR_VOXELS = 0.6  # takes the stairs off a contour without moving it

Contours = list[npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """One slice of a grid whose axes run superior, posterior, left.

    Axial pictures are seen from the feet: anterior up, the patient's left on the right. Coronal
    and sagittal ones have superior up, sagittal ones anterior on the left.

    Attributes
    ----------
    name
        Which of the three.
    index
        Slice along the array axis that the plane cuts.
    geometry
        The grid, axes `DISPLAY_AXES`.
    """

    name: PlaneName
    index: int
    geometry: Geometry

    @property
    def axis(self) -> int:
        """Array axis that the plane cuts."""
        return PLANES.index(self.name)

    @property
    def _rest(self) -> tuple[int, int]:
        down, across = (a for a in range(3) if a != self.axis)
        return down, across

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Millimetres per pixel (down, across)."""
        down, across = self._rest
        return self.geometry.spacing_mm[down], self.geometry.spacing_mm[across]

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Where left, right, top and bottom of the picture point in the patient."""
        down, across = self._rest
        downwards = self.geometry.directions[:, down] * (1 if self.name == "axial" else -1)
        rightwards = self.geometry.directions[:, across]
        ends = (-rightwards, rightwards, -downwards, downwards)
        left, right, top, bottom = (direction_letters(end) for end in ends)
        return left, right, top, bottom

    @property
    def extent_mm(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top of the picture in millimetres of the plane, for drawing."""
        down, across = self._rest
        high, wide = self.geometry.shape[down], self.geometry.shape[across]
        return (
            -0.5 * self.spacing_mm[1],
            (wide - 0.5) * self.spacing_mm[1],
            *self._vertical(np.array([high - 0.5, -0.5])),
        )

    def cut(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The slice of an array on this grid, top row first."""
        flat: npt.NDArray[Any] = np.take(array, self.index, axis=self.axis)
        return flat if self.name == "axial" else flat[::-1]

    def points_mm(self) -> npt.NDArray[np.float64]:
        """LPS position of each pixel of the picture, ``(down, across, 3)``."""
        down, across = self._rest
        indices = np.zeros((self.geometry.shape[down], self.geometry.shape[across], 3))
        rows, columns = np.indices(indices.shape[:2])
        indices[..., self.axis] = self.index
        indices[..., down] = rows if self.name == "axial" else rows[::-1]
        indices[..., across] = columns
        return self.geometry.to_lps(indices)

    def place(self, point_mm: npt.ArrayLike) -> tuple[float, float]:
        """Where a point of the patient lies in the picture (across, up), in mm of the plane."""
        index = self.geometry.to_index(point_mm)
        down, across = self._rest
        row = index[down]
        if self.name != "axial":
            row = self.geometry.shape[down] - 1 - row
        return float(index[across] * self.spacing_mm[1]), -float(row * self.spacing_mm[0])

    def _vertical(self, rows: npt.NDArray[np.float64]) -> tuple[float, float]:
        low, high = -rows * self.spacing_mm[0]
        return float(low), float(high)

    def outlines(self, mask: npt.NDArray[np.bool_]) -> Contours:
        """Outlines of a mask (per pixel of the picture), ``(n, 2)`` as (across, up) in mm."""
        soft = np.pad(mask.astype(np.float32), 1)
        soft = ndimage.gaussian_filter(soft, _CONTOUR_BLUR_VOXELS)
        return [self._in_mm(c - 1) for c in find_contours(soft, 0.5)]

    def zero_line(self, values: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_]) -> Contours:
        """Where values change sign, interrupted (NaN) outside a mask; both per pixel."""
        soft = ndimage.gaussian_filter(inside.astype(np.float32), _CONTOUR_BLUR_VOXELS)
        lines = []
        for contour in find_contours(values, 0.0):
            share = ndimage.map_coordinates(soft, contour.T, order=1, mode="nearest")
            line = self._in_mm(contour)
            line[share < 0.5] = np.nan
            if np.isfinite(line).any():
                lines.append(line)
        return lines

    def _in_mm(self, contour: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(
            [contour[:, 1] * self.spacing_mm[1], -contour[:, 0] * self.spacing_mm[0]]
        )


def tilt_deg(geometry: Geometry) -> float:
    """Largest angle between an axis of the grid and the patient axis that it is named after."""
    cosines = np.abs(geometry.directions).max(axis=0)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())


def planes_through(geometry: Geometry, point_mm: npt.ArrayLike) -> tuple[Plane, Plane, Plane]:
    """Axial, coronal and sagittal plane nearest to a point; at the edge where it lies outside."""
    index = np.rint(geometry.to_index(point_mm)).astype(int)
    index = np.clip(index, 0, np.asarray(geometry.shape) - 1)
    axial, coronal, sagittal = (
        Plane(name=name, index=int(i), geometry=geometry)
        for name, i in zip(PLANES, index, strict=True)
    )
    return axial, coronal, sagittal
