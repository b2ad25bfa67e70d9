"""What every view wears: letters of the patient at its edges, a scale, and which way is up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.components.overlays import TextOverlay

import surgplan

TOWARDS = ("S", "P", "L")
"""Where napari's world axes (z, y, x) point in the patient."""
AWAY_FROM = ("I", "A", "R")
NAMES = {0: "Axial", 1: "Coronal", 2: "Sagittal"}
"""Of a slice, by the axis that it stands across."""

FROM_THE_FRONT = (0.0, 1.0, 0.0)
HEAD_UP = (1.0, 0.0, 0.0)

EDGES = {
    "top": "top_center",
    "bottom": "bottom_center",
    "left": "middle_left",
    "right": "middle_right",
}
LETTER_COLOUR = "#f2c14e"
BLANK = " "
NAME_COLOUR = "#c8ced6"


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


def _grows_upwards(displayed: Sequence[int]) -> bool:
    return displayed[0] == 0  # the axis towards the head


def dress(viewer: Any, *, notice: bool = True) -> None:
    """Letters, name, scale and disclaimer on a viewer, kept right while it is turned.

    Depth grows away from the eye: napari's own choice, towards it, would show a mirrored patient.
    """
    camera = viewer.scene.camera
    overlays = viewer.canvas.overlays
    overlays.scale_bar.position = "top_right"
    overlays.scale_bar.box = False
    for edge, position in EDGES.items():
        letter = TextOverlay(position=position, font_size=13, color=LETTER_COLOUR, visible=True)
        overlays[f"letter_{edge}"] = letter
    overlays.text.position = "top_left"
    overlays.text.color = NAME_COLOUR
    overlays.text.visible = True
    overlays["notice"] = TextOverlay(
        text=surgplan.NOT_A_MEDICAL_DEVICE.replace(". ", ".\n"),
        position="bottom_left",
        font_size=8,
        color=NAME_COLOUR,
        visible=notice,
    )

    def follow() -> None:
        displayed = viewer.dims.displayed
        flat, empty = len(displayed) == 2, len(viewer.layers) == 0
        upwards = flat and _grows_upwards(displayed)
        camera.orientation = ("away", "up" if upwards else "down", "right")
        # An empty view has no directions yet; its letters are blank, not hidden, because napari
        # makes what is hidden only when it comes, and that would be together with the first scan.
        letters = directions(displayed) if flat and not empty else {}
        for edge in EDGES:
            overlays[f"letter_{edge}"].text = letters.get(edge, BLANK)
        overlays.scale_bar.visible = not empty
        overlays.text.text = BLANK if empty else NAMES[viewer.dims.order[0]] if flat else "3D"

    def turn() -> None:
        if viewer.dims.ndisplay == 3:
            camera.set_view_direction(view_direction=FROM_THE_FRONT, up_direction=HEAD_UP)

    def begin() -> None:
        follow()
        turn()  # napari turns the camera anew for the first layer

    for changed in (viewer.dims.events.order, viewer.dims.events.ndisplay):
        changed.connect(follow)
    viewer.dims.events.ndisplay.connect(turn)
    for changed in (viewer.layers.events.inserted, viewer.layers.events.removed):
        changed.connect(lambda: begin() if len(viewer.layers) <= 1 else None)
    begin()
