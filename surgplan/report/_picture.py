"""A picture ready to be put into a page, and the canvas that it is drawn on."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

JPEG_QUALITY = 90
_DPI = 100


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An encoded picture with the words that stand for it.

    Attributes
    ----------
    data
        JPEG file.
    alt
        What it shows, for those who cannot see it.
    caption
        What stands below it.
    width, height
        Pixels.
    """

    data: bytes
    alt: str
    caption: str
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture as a ``data:`` address, so that the page needs no other file."""
        return "data:image/jpeg;base64," + base64.b64encode(self.data).decode("ascii")


def canvas(width: int, height: int, *, background: str) -> Figure:
    """Empty figure of so many pixels, not tied to any window."""
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=background)
    FigureCanvasAgg(figure)
    return figure


def image_axes(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes without frame or ticks in a box (left, bottom, width, height; shares of the figure)."""
    axes = figure.add_axes(box)
    axes.set_axis_off()
    return axes


def finish(figure: Figure, *, alt: str, caption: str) -> Picture:
    """The drawn figure as a picture."""
    stream = io.BytesIO()
    quality = {"quality": JPEG_QUALITY, "subsampling": 0, "optimize": True}
    figure.savefig(stream, format="jpeg", pil_kwargs=quality, facecolor=figure.get_facecolor())
    width, height = figure.canvas.get_width_height()
    return Picture(data=stream.getvalue(), alt=alt, caption=caption, width=width, height=height)


def outlined(colour: str, edge: str) -> dict[str, Any]:
    """Text style that reads on any ground."""
    return {"color": colour, "path_effects": [withStroke(linewidth=2.5, foreground=edge)]}


def letters_at_edges(
    axes: Axes, letters: tuple[str, str, str, str], style: dict[str, Any], *, points: float
) -> None:
    """Write where left, right, top and bottom of the axes point in the patient."""
    places = (
        (0.012, 0.5, "left", "center"),
        (0.988, 0.5, "right", "center"),
        (0.5, 0.985, "center", "top"),
        (0.5, 0.015, "center", "bottom"),
    )
    for letter, (x, y, across, along) in zip(letters, places, strict=True):
        axes.text(
            x, y, letter, transform=axes.transAxes, ha=across, va=along, fontsize=points,
            fontweight="bold", **style,
        )  # fmt: skip


def scale_bar(axes: Axes, share_per_mm: float, style: dict[str, Any], *, points: float) -> None:
    """A bar of a round number of millimetres in the lower right corner."""
    length = max(n for n in (1, 2, 5, 10, 20, 50, 100, 200) if n == 1 or n * share_per_mm <= 0.3)
    right, y = 0.97, 0.045
    left = right - length * share_per_mm
    axes.plot([left, right], [y, y], transform=axes.transAxes, lw=3, solid_capstyle="butt", **style)
    axes.text(
        (left + right) / 2, y + 0.012, f"{length} mm", transform=axes.transAxes, ha="center",
        va="bottom", fontsize=points, **style,
    )  # fmt: skip


def show_pixels(axes: Axes, pixels: npt.NDArray[np.uint8]) -> None:
    """Fill the axes with a finished picture, pixel by pixel."""
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
