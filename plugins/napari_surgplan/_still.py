"""What rests in a picture, kept with its depth, and laid back instead of being drawn again.

Without a graphics card surfaces take most of the time of a picture in 3D, and neither a cut that
is dragged in front of them nor the cross changes anything about them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
from qtpy.QtCore import QRect
from qtpy.QtGui import QOpenGLContext
from qtpy.QtOpenGL import QOpenGLFramebufferObject as Buffer
from vispy.gloo import gl
from vispy.scene.widgets import Widget

SOFTWARE = ("llvmpipe", "softpipe", "Basic Render")
"""In the names of what draws without a graphics card."""
_SAMPLES, _STENCIL = 0x80A9, 0x0400
_EVERYTHING = gl.GL_COLOR_BUFFER_BIT | gl.GL_DEPTH_BUFFER_BIT | _STENCIL
_CORNERS = np.array([(0, 0, 0, 1), (1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1)])
"""Where a transform takes these says all about it."""


class Still:
    """The picture of a canvas as it was when a node had been drawn, colours and depths."""

    def __init__(self) -> None:
        self._buffer: Any = None
        self._context: Any = None
        self._scene: Hashable = None
        self._able = True

    def forget(self) -> None:
        """What is drawn changed."""
        self._scene = None

    def show(self, scene: Hashable) -> bool:
        """Lay it back; whether that could be done: if it was kept of the same scene, not None."""
        same = scene is not None and scene == self._scene
        if not same or QOpenGLContext.currentContext() is not self._context:
            return False
        return self._copied(None, self._buffer)

    def keep(self, scene: Hashable) -> None:
        """Keep what was drawn by now, of a scene from `scene_of`; None keeps nothing."""
        self._scene = None
        if scene is None or not self._able:
            return
        context, (width, height) = QOpenGLContext.currentContext(), _viewport()[2:]
        buffer = self._buffer
        fits = buffer is not None and (buffer.width(), buffer.height()) == (width, height)
        if context is not self._context or not fits:
            self._buffer = Buffer(width, height, Buffer.Attachment.CombinedDepthStencil)
            self._context = context
            Buffer.bindDefault()
        if self._copied(self._buffer, None):
            self._scene = scene

    def _copied(self, target: Any, source: Any) -> bool:
        """Copy between the buffer and the canvas, which is None; never again after an error."""
        gl.glGetError()  # one of others
        whole = QRect(0, 0, self._buffer.width(), self._buffer.height())
        Buffer.blitFramebuffer(target, whole, source, whole, _EVERYTHING, gl.GL_NEAREST)
        self._able = gl.glGetError() == gl.GL_NO_ERROR
        return self._able


def scene_of(node: Any) -> Hashable:
    """What the picture up to a node depends on, besides the node itself.

    None where a copy might not be the picture that drawing gives, or would save nothing: with a
    graphics card, into a picture for a file, or where something else is drawn before.
    """
    canvas, context = node.canvas, QOpenGLContext.currentContext()
    if canvas is None or context is None or node.picking:
        return None
    canvas.context.flush_commands()
    renderer, viewport = str(gl.glGetParameter(gl.GL_RENDERER)), _viewport()
    shown = gl.glGetParameter(gl.GL_FRAMEBUFFER_BINDING) == context.defaultFramebufferObject()
    whole = viewport == (0, 0, *canvas.physical_size) and not gl.glIsEnabled(gl.GL_SCISSOR_TEST)
    plain = shown and whole and not gl.glGetParameter(_SAMPLES)
    if not (plain and any(name in renderer for name in SOFTWARE)):
        return None
    if not all(_is_bare(other) for other in _before(node)):
        return None
    placed = node.transforms.get_transform().map(_CORNERS)
    return viewport, tuple(canvas.bgcolor.rgba), placed.tobytes()


def _viewport() -> tuple[int, ...]:
    return tuple(int(n) for n in gl.glGetParameter(gl.GL_VIEWPORT))


def _before(node: Any) -> Iterator[Any]:
    """What is drawn before a node, as vispy goes through a scene."""
    waiting = [node.root_node]
    while waiting and (here := waiting.pop()) is not node:
        if not here.visible:
            continue
        if hasattr(here, "draw"):
            yield here
        waiting.extend(sorted(here.children, key=lambda child: child.order)[::-1])


def _is_bare(node: Any) -> bool:
    """Whether a node is a frame for others and shows nothing of its own."""
    return isinstance(node, Widget) and node.bgcolor.is_blank and node.border_color.is_blank
