"""What napari draws for tools that nobody has taken up yet."""

from __future__ import annotations

from typing import Any

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
