"""What is drawn over the layers of one view: the cross, and the cut with its handles.

As layers they would be cut anew in every view, and their shaders built anew, whenever the mouse
moves: a tenth of a second on a computer without a graphics card.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from vispy.color import Color
from vispy.gloo import IndexBuffer, VertexBuffer
from vispy.scene.visuals import Line, Markers, create_visual_node
from vispy.visuals import Visual

World = npt.NDArray[np.float64]

_OPACITY = 0.6
_HANDLE_PIXELS, _BORDER_PIXELS = 13, 3
_BORDER, _FACE = "#1565c0", "white"
_CUT_OVER, _CROSS_OVER, _HANDLES_OVER = 1000, 1001, 1002
"""Order of drawing; napari draws its layers before."""


def _none(width: int) -> Callable[[], Any]:
    return lambda: np.zeros((0, width))


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
    """

    points: World = field(default_factory=_none(3))
    triangles: npt.NDArray[np.int64] = field(default_factory=_none(3))
    colours: npt.NDArray[np.float32] = field(default_factory=_none(4))
    handles: World = field(default_factory=_none(3))


class TrianglesVisual(Visual):
    """Coloured triangles that keep their shader when they change; vispy's meshes do not."""

    _VERTEX = """
        varying vec4 v_colour;
        void main() {
            v_colour = $colour;
            gl_Position = $transform(vec4($position, 1.0));
        }
    """
    _FRAGMENT = """
        varying vec4 v_colour;
        void main() { gl_FragColor = v_colour; }
    """

    def __init__(self) -> None:
        super().__init__(vcode=self._VERTEX, fcode=self._FRAGMENT)
        self._points = VertexBuffer(np.zeros((3, 3), dtype=np.float32))
        self._colours = VertexBuffer(np.zeros((3, 4), dtype=np.float32))
        self.shared_program.vert["position"] = self._points
        self.shared_program.vert["colour"] = self._colours
        self._index_buffer = IndexBuffer()
        self._draw_mode = "triangles"
        self._some = False
        self.freeze()

    def set_data(self, points: World, triangles: World, colours: World) -> None:
        """Draw these; points ``(n, 3)`` as vispy has them, x first."""
        self._some = len(triangles) > 0
        if self._some:
            self._points.set_data(np.ascontiguousarray(points, dtype=np.float32))
            self._colours.set_data(np.ascontiguousarray(colours, dtype=np.float32))
            self._index_buffer.set_data(np.ascontiguousarray(triangles, dtype=np.uint32))
        self.update()

    def _prepare_transforms(self, view: Any) -> None:
        view.view_program.vert["transform"] = view.transforms.get_transform()

    def _prepare_draw(self, view: Any) -> bool:
        return self._some


Triangles = create_visual_node(TrianglesVisual)


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
        scene = canvas.view.scene
        self._cut = Triangles(parent=scene)
        self._cross = Line(connect="segments", method="gl", parent=scene)
        self._handles = Markers(pos=np.zeros((1, 3)), parent=scene)  # without any, it has no size
        self._cut.order, self._cross.order = _CUT_OVER, _CROSS_OVER
        self._handles.order = _HANDLES_OVER
        self._handles.set_gl_state("translucent", depth_test=False)
        self._handles.visible = self._cross.visible = False
        self._shown = Sketch()

    def show_cross(self, ends: World | None, colour: str) -> None:
        """Draw straight lines, one along each axis, ``(3, 2, 3)`` in napari's world; or none."""
        self._cross.visible = ends is not None
        if ends is not None:
            along = ends[list(self._view.dims.displayed)].reshape(-1, 3)
            rgba = Color(colour, alpha=_OPACITY).rgba
            self._cross.set_data(pos=self._placed(along), color=rgba)
            self._cross.set_gl_state("translucent", depth_test=self._solid)

    def show_cut(self, sketch: Sketch) -> None:
        """Draw a cut and its handles."""
        before, self._shown = self._shown, sketch
        if sketch.points is not before.points:
            self._cut.set_data(self._placed(sketch.points), sketch.triangles, sketch.colours)
            self._cut.set_gl_state("translucent", depth_test=self._solid, cull_face=False)
        if not np.array_equal(sketch.handles, before.handles):
            self._handles.visible = len(sketch.handles) > 0
            if len(sketch.handles):
                self._handles.set_data(
                    self._placed(sketch.handles),
                    size=_HANDLE_PIXELS,
                    edge_width=_BORDER_PIXELS,
                    edge_color=_BORDER,
                    face_color=_FACE,
                )

    def close(self) -> None:
        """Let go of the canvas."""
        for node in (self._cut, self._cross, self._handles):
            node.parent = None

    @property
    def _solid(self) -> bool:
        return len(self._view.dims.displayed) == 3

    def _placed(self, world: World) -> World:
        """``(n, 3)`` of napari's world in the scene of vispy, x first; slices are flat."""
        axes = list(self._view.dims.displayed)
        placed = np.zeros((len(world), 3))
        placed[:, : len(axes)] = world[:, axes[::-1]]
        return placed
