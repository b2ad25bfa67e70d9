"""One point looked at in every view: a cross through it, clicks and scrolling that move it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_surgplan._drawing import Drawing
from napari_surgplan._eyes import SCAN, role_of
from napari_surgplan._layers import to_world
from napari_surgplan._solids import Solids
from napari_surgplan._throttle import Throttle
from napari_surgplan._turns import Turns

if TYPE_CHECKING:
    from napari_surgplan._session import Session
    from surgplan.volume import Geometry

COLOUR = "#5ad1e6"
NEAR_MM = 3.0
"""How far from the line of sight a point of a surface may lie to be meant by a click."""
STILL_PIXELS = 4


class Cross:
    """The cross, and the views that follow it.

    Parameters
    ----------
    session
        Says where to look, and hears where the user looks.
    viewer
        The main view; a napari viewer, or a `ViewerModel`, which has no canvas to draw on.
    solids
        Drawn in every view in 3D, and hit by clicks there.

    Attributes
    ----------
    drawings
        What is drawn over each view that has a canvas.
    placed
        The views show the point.
    joined, left
        With a view that follows from now on, or no longer.
    """

    placed = Signal()
    joined = Signal(object)
    left = Signal(object)

    def __init__(self, session: Session, viewer: Any, solids: Solids) -> None:
        self.session = session
        self.solids = solids
        self._views: list[Any] = []
        self.drawings: dict[Any, Drawing] = {}
        self._placed: dict[Any, tuple[Any, Any]] = {}
        self._busy = False
        self._colour = COLOUR
        self._shown = True
        self._scrolled_in: Any = None
        self._rest = Throttle(self._draw, viewer)
        self._turns = Turns(viewer)
        session.focus_changed.connect(self._show)
        session.scan_changed.connect(self._draw)
        solids.changed.connect(self._draw_solids)
        window = getattr(viewer, "window", None)
        self.join(viewer, None if window is None else window._qt_viewer.canvas)

    @property
    def views(self) -> tuple[Any, ...]:
        """Every view that follows, the main one first."""
        return tuple(self._views)

    def join(self, view: Any, canvas: Any = None) -> None:
        """Let a view follow the cross, and move it; with a canvas to draw it on."""
        self._views.append(view)
        if canvas is not None:
            drawing = self.drawings[view] = Drawing(view, canvas)
            drawing.show_solids(self.solids)
            self._turns.add(drawing.end_rehearsal)
            keep_context(canvas)
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
        self._draw()

    def set_shown(self, *, shown: bool) -> None:
        """Draw the cross, or leave it away; the views follow all the same."""
        self._shown = shown
        self._draw()

    def leave(self, view: Any) -> None:
        """Leave a view alone from now on."""
        self._views.remove(view)
        self._placed.pop(view, None)
        drawing = self.drawings.pop(view, None)
        if drawing is not None:
            drawing.close()
        view.mouse_drag_callbacks.remove(self._clicked)
        self.left.emit(view)

    def _show(self, _: object) -> None:
        for view in self._views:
            self._place(view)
        if self._scrolled_in is None:
            self._draw()
        else:  # the cross in the others follows a moment later: slices are to fly past
            self._draw_in((self._scrolled_in,))
            self._rest.ask()
        self.placed.emit()

    def _turned(self, view: Any) -> None:
        if view in self._views:
            self._place(view, everywhere=True)
            self._draw()
            if view in self.drawings:
                self.drawings[view].show_solids(self.solids)
            self.placed.emit()

    def _draw_solids(self) -> None:
        for view, drawing in self.drawings.items():
            if view.dims.ndisplay == 3:
                drawing.show_solids(self.solids)

    def _place(self, view: Any, *, everywhere: bool = False) -> None:
        """Bring a view to the slice of the point; it is cut anew only where that is a new one."""
        focus = self.session.focus_mm
        flat = view.dims.ndim == 3 and view.dims.ndisplay == 2  # an empty view has two axes
        if focus is not None and flat:
            axes = range(3) if everywhere else view.dims.order[:1]
            # Of whole slices: sliders would move a point in between, and cut a second time.
            steps = {axis: _step(view.dims.range[axis], to_world(focus)[axis]) for axis in axes}
            before, self._busy = self._busy, True
            try:
                if any(view.dims.current_step[axis] != step for axis, step in steps.items()):
                    # napari looks at its layers again for the step, having done so for the point.
                    with view.dims.events.current_step.blocker(view._update_layers):
                        view.dims.set_current_step(list(steps), list(steps.values()))
            finally:
                self._busy = before
        self._placed[view] = (view.dims.range, view.dims.current_step)

    def _draw(self) -> None:
        self._rest.drop()
        self._draw_in(self.drawings)

    def _draw_in(self, views: Iterable[Any]) -> None:
        focus, volume = self.session.focus_mm, self.session.volume
        ends = None
        if focus is not None and volume is not None and self._shown:
            ends = cross_of(focus, volume.geometry)
        for view in views:
            if view in self.drawings:
                self.drawings[view].show_cross(ends, self._colour)

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
        self._scrolled_in = view
        try:
            self.session.focus(to_world(world))
        finally:
            self._scrolled_in = None

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
        self.placed.emit()

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
            hit = hit_of(self.solids, world, np.asarray(event.view_direction))
            if hit is None:
                return
            world = hit
        self.session.focus(to_world(world))


def keep_context(canvas: Any) -> None:
    """Let napari clean up after a layer in the context of the canvas that showed it.

    It takes the one that painted last, and views do not share theirs: what it frees then is in use
    in another view, which reads freed memory with its next picture.
    """
    scene = canvas._scene_canvas
    finish = scene.context.finish

    def finish_here() -> None:
        scene.set_current()
        finish()

    scene.context.finish = finish_here


def cross_of(point_mm: npt.NDArray[np.float64], geometry: Geometry) -> npt.NDArray[np.float64]:
    """Ends of the lines through a point to the borders of a scan, ``(3, 2, 3)``, in the world."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in geometry.shape])).reshape(3, -1).T
    placed = to_world(geometry.to_lps(corners))
    ends = np.tile(to_world(point_mm), (3, 2, 1))
    for axis in range(3):
        ends[axis, :, axis] = placed[:, axis].min(), placed[:, axis].max()
    return ends


def _step(limits: tuple[float, float, float], at: float) -> int:
    """The slice nearest to a place on an axis."""
    low, high, step = limits
    return round((min(max(at, low), high) - low) / step)


def hit_of(
    solids: Solids, start: npt.NDArray[np.float64], direction: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """The nearest corner of a surface along a line of sight, in napari's world.

    A translucent surface is looked through where something solid lies behind it.
    """
    along = direction / np.linalg.norm(direction)
    best: tuple[bool, float, npt.NDArray[np.float64]] | None = None
    for solid in solids.visible():
        points = solid.points - start
        depth = points @ along
        aside = np.einsum("ij,ij->i", points, points) - depth**2
        near = np.flatnonzero(aside <= NEAR_MM**2)
        if len(near):
            first = near[np.argmin(depth[near])]
            found = (solid.opacity < 1, float(depth[first]), solid.points[first])
            if best is None or found[:2] < best[:2]:
                best = found
    return None if best is None else np.asarray(best[2], dtype=np.float64)
