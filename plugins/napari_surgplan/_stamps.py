"""Pieces of a picture laid over a view, whatever it shows, in one go."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from vispy.gloo import Texture2D, VertexBuffer
from vispy.scene.visuals import create_visual_node
from vispy.visuals import Visual

Boxes = npt.NDArray[np.float32]
"""``(n, 4)`` left, top, right, bottom in pixels."""

_CORNERS = [[0, 1], [2, 1], [2, 3], [0, 1], [2, 3], [0, 3]]


class StampsVisual(Visual):
    """Draws each piece of a picture at its place, from the upper left corner of the view."""

    _VERTEX = """
        varying vec2 v_piece;
        void main() {
            v_piece = $piece;
            gl_Position = $transform(vec4($place, 0.0, 1.0));
        }
    """
    _FRAGMENT = """
        varying vec2 v_piece;
        void main() { gl_FragColor = texture2D($picture, v_piece); }
    """

    def __init__(self) -> None:
        super().__init__(vcode=self._VERTEX, fcode=self._FRAGMENT)
        self._picture = Texture2D(np.zeros((1, 1, 4), dtype=np.uint8), interpolation="linear")
        self._places = VertexBuffer(np.zeros((6, 2), dtype=np.float32))
        self._pieces = VertexBuffer(np.zeros((6, 2), dtype=np.float32))
        self.shared_program.vert["place"] = self._places
        self.shared_program.vert["piece"] = self._pieces
        self.shared_program.frag["picture"] = self._picture
        self.set_gl_state("translucent", depth_test=False, cull_face=False)
        self._draw_mode = "triangles"
        self._some = False
        self.freeze()

    def lay(self, picture: npt.NDArray[np.uint8], pieces: Boxes, places: Boxes) -> None:
        """Draw these from now on.

        Parameters
        ----------
        picture
            ``(h, w, 4)`` red, green, blue, opacity.
        pieces, places
            Of the picture, and where each of them lies in the view.
        """
        self._some = len(pieces) > 0
        if self._some:
            height, width = picture.shape[:2]
            size = np.array([width, height, width, height], dtype=np.float32)
            self._picture.set_data(picture)
            self._pieces.set_data(np.ascontiguousarray((pieces / size)[:, _CORNERS].reshape(-1, 2)))
            self._places.set_data(np.ascontiguousarray(places[:, _CORNERS].reshape(-1, 2)))
        self.update()

    def _prepare_transforms(self, view: Any) -> None:
        view.view_program.vert["transform"] = view.transforms.get_transform()

    def _prepare_draw(self, view: Any) -> bool:
        return self._some


Stamps = create_visual_node(StampsVisual)
