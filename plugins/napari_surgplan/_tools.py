"""What layers do without until somebody takes up a tool: pictures of it, voxels to write into."""

from __future__ import annotations

from typing import Any

import numpy as np

LOOKING = ("pan_zoom", "transform", "pick")
"""Modes in which a layer of labels is not written into."""
TOOLS = ("polygon", "brush_stroke")


def without_tools(layer: Any) -> Any:
    """The layer, with the pictures of its drawing tools left out until one is taken up.

    They would be built in every view as the layer comes, and drawn with every picture.
    """
    for name in TOOLS:
        overlay = layer._overlays.get(name)
        if overlay is not None and not overlay.enabled:
            overlay.visible = False
            _show_once_taken_up(overlay)
    return layer


def _show_once_taken_up(overlay: Any) -> None:
    def take_up() -> None:
        overlay.visible = True

    overlay.events.enabled.connect(take_up)


def own_voxels(layer: Any) -> None:
    """Let a layer have voxels of its own once something is taken up that writes into them."""
    if layer.mode not in LOOKING and not layer.data.flags.writeable:
        layer.data = np.array(layer.data)
