"""Coloured triangles that keep their shader when they change; vispy's own meshes do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from vispy.gloo import IndexBuffer, VertexBuffer
from vispy.scene.visuals import create_visual_node
from vispy.visuals import CompoundVisual, Visual

from napari_surgplan._still import Still, scene_of

Mesh = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
"""Points ``(n, 3)``, x first; triangles ``(m, 3)``; colours ``(n, 4)``, 0..1."""


class TrianglesVisual(Visual):
    """Draws what was asked for last; it is worked out when it is drawn, not before."""

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
        self._asked: Callable[[], Mesh] | None = None
        self.freeze()

    def ask(self, mesh: Callable[[], Mesh]) -> None:
        """Draw this from now on."""
        self._asked = mesh
        self.update()

    def _prepare_transforms(self, view: Any) -> None:
        view.view_program.vert["transform"] = view.transforms.get_transform()

    def _prepare_draw(self, view: Any) -> bool:
        if self._asked is not None:
            points, triangles, colours = self._asked()
            self._asked = None
            self._some = len(triangles) > 0
            if self._some:
                self._points.set_data(np.ascontiguousarray(points, dtype=np.float32))
                self._colours.set_data(np.ascontiguousarray(colours, dtype=np.float32))
                self._index_buffer.set_data(np.ascontiguousarray(triangles, dtype=np.uint32))
        return self._some


class SurfacesVisual(CompoundVisual):
    """Surfaces that hide what lies behind, and above them those that are seen through.

    Attributes
    ----------
    solid, clear
        The triangles of both.
    """

    def __init__(self) -> None:
        self._still = Still()
        self.solid, self.clear = TrianglesVisual(), TrianglesVisual()
        super().__init__([self.solid, self.clear])
        self.events.update.connect(lambda _: self._still.forget())
        self.solid.set_gl_state("translucent", depth_test=True, cull_face=False)
        self.clear.set_gl_state("translucent", depth_test=False, cull_face=False)

    def draw(self) -> None:
        """Draw them, or lay back what was drawn before. Name given by vispy."""
        if not (self.solid.visible or self.clear.visible):
            return
        scene = scene_of(self)
        if not self._still.show(scene):
            super().draw()
            self._still.keep(scene)


Triangles = create_visual_node(TrianglesVisual)
Surfaces = create_visual_node(SurfacesVisual)
