"""The flat map of a cut as a picture: where each pixel lies, its margin, and what is cut there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.planning._boundary import Points
from surgplan.planning._sheet import CutSheet
from surgplan.volume import LabelMap

Values = npt.NDArray[np.float64]

_PIXEL_MM = (0.2, 5.0)
_EDGE = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class CutMap:
    """A cut laid flat, in pixels; row 0 at the head, seen from the resected side.

    Attributes
    ----------
    pixel_mm
        Edge of a pixel.
    points_mm
        ``(h, w, 3)`` LPS where each pixel lies in the patient; NaN off the cut.
    margin_mm
        ``(h, w)`` distance to the nearest tumour; NaN off the cut, inf without tumours.
    """

    pixel_mm: float
    points_mm: Points
    margin_mm: Values

    @property
    def on_cut(self) -> npt.NDArray[np.bool_]:
        """``(h, w)`` which pixels the cut covers."""
        on: npt.NDArray[np.bool_] = np.isfinite(self.points_mm[..., 0])
        return on

    def labels(self, label_map: LabelMap) -> npt.NDArray[np.uint8]:
        """``(h, w)`` the label of a label map at each pixel; 0 off the cut or off its grid."""
        result = np.zeros(self.margin_mm.shape, dtype=np.uint8)
        on = self.on_cut
        index = np.rint(label_map.geometry.to_index(self.points_mm[on])).astype(int)
        shape = np.asarray(label_map.array.shape)
        within = ((index >= 0) & (index < shape)).all(axis=1)
        found = np.zeros(len(index), dtype=np.uint8)
        found[within] = label_map.array[tuple(index[within].T)]
        result[on] = found
        return result

    def pixel_of(self, point_mm: Points) -> tuple[int, int] | None:
        """Row and column nearest to an LPS point ``(3,)``; None for an empty map."""
        if not self.on_cut.any():
            return None
        away = np.linalg.norm(self.points_mm - np.asarray(point_mm), axis=-1)
        row, column = np.unravel_index(int(np.nanargmin(away)), away.shape)
        return int(row), int(column)


def cut_map(sheet: CutSheet, *, pixel_mm: float = 1.0) -> CutMap:
    """The flat map of a sheet, in pixels.

    Raises
    ------
    UsageError
        If the size of a pixel lies outside 0.2..5 mm.
    """
    low, high = _PIXEL_MM
    if not low <= pixel_mm <= high:
        msg = f"`pixel_mm` must lie in {low:g}..{high:g}, got {pixel_mm}"
        raise UsageError(msg)
    if sheet.is_empty:
        return CutMap(
            pixel_mm=pixel_mm,
            points_mm=np.full((1, 1, 3), np.nan),
            margin_mm=np.full((1, 1), np.nan),
        )
    right, top = sheet.flat_mm[:, 0].min(), sheet.flat_mm[:, 1].max()
    place = np.stack([top - sheet.flat_mm[:, 1], sheet.flat_mm[:, 0] - right], axis=1) / pixel_mm
    columns = np.concatenate([place + _EDGE, sheet.points_mm, sheet.margin_mm[:, None]], axis=1)
    filled = _filled(columns[sheet.triangles])
    shape = np.ceil(place.max(axis=0)).astype(int) + 2 * _EDGE + 1
    picture = np.full((int(shape[0]), int(shape[1]), 4), np.nan)
    row, column = np.rint(filled[:, :2]).astype(int).T
    picture[row, column] = filled[:, 2:]
    return CutMap(pixel_mm=pixel_mm, points_mm=picture[..., :3], margin_mm=picture[..., 3])


def _filled(corners: Values) -> Values:
    """Points ``(k, c)`` inside triangles ``(m, 3, c)``, at most a pixel apart.

    The first two columns are places in pixels; the others follow them linearly.
    """
    edges = corners[:, [1, 2, 0], :2] - corners[:, :, :2]
    steps = np.ceil(1.5 * np.linalg.norm(edges, axis=2).max(axis=1)).astype(int) + 1
    found = []
    for count in np.unique(steps):
        i, j = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
        inside = i + j <= count
        weights = np.stack([i[inside], j[inside], (count - i - j)[inside]], axis=1) / count
        some = corners[steps == count]
        found.append(np.einsum("wk,mkc->mwc", weights, some).reshape(-1, corners.shape[2]))
    return np.concatenate(found)
