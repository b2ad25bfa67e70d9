"""What napari would otherwise load and build with the first layers, while the user waits."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from napari_surgplan._eyes import ROLE, WARM, is_empty, role_of
from napari_surgplan._layers import AXES
from napari_surgplan._turns import Turns

SHOWN_MS = 400


NOTHING = np.zeros((2, 2, 2), dtype=np.uint8)
SETTINGS: dict[str, Any] = {"name": WARM, "metadata": {ROLE: WARM}, **AXES}


@cache
def warm_up() -> None:
    """Read the register of units, and the tables that labels use; the second time costs nothing."""
    import pandas  # noqa: F401 (napari loads it late)
    import pint

    _ = pint.get_application_registry().mm  # type: ignore[no-untyped-call]


def rehearse_layers(viewer: Any, turns: Turns) -> None:
    """Show a dark voxel and an empty label for a moment in the main view of an empty window.

    napari has loaded and read what they need from then on.
    """
    if not len(viewer.layers):
        turns.add(lambda: _add(viewer, "labels"))
        turns.add(lambda: _add(viewer, "image"))  # stays chosen, and shows the widest controls
        turns.add_last(lambda: _leave(viewer, turns))


def _add(viewer: Any, kind: str) -> None:
    if is_empty(viewer):  # else a scan came meanwhile
        getattr(viewer, f"add_{kind}")(NOTHING, **SETTINGS)


def keep_warm(view: Any) -> None:
    """Give a view without a list of layers one that shows nothing, and stays.

    With its first layer napari lays out the sliders, and goes to the middle.
    """
    view.add_image(NOTHING, visible=False, **SETTINGS)


def make_room(view: Any, layer: Any) -> None:
    """Put what keeps a view warm into the middle of a layer that comes, where it takes no room."""
    for warm in view.layers:
        if role_of(warm) == WARM:
            with warm.events.blocker_all():
                warm.scale = layer.scale
                warm.translate = layer.extent.world.mean(axis=0)


def _leave(viewer: Any, turns: Turns) -> None:
    from qtpy.QtCore import QTimer

    QTimer.singleShot(SHOWN_MS, lambda: _remove(viewer, turns))


def _remove(viewer: Any, turns: Turns) -> None:
    for layer in [x for x in viewer.layers if role_of(x) == WARM]:
        turns.add(partial(drop, viewer, layer))


def drop(viewer: Any, layer: Any) -> None:
    """Take a layer away, if it is still there."""
    if layer in viewer.layers:
        viewer.layers.remove(layer)
