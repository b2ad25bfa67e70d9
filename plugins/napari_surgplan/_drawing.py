"""What is drawn among the layers of one view: surfaces, the cross, and the cut with its handles.

As layers they would be cut anew in every view, and their shaders built anew, whenever the mouse
moves: a tenth of a second on a computer without a graphics card.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from vispy.color import Color
from vispy.scene.visuals import Image, Line, Markers
from vispy.visuals.transforms import STTransform

from napari_surgplan._solids import Solid, Solids, merged
from napari_surgplan._triangles import Mesh, Surfaces, Triangles

World = npt.NDArray[np.float64]

_OPACITY = 0.6
_HANDLE_PIXELS, _BORDER_PIXELS = 13, 3
_BORDER, _FACE = "#1565c0", "white"
_MARK_PIXELS, _MARK_BORDER, _MARK_FACE = 16, "black", "#ffe14d"
_SURFACES, _TINT, _CUT, _CROSS, _HANDLES = 998, 999, 1000, 1001, 1002
"""Order of drawing; napari draws its layers before."""


def _none(width: int) -> Callable[[], Any]:
    return lambda: np.zeros((0, width))


@dataclass(frozen=True, kw_only=True, eq=False)
class Tint:
    """A picture that lies in a slice.

    Attributes
    ----------
    rgba
        ``(h, w, 4)`` uint8.
    first_mm, step_mm
        ``(2,)`` each: where the middle of its first pixel lies and how large pixels are, down and
        across the view, in napari's world.
    """

    rgba: npt.NDArray[np.uint8]
    first_mm: tuple[float, float]
    step_mm: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """A cut as one view shows it, in napari's world ``(z, y, x)`` in millimetres.

    Attributes
    ----------
    points
        ``(n, 3)``.
    triangles
        ``(m, 3)``.
    colours
        ``(n, 4)`` red, green, blue, opacity of the points, 0..1.
    handles
        ``(k, 3)``.
    tint
        What is resected, on a slice; None for nothing.
    """

    points: World = field(default_factory=_none(3))
    triangles: npt.NDArray[np.int64] = field(default_factory=_none(3))
    colours: npt.NDArray[np.float32] = field(default_factory=_none(4))
    handles: World = field(default_factory=_none(3))
    tint: Tint | None = None


class Drawing:
    """Draws over the layers of a view.

    Parameters
    ----------
    view
        A napari viewer or `ViewerModel`; says which axes are displayed.
    canvas
        napari's canvas that shows it.
    """

    def __init__(self, view: Any, canvas: Any) -> None:
        self._view = view
        self._scene = canvas.view.scene
        self._surfaces = self._node(Surfaces(), _SURFACES)
        self._cut = self._node(Triangles(), _CUT)
        self._cross = self._node(Line(connect="segments", method="gl"), _CROSS)
        self._handles = self._node(Markers(pos=np.zeros((1, 3))), _HANDLES)  # none has no size
        self._mark: Any = None
        self._tint: Any = None
        self._handles.set_gl_state("translucent", depth_test=False)
        self._shown = Sketch()
        self._drawn: dict[bool, tuple[tuple[int, ...], list[Solid]]] = {}
        self._lines: tuple[World | None, str] = (None, "")
        self._rehearsed: set[Any] = set()
        self._rehearse()

    def _rehearse(self) -> None:
        """Draw everything once, clear and of no size: what is shown first has its shaders then."""
        nothing = np.zeros((3, 3))
        self._cross.set_data(pos=nothing[:2], color=(0, 0, 0, 0))
        self._handles.set_data(nothing[:1], edge_width=0, face_color=(0, 0, 0, 0))
        meshes = (self._surfaces.solid, self._surfaces.clear, self._cut)
        for mesh in meshes:
            mesh.ask(lambda: (nothing, np.array([[0, 1, 2]]), np.zeros((3, 4))))
        self._rehearsed.update((*meshes, self._cross, self._handles))

    def end_rehearsal(self) -> None:
        """Leave away what was drawn only to be ready, once the view was painted with it."""
        for node in tuple(self._rehearsed):
            self._reveal(node, visible=False)

    def _reveal(self, node: Any, *, visible: bool) -> None:
        self._rehearsed.discard(node)
        node.visible = visible

    def show_solids(self, solids: Solids) -> None:
        """Draw surfaces, in 3D; on slices none."""
        shown = solids.visible() if self._solid else ()
        last = sorted(shown, key=lambda solid: solid.opacity < 1)
        for node, through in ((self._surfaces.solid, False), (self._surfaces.clear, True)):
            mine = [s for s in last if s.see_through == through]
            drawn = (self._view.dims.displayed, mine)
            if drawn == self._drawn.get(through):
                continue
            self._drawn[through] = drawn
            self._reveal(node, visible=bool(mine))
            if mine:
                node.ask(partial(self._mesh, mine))
        mark = solids.mark if self._solid else None
        if mark is not None and self._mark is None:
            self._mark = self._node(Markers(pos=np.zeros((1, 3))), _HANDLES)
            self._mark.set_gl_state("translucent", depth_test=False)
        if self._mark is not None:
            self._mark.visible = mark is not None
        if mark is not None:
            self._mark.set_data(
                self._placed(mark[None]), size=_MARK_PIXELS, edge_width=_BORDER_PIXELS,
                edge_color=_MARK_BORDER, face_color=_MARK_FACE,
            )  # fmt: skip

    def show_cross(self, ends: World | None, colour: str) -> None:
        """Draw straight lines, one along each axis, ``(3, 2, 3)`` in napari's world; or none."""
        along = None
        if ends is not None:
            along = self._placed(ends[list(self._view.dims.displayed)].reshape(-1, 3))
        before, self._lines = self._lines, (along, colour)
        if before[1] == colour and np.array_equal(along, before[0]):  # type: ignore[arg-type]
            return
        self._reveal(self._cross, visible=along is not None)
        if along is not None:
            self._cross.set_data(pos=along, color=Color(colour, alpha=_OPACITY).rgba)
            self._cross.set_gl_state("translucent", depth_test=self._solid)

    def show_cut(self, sketch: Sketch) -> None:
        """Draw a cut and its handles."""
        before, self._shown = self._shown, sketch
        if sketch.points is not before.points:
            mesh = self._placed(sketch.points), sketch.triangles, sketch.colours
            self._reveal(self._cut, visible=len(sketch.triangles) > 0)
            if self._cut.visible:
                self._cut.ask(lambda: mesh)
                self._cut.set_gl_state("translucent", depth_test=self._solid, cull_face=False)
        if not np.array_equal(sketch.handles, before.handles):
            self._reveal(self._handles, visible=len(sketch.handles) > 0)
            if len(sketch.handles):
                self._handles.set_data(
                    self._placed(sketch.handles),
                    size=_HANDLE_PIXELS,
                    edge_width=_BORDER_PIXELS,
                    edge_color=_BORDER,
                    face_color=_FACE,
                )
        if sketch.tint is not before.tint:
            self._show_tint(sketch.tint)

    def _show_tint(self, tint: Tint | None) -> None:
        if self._tint is not None:
            self._tint.visible = tint is not None
        if tint is None:
            return
        if self._tint is None:
            image = Image(tint.rgba, method="subdivide", interpolation="nearest")
            self._tint = self._node(image, _TINT)
            self._tint.set_gl_state("translucent", depth_test=False, cull_face=False)
            self._tint.transform = STTransform()
        self._tint.set_data(tint.rgba)
        (down, across), (tall, wide) = tint.first_mm, tint.step_mm
        self._tint.transform.scale = (wide, tall)
        self._tint.transform.translate = (across - wide / 2, down - tall / 2)

    def close(self) -> None:
        """Let go of the canvas."""
        nodes = (self._surfaces, self._cut, self._cross, self._handles, self._mark, self._tint)
        for node in nodes:
            if node is not None:
                node.parent = None

    def _node(self, node: Any, order: int) -> Any:
        node.order = order
        node.parent = self._scene
        return node

    def _mesh(self, solids: list[Solid]) -> Mesh:
        points, triangles, colours = merged(solids)
        return self._placed(points), triangles, colours

    @property
    def _solid(self) -> bool:
        return len(self._view.dims.displayed) == 3

    def _placed(self, world: npt.NDArray[np.floating[Any]]) -> World:
        """``(n, 3)`` of napari's world in the scene of vispy, x first; slices are flat."""
        axes = list(self._view.dims.displayed)
        placed = np.zeros((len(world), 3))
        placed[:, : len(axes)] = world[:, axes[::-1]]
        return placed
