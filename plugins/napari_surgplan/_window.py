"""The napari window on a case: which way is up, how long a centimetre, what it may be used for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import surgplan
from napari_surgplan._layers import case_layers, to_world
from surgplan.errors import MissingExtraError
from surgplan.io import Case, atomic_file
from surgplan.volume import LIVER, LIVER_TUMOUR, LabelMap

TOWARDS = ("S", "P", "L")
"""Where napari's world axes (z, y, x) point in the patient."""
AWAY_FROM = ("I", "A", "R")

FROM_THE_FRONT = (0.0, 1.0, 0.0)
HEAD_UP = (1.0, 0.0, 0.0)


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


def dress(viewer: Any) -> None:
    """Scale bar, letters of direction and disclaimer on a viewer, kept right while it is turned.

    Depth grows away from the eye: napari's own choice, towards it, would show a mirrored patient.
    Slices show voxels, the 3D view shows surfaces.
    """
    camera = viewer.scene.camera
    viewer.canvas.overlays.scale_bar.visible = True
    text = viewer.canvas.overlays.text
    text.visible = True
    text.font_size = 11
    text.color = "white"

    def follow() -> None:
        displayed = viewer.dims.displayed
        flat = len(displayed) == 2
        upwards = flat and _grows_upwards(displayed)
        camera.orientation = ("away", "up" if upwards else "down", "right")
        letters = directions(displayed) if flat else {}
        words = "   ".join(f"{edge} {letter}" for edge, letter in letters.items())
        text.text = f"{words}\n{surgplan.NOT_A_MEDICAL_DEVICE}".strip()

    def swap() -> None:
        flat = len(viewer.dims.displayed) == 2
        for layer in viewer.layers:
            layer.visible = flat != (layer._type_string == "surface")
        if not flat:
            camera.set_view_direction(view_direction=FROM_THE_FRONT, up_direction=HEAD_UP)

    for changed in (viewer.dims.events.order, viewer.dims.events.ndisplay):
        changed.connect(follow)
    viewer.dims.events.ndisplay.connect(swap)
    follow()
    swap()


def look_at(viewer: Any, label_map: LabelMap) -> None:
    """Go to the slices through the middle of the tumours, or else of the liver."""
    wanted = (label_map.mask(LIVER_TUMOUR), label_map.mask(LIVER))
    mask = next((m for m in wanted if m.any()), None)
    if mask is not None:
        middle = label_map.geometry.to_lps(np.argwhere(mask).mean(axis=0))
        viewer.dims.point = tuple(float(v) for v in to_world(middle))


def open_case(folder: Path, *, ndisplay: int = 2, screenshot: Path | None = None) -> None:
    """Show a case until its window is closed; with `screenshot`, write a PNG and close it.

    Parameters
    ----------
    folder
        The case.
    ndisplay
        2 for slices, 3 for surfaces.
    screenshot
        PNG of what the canvas shows.

    Raises
    ------
    MissingExtraError
        If napari is not installed.
    NothingToDoError
        If the folder is no case.
    CorruptFileError
        If a file of the case is missing or was changed.
    OutputError
        If the picture cannot be written.
    """
    case = Case.open(folder)
    try:
        import napari
        from napari.layers import Layer
    except ImportError as e:
        feature = "the window"
        raise MissingExtraError(feature, "gui") from e
    layers = case_layers(case)
    viewer = napari.Viewer(title=f"surgplan: {case.folder.resolve().name}", ndisplay=ndisplay)
    for layer in layers:
        viewer.add_layer(Layer.create(*layer))
    viewer.reset_view()
    dress(viewer)
    look_at(viewer, case.read_labels())
    if screenshot is None:
        napari.run()
        return
    try:
        _grab(viewer, screenshot)
    finally:
        viewer.close()


def _grab(viewer: Any, path: Path) -> None:
    """Write what the canvas shows as PNG, in one piece."""
    viewer.show()
    viewer.window._qt_window.resize(1100, 850)  # napari offers no other way to size the window
    with atomic_file(path) as temporary:
        viewer.screenshot(str(temporary), canvas_only=True, flash=False)
