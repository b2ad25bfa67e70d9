"""The cut at work in the viewer: sheet, line on slices, handles, remnant and specimen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.utils.colormaps import Colormap

from napari_surgplan._contour import ribbons
from napari_surgplan._eyes import CUT, HANDLES, LINE, ROLE, SPECIMEN_TINT
from napari_surgplan._handles import Handle, handles_of
from napari_surgplan._layers import AXES, LIGHT, to_world
from napari_surgplan._margin_bands import BANDS, band_of
from napari_surgplan._planner import Draft, Planner
from napari_surgplan._sides import SPECIMEN
from surgplan.planning import CutSheet, PlaneResection
from surgplan.volume import LIVER

SPECIMEN_COLOUR = (0.95, 0.60, 0.20)
HANDLE_MM = 7.0
_HANDLE_PIXELS = (12, 40)
_LINE_MM = 1.6
_ON_SLICES = "handles on slices"
_NAME = "surgplan_plan"
_DARK = 0.55
_IN_BAND = 0.6  # so that rounding leads into no other band

Colours = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


class PlanLayers:
    """Keeps the layers of the cut equal to the planner's draft.

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
        planner.session.focus_changed.connect(self._look)

    def layer(self, name: str) -> Any:
        """The layer of this name (that of its role, mostly), None if there is none."""
        return next((x for x in self.viewer.layers if x.metadata.get(_NAME) == name), None)

    def show(self, *, shown: bool) -> None:
        """Show the cut, or leave the stage to the rehearsal: only its line on slices stays."""
        self.shown = shown
        self.refresh()

    def refresh(self) -> None:
        """Draw the draft as it is now."""
        draft = self.planner.draft
        if draft is None or not self.shown:
            self._remove()
            self._draw_line()
            return
        self._draw_sheet(draft)
        self._draw_handles(draft)
        self._draw_line()
        if not self.planner.held:  # tints follow when the hand rests
            self._draw_sides(draft)
            self._tint_liver(draft)

    def reach_mm(self, draft: Draft) -> float:
        """How far from the middle a plane is held."""
        sheet = draft.sheet
        if sheet is None or sheet.is_empty or not isinstance(draft.resection, PlaneResection):
            return 50.0
        away = np.linalg.norm(sheet.points_mm - np.asarray(draft.resection.point_mm), axis=1)
        return float(np.clip(np.round(0.6 * away.max(), -1), 30.0, 80.0))

    def _look(self) -> None:
        """What is drawn on slices follows them."""
        self._draw_line()
        draft = self.planner.draft
        if draft is not None and self.shown:
            self._draw_handles(draft)

    def _draw_sheet(self, draft: Draft) -> None:
        layer, sheet = self.layer(CUT), draft.sheet
        if sheet is None or sheet.is_empty:
            self._drop(layer)
            return
        points, triangles, values = banded(sheet)
        self._put_surface(CUT, (to_world(points).astype(np.float32), triangles, values), 0.92)

    def _put_surface(self, role: str, data: Any, opacity: float) -> None:
        layer = self.layer(role)
        if layer is not None:
            layer.data = data
            return
        settings = {"colormap": _margin_colormap(), "contrast_limits": (0.0, float(len(BANDS)))}
        self._add("surface", data, role, shading="none", opacity=opacity, **settings)

    def _draw_handles(self, draft: Draft) -> None:
        self.handles = handles_of(draft.resection, reach_mm=self.reach_mm(draft))
        points = np.array([h.point_mm for h in self.handles]).reshape(-1, 3)
        self._put_points(HANDLES, HANDLES, points)
        focus = self.planner.session.focus_mm
        self._put_points(
            LINE, _ON_SLICES, points[:0] if focus is None else on_slices(points, focus)
        )

    def _put_points(self, role: str, name: str, points: Points) -> None:
        layer, world = self.layer(name), to_world(points)
        if layer is None:
            self._add(
                "points",
                world,
                role,
                name,
                size=HANDLE_MM,
                face_color="white",
                border_color="#1565c0",
                border_width=0.25,
                shading="spherical" if role == HANDLES else "none",
                canvas_size_limits=_HANDLE_PIXELS if role == HANDLES else (0, _HANDLE_PIXELS[1]),
                blending="translucent_no_depth",
                opacity=1.0,
            )
        elif not np.array_equal(layer.data, world):
            layer.data = world
            layer.selected_data = set()

    def _draw_line(self) -> None:
        draft, layer = self.planner.draft, self.layer(LINE)
        if draft is None or draft.sheet is None:
            self._drop(layer)
            return
        focus = self.planner.session.focus_mm
        at = to_world(np.asarray(self.viewer.dims.point)[-3:]) if focus is None else focus
        points, triangles, margins = ribbons(draft.sheet, at, _LINE_MM)
        if not len(triangles):
            self._drop(layer)
            return
        values = (band_of(margins) + _IN_BAND * 1.5).astype(np.float32)
        self._put_surface(LINE, (to_world(points).astype(np.float32), triangles, values), 1.0)

    def _draw_sides(self, draft: Draft) -> None:
        grid, layer = self.planner.grid, self.layer(SPECIMEN_TINT)
        if grid is None or draft.resected is None:
            return
        if self._painted is not draft.resected:
            self._painted = draft.resected
            array = grid.painted(draft.resected)
            array[array != SPECIMEN] = 0
            if layer is not None and layer.data.shape == array.shape:
                layer.data = array
            else:
                self._drop(layer)
                origin = to_world(grid.geometry.affine[:3, 3])
                layer = self._add(
                    "labels", array, SPECIMEN_TINT, opacity=0.4,
                    colormap={None: (0, 0, 0, 0), 0: (0, 0, 0, 0), SPECIMEN: SPECIMEN_COLOUR},
                    scale=grid.geometry.spacing_mm, translate=tuple(map(float, origin)),
                )  # fmt: skip

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

    def _remove(self) -> None:
        for name in (CUT, HANDLES, _ON_SLICES, SPECIMEN_TINT):
            self._drop(self.layer(name))
        self._painted = None
        if self._liver_colours is not None and self._liver_colours[0] in self.viewer.layers:
            layer, colours = self._liver_colours
            layer.vertex_colors = colours
        self._liver_colours = None

    def _drop(self, layer: Any) -> None:
        if layer is not None:
            self.viewer.layers.remove(layer)

    def _add(self, kind: str, data: Any, role: str, name: str = "", **settings: Any) -> Any:
        selected = set(self.viewer.layers.selection)
        metadata = {ROLE: role, _NAME: name or role}
        settings = {"name": name or role, "metadata": metadata, **AXES, **settings}
        layer = getattr(self.viewer, f"add_{kind}")(data, **settings)
        self.viewer.layers.selection = selected
        return layer


