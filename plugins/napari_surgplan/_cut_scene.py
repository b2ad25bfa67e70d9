"""The cut at work in every view: sheet, line on slices, handles, remnant and specimen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_surgplan._contour import ribbon
from napari_surgplan._draft import Draft
from napari_surgplan._drawing import Sketch, Tint
from napari_surgplan._handles import Handle, handles_of
from napari_surgplan._layers import LIGHT, to_world
from napari_surgplan._margin_bands import BANDS, colours_of
from napari_surgplan._planner import Planner
from napari_surgplan._sides import SPECIMEN
from napari_surgplan._solids import SPECIMEN_COLOUR
from surgplan.planning import CutSheet, PlaneResection
from surgplan.volume import LIVER, Geometry

HANDLE_MM = 7.0
"""How near to a slice a handle is shown on it."""
_LINE_MM = 1.6
_SHEET_OPACITY = 0.92
_DARK, _LIT = 0.7, 0.25
_NOTHING = Sketch()
_TINT = tuple(round(255 * c) for c in (*SPECIMEN_COLOUR, 0.4))

Colours = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Specimen:
    """Where the liver is resected, ``(slice, row, column)`` on a straight grid."""

    geometry: Geometry
    array: Mask


class CutScene:
    """Keeps what the views show of the cut equal to the planner's draft.

    Parameters
    ----------
    planner
        Whose cut is shown.

    Attributes
    ----------
    handles
        Those of the cut.
    specimen
        What is resected, for slices to show; None where it is not known.
    shown
        Whether the cut is shown in 3D, or only its line on slices.
    line, tint
        Whether slices show the line of the cut, and what is resected.
    """

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.handles: tuple[Handle, ...] = ()
        self.shown = self.line = self.tint = True
        self._hand: Any = None
        self._behind = False
        self.specimen: Specimen | None = None
        self._of: Mask | None = None
        planner.cut_changed.connect(self.refresh)
        shown = planner.session.shown
        if shown is not None:
            shown.cross.placed.connect(self._draw)
            shown.cross.joined.connect(lambda _: self._draw())

    def show(self, *, shown: bool) -> None:
        """Show the cut, or leave the stage to the rehearsal: only its line on slices stays."""
        self.shown = shown
        self.refresh()

    def show_on_slices(self, *, line: bool | None = None, tint: bool | None = None) -> None:
        """Open or close the eye of the line, and of the tint of what is resected."""
        self.line = self.line if line is None else line
        self.tint = self.tint if tint is None else tint
        self._draw()

    def hold_in(self, view: Any) -> None:
        """The view that the hand is in; while the cut is held, it is drawn there and in 3D."""
        self._hand = view

    def refresh(self) -> None:
        """Draw the draft as it is now."""
        draft = self.planner.draft if self.shown else None
        self.handles = ()
        if draft is not None:
            self.handles = handles_of(draft.resection, reach_mm=self.reach_mm(draft))
        if draft is not None and (self.planner.held or (draft.is_quick and draft.resected is None)):
            # the rest follows when the hand rests, or when the cut is drawn well
            self._draw(lambda view: view is self._hand or view.dims.ndisplay == 3)
            self._behind = True
            return
        self._paint(draft)
        self._draw()
        self._tint_liver(draft)

    def catch_up(self) -> None:
        """Draw what waited while the cut was held: the hand rests."""
        if self._behind:
            self._draw()

    def sketch(self, view: Any) -> Sketch:
        """What a view shows of the cut, on the slice that it stands at."""
        draft = self.planner.draft
        sheet = None if draft is None else draft.sheet
        handles = np.array([h.point_mm for h in self.handles]).reshape(-1, 3)
        if view.dims.ndisplay == 3:
            there = sheet is not None and self.shown
            return replace(_solid(sheet) if there else _NOTHING, handles=to_world(handles))
        across = view.dims.order[0]
        axis, at_mm = 2 - across, float(view.dims.point[across])
        near = handles[np.abs(handles[:, axis] - at_mm) <= HANDLE_MM]
        tint = None
        if self.tint and self.specimen is not None:
            tint = _tint(self.specimen, view.dims.displayed, at_mm)
        return replace(
            _NOTHING if sheet is None or not self.line else _line(sheet, axis, at_mm),
            handles=to_world(near),
            tint=tint,
        )

    def reach_mm(self, draft: Draft) -> float:
        """How far from the middle a plane is held."""
        sheet = draft.sheet
        if sheet is None or sheet.is_empty or not isinstance(draft.resection, PlaneResection):
            return 50.0
        away = np.linalg.norm(sheet.points_mm - np.asarray(draft.resection.point_mm), axis=1)
        return float(np.clip(np.round(0.6 * away.max(), -1), 30.0, 80.0))

    def _draw(self, wanted: Callable[[Any], bool] = lambda _: True) -> None:
        shown = self.planner.session.shown
        self._behind = False
        for view, drawing in shown.cross.drawings.items() if shown is not None else ():
            if wanted(view):
                drawing.show_cut(self.sketch(view))

    def _paint(self, draft: Draft | None) -> None:
        """Remember what is resected; until that of a new cut is known, it stays."""
        grid = self.planner.grid
        if draft is None or grid is None:
            self.specimen = self._of = None
        elif draft.resected is not None and draft.resected is not self._of:
            self._of = draft.resected
            array = grid.painted(draft.resected) == SPECIMEN
            self.specimen = Specimen(geometry=grid.geometry, array=array)

    def _tint_liver(self, draft: Draft | None) -> None:
        """Colour what is resected on the liver's surface, or give it its own colours back."""
        shown = self.planner.session.shown
        liver = None if shown is None else shown.solids.get(LIVER.label)
        if shown is None or liver is None:
            return
        dyed = None if draft is None else draft.liver_resected
        if draft is None or (dyed is not None and len(dyed) == len(liver.points)):
            shown.solids.change(LIVER.label, dyed=dyed)


