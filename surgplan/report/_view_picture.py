"""A drawn 3D view with the letters of the patient's sides and a scale bar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surgplan.report._picture import (
    Picture,
    canvas,
    finish,
    image_axes,
    letters_at_edges,
    outlined,
    scale_bar,
    show_pixels,
)
from surgplan.report._views import Camera, direction_letters

_TEXT = outlined("#1b2733", "white")


def view_picture(
    pixels: npt.NDArray[np.uint8], camera: Camera, *, alt: str, caption: str
) -> Picture:
    """Letters at the edges say where they point in the patient; the bar is true everywhere.

    Parameters
    ----------
    pixels
        ``(row, column, 3)`` uint8 as drawn for the camera.
    camera
        What the picture was drawn with.
    alt, caption
        Words for the picture.
    """
    width, height = camera.size
    figure = canvas(width, height, background="white")
    axes = image_axes(figure, (0.0, 0.0, 1.0, 1.0))
    show_pixels(axes, pixels)
    ends = (-camera.right, camera.right, camera.up, -camera.up)
    left, right, top, bottom = (direction_letters(end) for end in ends)
    letters_at_edges(axes, (left, right, top, bottom), _TEXT, points=20)
    scale_bar(axes, 1 / (2 * camera.half_width_mm), _TEXT, points=15)
    return finish(figure, alt=alt, caption=caption)