def on_slices(points_mm: Points, focus_mm: Points) -> Points:
    """Points near the three slices through a point, laid onto them, ``(n, 3)`` LPS."""
    laid = []
    for axis in range(3):
        near = points_mm[np.abs(points_mm[:, axis] - focus_mm[axis]) <= HANDLE_MM].copy()
        near[:, axis] = focus_mm[axis]
        laid.append(near)
    return np.concatenate(laid)


def banded(
    sheet: CutSheet,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Points ``(n, 3)`` LPS, triangles and values ``(n,)`` of a sheet, sharp between bands.

    A value is the number of the band and, behind the point, the light that falls there.
    """
    points, triangles, values, first = [], [], [], 0
    for number, band in enumerate(BANDS):
        part = sheet.within(band.low_mm, band.high_mm)
        if part.is_empty:
            continue
        light = np.abs(_normals(part) @ LIGHT)
        points.append(part.points_mm)
        triangles.append(part.triangles + first)
        values.append(number + _IN_BAND * (0.5 + light))
        first += len(part.points_mm)
    return np.concatenate(points), np.concatenate(triangles), np.concatenate(values).astype("f4")


def _margin_colormap() -> Colormap:
    """Each band from dark to its full colour."""
    colours, controls = [], []
    for number, band in enumerate(BANDS):
        bright = np.array(band.colour)
        colours += [np.append(_DARK * bright, 1.0), np.append(bright, 1.0)]
        controls += [number / len(BANDS) + 1e-4 * (number > 0), (number + 1) / len(BANDS)]
    return Colormap(colors=np.array(colours), controls=np.array(controls), name="margins")


def _normals(sheet: CutSheet) -> npt.NDArray[np.float64]:
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
    unit: npt.NDArray[np.float64] = normals / np.maximum(
        np.linalg.norm(normals, axis=1, keepdims=True), 1e-9
    )
    return unit