@lru_cache(maxsize=3)
def _tint(specimen: Specimen, displayed: tuple[int, int], at_mm: float) -> Tint | None:
    """What is resected on a slice that shows two axes of the world, None beside the liver."""
    geometry, array = specimen.geometry, specimen.array
    down, wide = displayed
    across = 3 - down - wide
    first, step = to_world(geometry.affine[:3, 3]), geometry.spacing_mm
    number = round((at_mm - first[across]) / step[across])
    if not 0 <= number < array.shape[across]:
        return None
    resected = array.take(number, axis=across)
    resected = resected if down < wide else resected.T
    rgba = np.zeros((*resected.shape, 4), dtype=np.uint8)
    rgba[resected] = _TINT
    return Tint(
        rgba=rgba,
        first_mm=(float(first[down]), float(first[wide])),
        step_mm=(step[down], step[wide]),
    )


@lru_cache(maxsize=1)
def _solid(sheet: CutSheet) -> Sketch:
    """A sheet in the colours of its margins, sharp between bands, with light and shade."""
    points, triangles, colours, first = [np.zeros((0, 3))], [np.zeros((0, 3), int)], [], 0
    for band in BANDS:
        part = sheet.within(band.low_mm, band.high_mm)
        light = np.abs(_normals(part) @ LIGHT)[:, None]
        points.append(part.points_mm)
        triangles.append(part.triangles + first)
        colours.append((_DARK + _LIT * light) * np.array(band.colour))
        first += len(part.points_mm)
    return _in_world(
        np.concatenate(points), np.concatenate(triangles), np.concatenate(colours), _SHEET_OPACITY
    )


@lru_cache(maxsize=3)
def _line(sheet: CutSheet, axis: int, at_mm: float) -> Sketch:
    """Where a sheet meets a slice."""
    points, triangles, margins = ribbon(sheet, axis, at_mm, _LINE_MM)
    return _in_world(points, triangles, colours_of(margins), 1.0)


def _in_world(
    points_mm: Points, triangles: npt.NDArray[np.int64], rgb: npt.ArrayLike, opacity: float
) -> Sketch:
    return Sketch(
        points=to_world(points_mm),
        triangles=triangles,
        colours=np.column_stack([rgb, np.full(len(points_mm), opacity)]).astype(np.float32),
    )


def _normals(sheet: CutSheet) -> Points:
    """Unit normals ``(n, 3)`` at the points of a sheet."""
    a, b, c = (sheet.points_mm[sheet.triangles[:, k]] for k in range(3))
    each = np.cross(b - a, c - a)
    normals = np.stack(
        [
            np.bincount(
                sheet.triangles.ravel(),
                weights=np.repeat(each[:, k], 3),
                minlength=len(sheet.points_mm),
            )
            for k in range(3)
        ],
        axis=1,
    )
    unit: Points = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return unit
