"""The cut at work in every view: sheet, line on slices, handles, remnant and specimen."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_surgplan._contour import ribbon
from napari_surgplan._drawing import Sketch
from napari_surgplan._eyes import ROLE, SPECIMEN_TINT
from napari_surgplan._handles import Handle, handles_of
from napari_surgplan._layers import AXES, LIGHT, to_world
from napari_surgplan._margin_bands import BANDS, colours_of
from napari_surgplan._planner import Draft, Planner
from napari_surgplan._sides import SPECIMEN
from surgplan.planning import CutSheet, PlaneResection
from surgplan.volume import LIVER

SPECIMEN_COLOUR = (0.95, 0.60, 0.20)
HANDLE_MM = 7.0
"""How near to a slice a handle is shown on it."""
_LINE_MM = 1.6
_SHEET_OPACITY = 0.92
_DARK, _LIT = 0.7, 0.25

Colours = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


class PlanLayers:
    """Keeps what the views show of the cut equal to the planner's draft.

    Parameters
    ----------
    planner
        Whose cut is shown.
    viewer
        A napari viewer or a `ViewerModel`.
    """

    def __init__(self, planner: Planner, viewer: Any) -> None:
        self.planner = planner
        self.viewer = viewer
        self.handles: tuple[Handle, ...] = ()
        self._liver_colours: tuple[Any, Colours] | None = None
        self._painted: Any = None
        self.shown = True
        planner.cut_changed.connect(self.refresh)
        shown = planner.session.shown
        if shown is not None:
            shown.cross.placed.connect(self._draw)
            shown.cross.joined.connect(lambda _: self._draw())

    @property
    def specimen(self) -> Any:
        """The layer that tints the specimen on slices, None if there is none."""
        return next((x for x in self.viewer.layers if x.metadata.get(ROLE) == SPECIMEN_TINT), None)

    def show(self, *, shown: bool) -> None:
        """Show the cut, or leave the stage to the rehearsal: only its line on slices stays."""
        self.shown = shown
        self.refresh()

    def refresh(self) -> None:
        """Draw the draft as it is now."""
        draft = self.planner.draft if self.shown else None
        self.handles = ()
        if draft is not None:
            self.handles = handles_of(draft.resection, reach_mm=self.reach_mm(draft))
        self._draw()
        if draft is None:
            self._remove()
        elif not self.planner.held:  # tints follow when the hand rests
            self._draw_sides(draft)
            self._tint_liver(draft)

    def sketch(self, view: Any) -> Sketch:
        """What a view shows of the cut, on the slice that it stands at."""
        draft = self.planner.draft
        sheet = None if draft is None else draft.sheet
        handles = np.array([h.point_mm for h in self.handles]).reshape(-1, 3)
        if view.dims.ndisplay == 3:
            there = sheet is not None and self.shown
            return replace(_solid(sheet) if there else Sketch(), handles=to_world(handles))
        across = view.dims.order[0]
        axis, at_mm = 2 - across, float(view.dims.point[across])
        near = handles[np.abs(handles[:, axis] - at_mm) <= HANDLE_MM]
        return replace(
            Sketch() if sheet is None else _line(sheet, axis, at_mm), handles=to_world(near)
        )

    def reach_mm(self, draft: Draft) -> float:
        """How far from the middle a plane is held."""
        sheet = draft.sheet
        if sheet is None or sheet.is_empty or not isinstance(draft.resection, PlaneResection):
            return 50.0
        away = np.linalg.norm(sheet.points_mm - np.asarray(draft.resection.point_mm), axis=1)
        return float(np.clip(np.round(0.6 * away.max(), -1), 30.0, 80.0))

    def _draw(self) -> None:
        shown = self.planner.session.shown
        for view, drawing in shown.cross.drawings.items() if shown is not None else ():
            drawing.show_cut(self.sketch(view))

    def _draw_sides(self, draft: Draft) -> None:
        grid, layer = self.planner.grid, self.specimen
        if grid is None or draft.resected is None or self._painted is draft.resected:
            return
        self._painted = draft.resected
        array = grid.painted(draft.resected)
        array[array != SPECIMEN] = 0
        if layer is not None and layer.data.shape == array.shape:
            self._repaint(layer, array)
            return
        self._drop(layer)
        origin = to_world(grid.geometry.affine[:3, 3])
        selected = set(self.viewer.layers.selection)
        self.viewer.add_labels(
            array, name=SPECIMEN_TINT, metadata={ROLE: SPECIMEN_TINT}, opacity=0.4,
            colormap={None: (0, 0, 0, 0), 0: (0, 0, 0, 0), SPECIMEN: SPECIMEN_COLOUR},
            scale=grid.geometry.spacing_mm, translate=tuple(map(float, origin)), **AXES,
        )  # fmt: skip
        self.viewer.layers.selection = selected

    def _tint_liver(self, draft: Draft) -> None:
        shown = self.planner.session.shown
        layer = shown.surface_of(LIVER.label) if shown is not None else None
        if layer is None or draft.liver_resected is None:
            return
        if self._liver_colours is None or self._liver_colours[0] is not layer:
            self._liver_colours = (layer, np.array(layer.vertex_colors, dtype=np.float32))
        base = self._liver_colours[1]
        if len(base) != len(draft.liver_resected):
            return
        light = base[:, :3].max(axis=1, keepdims=True) ** 0.6  # brighter than the remnant
        tinted = base.copy()
        taken = draft.liver_resected
        tinted[taken, :3] = (light * np.array(SPECIMEN_COLOUR, dtype=np.float32))[taken]
        layer.vertex_colors = tinted

    def _repaint(self, layer: Any, array: npt.NDArray[np.uint8]) -> None:
        shown = self.planner.session.shown
        if shown is not None:
            shown.eyes.move(layer, array)

    def _remove(self) -> None:
        self._drop(self.specimen)
        self._painted = None
        if self._liver_colours is not None and self._liver_colours[0] in self.viewer.layers:
            layer, colours = self._liver_colours
            layer.vertex_colors = colours
        self._liver_colours = None

    def _drop(self, layer: Any) -> None:
        if layer is not None:
            self.viewer.layers.remove(layer)


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
