"""One point looked at in every view: a cross through it, clicks and scrolling that move it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_surgplan._eyes import CROSS, ROLE, SCAN, SURFACE, role_of
from napari_surgplan._layers import AXES, to_world

if TYPE_CHECKING:
    from napari_surgplan._session import Session

COLOUR = "#5ad1e6"
NEAR_MM = 3.0
"""How far from the line of sight a point of a surface may lie to be meant by a click."""
STILL_PIXELS = 4


class Cross:
    """The cross as a layer, and the views that follow it.

    Parameters
    ----------
    session
        Says where to look, and hears where the user looks.
    viewer
        The viewer that gets the layer, and follows too.

    Attributes
    ----------
    joined, left
        With a view that follows from now on, or no longer.
    """

    joined = Signal(object)
    left = Signal(object)

    def __init__(self, session: Session, viewer: Any) -> None:
        self.session = session
        self.viewer = viewer
        self.layer: Any = None
        self._views: list[Any] = []
        self._placed: dict[Any, tuple[Any, Any]] = {}
        self._busy = False
        self._colour = COLOUR
        session.focus_changed.connect(self._show)
        self.join(viewer)

    @property
    def views(self) -> tuple[Any, ...]:
        """Every view that follows, the main one first."""
        return tuple(self._views)

    def join(self, view: Any) -> None:
        """Let a view follow the cross, and move it."""
        self._views.append(view)
        view.dims.events.current_step.connect(lambda: self._scrolled(view))
        view.dims.events.range.connect(lambda: self._step_by_slice(view))
        for turned in (view.dims.events.order, view.dims.events.ndisplay):
            turned.connect(lambda: self._turned(view))
        view.mouse_drag_callbacks.append(self._clicked)
        self._step_by_slice(view)
        self.joined.emit(view)

    def paint(self, colour: str) -> None:
        """Give the cross another colour."""
        self._colour = colour
        if self.layer is not None:
            self.layer.edge_color = colour

    def leave(self, view: Any) -> None:
        """Leave a view alone from now on."""
        self._views.remove(view)
        self._placed.pop(view, None)
        view.mouse_drag_callbacks.remove(self._clicked)
        self.left.emit(view)

    def _show(self, point_mm: npt.NDArray[np.float64]) -> None:
        self._busy = True
        try:
            self._place_layer(to_world(point_mm))
        finally:
            self._busy = False
        for view in self._views:
            self._place(view)

    def _turned(self, view: Any) -> None:
        if view in self._views:
            self._place(view, everywhere=True)

    def _place(self, view: Any, *, everywhere: bool = False) -> None:
        """Bring a view to the point; only across its slices, which are cut anew only where new."""
        focus = self.session.focus_mm
        if focus is not None and view.dims.ndisplay == 2:
            world, axis = to_world(focus), view.dims.order[0]
            before, self._busy = self._busy, True
            try:
                if everywhere:
                    view.dims.point = tuple(float(v) for v in world)
                elif view.dims.point[axis] != world[axis]:
                    view.dims.set_point(axis, float(world[axis]))
            finally:
                self._busy = before
        self._placed[view] = (view.dims.range, view.dims.current_step)

    def _place_layer(self, world: npt.NDArray[np.float64]) -> None:
        volume = self.session.volume
        if volume is None:
            return
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in volume.geometry.shape]))
        placed = to_world(volume.geometry.to_lps(corners.reshape(3, -1).T))
        lines = np.empty((6, 2, 3))
        lines[:, 0] = world  # both halves start in the slice, or napari would not show them there
        lines[:3, 1] = np.diag(placed.min(axis=0) - world)
        lines[3:, 1] = np.diag(placed.max(axis=0) - world)
        if self.layer is None or self.layer not in self.viewer.layers:
            active = self.viewer.layers.selection.active
            self.layer = self.viewer.add_vectors(
                lines,
                name="crosshair",
                vector_style="line",
                edge_color=self._colour,
                edge_width=0.6,
                opacity=0.6,
                metadata={ROLE: CROSS},
                **AXES,
            )
            self.viewer.layers.selection.active = active
        else:
            self.layer.data = lines

    def _scrolled(self, view: Any) -> None:
        focus = self.session.focus_mm
        if self._busy or focus is None or view.dims.ndisplay != 2 or view not in self._views:
            return
        ranges, step = self._placed[view]
        if view.dims.range != ranges or view.dims.current_step == step:
            return  # nobody scrolled: layers come or go, and napari lays the sliders anew
        world = np.array(to_world(focus))  # its own: a view would move the point itself
        axis = view.dims.order[0]
        world[axis] = view.dims.point[axis]
        self.session.focus(to_world(world))

    def _step_by_slice(self, view: Any) -> None:
        """Sliders step from slice to slice; napari takes the finest layer, a millimetre."""
        if view not in self._views:
            return
        scan = next((x for x in view.layers if role_of(x) == SCAN), None)
        if scan is not None:
            low, high = scan.extent.world
            wanted = tuple(zip(low.tolist(), high.tolist(), map(float, scan.scale), strict=True))
            if not np.allclose(view.dims.range, wanted):
                before, self._busy = self._busy, True
                try:
                    view.dims.range = wanted
                finally:
                    self._busy = before
        self._place(view, everywhere=True)

    def _clicked(self, view: Any, event: Any) -> Iterator[None]:
        """A click without a drag, while nothing is drawn with, looks at what is under it."""
        active = view.layers.selection.active
        mode = "pan_zoom" if active is None else str(active.mode)
        if event.button != 1 or mode not in ("pan_zoom", "transform"):
            return
        begun = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.asarray(event.pos) - begun).max() > STILL_PIXELS:
            return
        world = np.array(event.position, dtype=np.float64)
        if view.dims.ndisplay == 3:
            hit = hit_of(view.layers, world, np.asarray(event.view_direction))
            if hit is None:
                return
            world = hit
        self.session.focus(to_world(world))


def hit_of(
    layers: Any, start: npt.NDArray[np.float64], direction: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """The nearest corner of a surface along a line of sight, in napari's world.

    A translucent surface is looked through where something solid lies behind it.
    """
    along = direction / np.linalg.norm(direction)
    best: tuple[bool, float, npt.NDArray[np.float64]] | None = None
    for layer in layers:
        if role_of(layer) != SURFACE or not layer.visible:
            continue
        points = np.asarray(layer.vertices) - start
        depth = points @ along
        aside = np.einsum("ij,ij->i", points, points) - depth**2
        near = np.flatnonzero(aside <= NEAR_MM**2)
        if len(near):
            first = near[np.argmin(depth[near])]
            found = (layer.opacity < 1, float(depth[first]), np.asarray(layer.vertices)[first])
            if best is None or found[:2] < best[:2]:
                best = found
    return None if best is None else np.asarray(best[2], dtype=np.float64)
