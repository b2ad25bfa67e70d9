"""What every view wears: letters of the patient at its edges, a scale, and which way is up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from napari.components.overlays import TextOverlay

import surgplan
from napari_surgplan._eyes import WARM, is_empty, role_of
from napari_surgplan._marks import Marks, Word, width_of

TOWARDS = ("S", "P", "L")
"""Where napari's world axes (z, y, x) point in the patient."""
AWAY_FROM = ("I", "A", "R")
NAMES = {0: "Axial", 1: "Coronal", 2: "Sagittal"}
"""Of a slice, by the axis that it stands across."""

FROM_THE_FRONT = (0.0, 1.0, 0.0)
HEAD_UP = (1.0, 0.0, 0.0)

EDGE, TOP, CORNER = 16, 20, 10
"""Pixels between the borders of a view and the middles of letters, of words, and their sides."""
BAR_BELOW = 14
LETTER_COLOUR = "#f2c14e"
EMPTY = "No scan is open.\nOpen one in the tab Open, or drop it here."
BAR = 0.22
"""Of a view's width is what its scale has: it keeps away from the letter in the middle."""
NAME_COLOUR = "#c8ced6"
BACKGROUND = "black"
"""Of scans on any screen of a hospital, and what letters and names are made for."""
SCALE_COLOUR = "#ffffff"
NOTICE = "notice"
"""The disclaimer among napari's overlays; what has it is dressed."""
BRUSH, OUTSIDE = "_brush_circle", (-1000, -1000)
"""The ring of the brush, and where it waits for the mouse; in napari it is in the corner."""


def directions(displayed: Sequence[int]) -> dict[str, str]:
    """Letters of the patient at the four edges of the picture, head or front at the top.

    Parameters
    ----------
    displayed
        The two axes of napari's world shown, down the picture and across it.

    >>> directions((1, 2))
    {'top': 'A', 'bottom': 'P', 'left': 'R', 'right': 'L'}
    >>> directions((0, 1))
    {'top': 'S', 'bottom': 'I', 'left': 'A', 'right': 'P'}
    """
    down, across = displayed
    top, bottom = AWAY_FROM[down], TOWARDS[down]
    if _grows_upwards(displayed):
        top, bottom = bottom, top
    return {"top": top, "bottom": bottom, "left": AWAY_FROM[across], "right": TOWARDS[across]}


def bar_mm(most_mm: float) -> float:
    """The longest round length of a scale bar that has room.

    >>> bar_mm(73.0), bar_mm(0.3), bar_mm(200.0)
    (50.0, 0.2, 200.0)
    """
    power = 10.0 ** math.floor(math.log10(most_mm) + 1e-9)
    return next(float(n * power) for n in (5, 2, 1) if n * power <= most_mm * (1 + 1e-9))


def _grows_upwards(displayed: Sequence[int]) -> bool:
    return displayed[0] == 0  # the axis towards the head


class Dress:
    """What a view wears, kept right while it is turned.

    Depth grows away from the eye: napari's own choice, towards it, would show a mirrored patient.

    Parameters
    ----------
    viewer
        A napari viewer or a `ViewerModel`.
    canvas
        napari's canvas of it, if it has one.
    notice
        Whether the disclaimer stands in it, and what to do while it is empty.
    """

    def __init__(self, viewer: Any, canvas: Any, *, notice: bool) -> None:
        self._viewer = viewer
        self._camera = viewer.scene.camera
        self._marks = None if canvas is None else Marks(canvas)
        self._notice = notice
        viewer.canvas.overlays[NOTICE] = TextOverlay(
            text=surgplan.NOT_A_MEDICAL_DEVICE.replace(". ", ".\n"),
            position="bottom_left",
            font_size=8,
            color=NAME_COLOUR,
            visible=notice,
        )
        viewer.canvas.overlays[BRUSH].position = OUTSIDE
        viewer.canvas.background_color_override = BACKGROUND
        dims, layers = viewer.dims.events, viewer.layers.events
        zoomed, sized = self._camera.events.zoom, viewer.canvas.events.size
        # napari holds methods weakly, functions for as long as the viewer lives.
        for changed in (dims.order, dims.ndisplay):
            changed.connect(lambda: self._follow())
        dims.ndisplay.connect(lambda: self._turn())
        for changed in (layers.inserted, layers.removed):
            changed.connect(lambda: self._count())
        for changed in (zoomed, sized):
            changed.connect(lambda: self._draw())
        self._begin()

    @property
    def letters(self) -> dict[str, str]:
        """Those at the edges of the picture; none in 3D, and while it is empty."""
        displayed = self._viewer.dims.displayed
        return directions(displayed) if self._flat and not is_empty(self._viewer) else {}

    @property
    def name(self) -> str:
        """Of the view."""
        if is_empty(self._viewer):
            return EMPTY if self._notice else ""
        return NAMES[self._viewer.dims.order[0]] if self._flat else "3D"

    @property
    def _flat(self) -> bool:
        return len(self._viewer.dims.displayed) == 2

    def _follow(self) -> None:
        upwards = self._flat and _grows_upwards(self._viewer.dims.displayed)
        self._camera.orientation = ("away", "up" if upwards else "down", "right")
        self._draw()

    def _turn(self) -> None:
        if not self._flat:
            self._camera.set_view_direction(view_direction=FROM_THE_FRONT, up_direction=HEAD_UP)

    def _begin(self) -> None:
        self._follow()
        self._turn()  # napari turns the camera anew for the first layer

    def _count(self) -> None:
        if sum(role_of(layer) != WARM for layer in self._viewer.layers) <= 1:
            self._begin()

    def _draw(self) -> None:
        if self._marks is None:
            return
        height, width = self._viewer.canvas.size
        places = {
            "top": (width / 2, TOP),
            "bottom": (width / 2, height - TOP),
            "left": (EDGE, height / 2),
            "right": (width - EDGE, height / 2),
        }
        words = [
            Word(text=letter, x=places[edge][0], y=places[edge][1], colour=LETTER_COLOUR)
            for edge, letter in self.letters.items()
        ]
        for number, line in enumerate(self.name.splitlines()):
            x = CORNER + width_of(line) / 2
            words.append(Word(text=line, x=x, y=TOP * (1 + number), colour=NAME_COLOUR))
        bar = None
        if not is_empty(self._viewer) and self._camera.zoom > 0 and width > 0:
            length_mm = bar_mm(BAR * width / self._camera.zoom)
            right = width - CORNER
            left = right - length_mm * self._camera.zoom
            bar = (left, right, TOP + BAR_BELOW)
            label = f"{length_mm:g} mm"
            middle = min((left + right) / 2, right - width_of(label) / 2)
            words.append(Word(text=label, x=middle, y=TOP, colour=SCALE_COLOUR))
        self._marks.show(words, bar)


def dress(viewer: Any, canvas: Any = None, *, notice: bool = True) -> Dress:
    """Letters, name, scale and disclaimer on a viewer; see `Dress`."""
    window = getattr(viewer, "window", None)
    if canvas is None and window is not None:
        canvas = window._qt_viewer.canvas
    return Dress(viewer, canvas, notice=notice)
