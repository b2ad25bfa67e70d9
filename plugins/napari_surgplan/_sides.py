"""Which side of a cut the liver lies on, for looking: the numbers come from the assessment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from napari_surgplan._layers import upright
from surgplan.planning import (
    BezierResection,
    CutSheet,
    PreparedLiver,
    Resection,
    TwoStageResection,
    UnionResection,
)
from surgplan.volume import LIVER, Geometry, LabelMap, box_of, crop

REMNANT, SPECIMEN = 1, 2
_STEP_MM = 2.0
_COARSE_MM = 5.0

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LiverGrid:
    """The liver on a thin grid along napari's axes.

    Attributes
    ----------
    geometry
        Of the grid, straight in the patient.
    inside
        ``(slice, row, column)``, True in the liver.
    """

    geometry: Geometry
    inside: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, prepared: PreparedLiver) -> LiverGrid:
        """Thin out a prepared liver."""
        label_map = prepared.label_map
        whole = label_map.whole_liver()
        flat = replace(label_map, array=(whole * np.uint8(LIVER.label)), segments=(LIVER,))
        near = crop(flat, box_of(whole, label_map.geometry))
        straight = upright(_every_few(near))
        return cls(geometry=straight.geometry, inside=straight.array > 0)

    @cached_property
    def points_mm(self) -> Points:
        """``(n, 3)`` LPS of the voxels in the liver, in the order of ``inside.nonzero()``."""
        return self.geometry.to_lps(np.argwhere(self.inside))

    def painted(self, resected: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
        """``(slice, row, column)``: 0 no liver, else `REMNANT` or `SPECIMEN`."""
        array = np.zeros(self.inside.shape, dtype=np.uint8)
        array[self.inside] = np.where(resected, SPECIMEN, REMNANT)
        return array


def resected_points(
    resection: Resection, sheet: CutSheet, points_mm: Points
) -> npt.NDArray[np.bool_]:
    """Which of ``(n, 3)`` LPS points are resected, quickly enough for the eye.

    By the resection itself, but for curved cuts by the nearest piece of the sheet, looked up on a
    coarse grid and interpolated.
    """
    if sheet.is_empty or not any(isinstance(p, BezierResection) for p in _parts(resection)):
        distance = np.zeros(len(points_mm))
        resection.lower(points_mm, distance)
        resected: npt.NDArray[np.bool_] = distance < 0
        return resected
    low = points_mm.min(axis=0)
    counts = np.ceil((points_mm.max(axis=0) - low) / _COARSE_MM).astype(int) + 1
    coarse = low + _COARSE_MM * np.indices(tuple(counts)).reshape(3, -1).T
    _, nearest = cKDTree(sheet.points_mm).query(coarse)
    ahead = ((coarse - sheet.points_mm[nearest]) * _normals(sheet)[nearest]).sum(axis=1)
    index = ((points_mm - low) / _COARSE_MM).T
    behind: npt.NDArray[np.bool_] = map_coordinates(ahead.reshape(counts), index, order=1) < 0
    return behind


def _parts(resection: Resection) -> Iterator[Resection]:
    if isinstance(resection, UnionResection | TwoStageResection):
        for part in resection.parts:
            yield from _parts(part)
    else:
        yield resection


def _normals(sheet: CutSheet) -> Points:
    """Unit normals ``(n, 3)`` at the points of a sheet, towards the remnant."""
    a, b, c = (sheet.points_mm[sheet.triangles[:, k]] for k in range(3))
    each = np.cross(b - a, c - a)
    normals = np.zeros_like(sheet.points_mm)
    for corner in range(3):
        np.add.at(normals, sheet.triangles[:, corner], each)
    unit: Points = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return unit


def _every_few(label_map: LabelMap) -> LabelMap:
    every = [max(1, round(_STEP_MM / s)) for s in label_map.geometry.spacing_mm]
    array = label_map.array[:: every[0], :: every[1], :: every[2]]
    affine = label_map.geometry.affine.copy()
    affine[:3, :3] *= every
    return replace(label_map, array=array, geometry=Geometry(shape=array.shape, affine=affine))
