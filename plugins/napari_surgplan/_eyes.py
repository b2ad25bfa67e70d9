"""Which layers are wanted, apart from whether the view at hand can show them.

Slices show voxels, the 3D view shows surfaces, which are no layers.
"""

from __future__ import annotations

from typing import Any

from psygnal import Signal

ROLE = "surgplan_role"
"""Key in a layer's metadata: what it shows. Layers without one belong to others."""
SCAN, STRUCTURES, UNSURE = "scan", "structures", "unsure"
STROKES = "strokes"
WARM = "warm"
"""Of layers that show nothing: they keep a view from being empty, or stand for those to come."""
OUTLINE = "surgplan_outline"
"""Key in the metadata of the layer of structures: width of outlines in voxels, 0 fills them."""
ONLY_FLAT = (SCAN, STRUCTURES, UNSURE, STROKES)


def role_of(layer: Any) -> str | None:
    """What a layer shows, None for a layer of others."""
    role: str | None = layer.metadata.get(ROLE)
    return role


def is_empty(view: Any) -> bool:
    """Whether a view has nothing to show."""
    return all(role_of(layer) == WARM for layer in view.layers)


def fits(layer: Any, ndisplay: int) -> bool:
    """Whether a view of two or three dimensions shows such a layer."""
    return ndisplay == 2 or role_of(layer) not in ONLY_FLAT


def set_outline(layer: Any, source: Any, ndisplay: int) -> None:
    """Outline structures as wide as the metadata of a layer says; napari has none in 3D."""
    if role_of(layer) == STRUCTURES:
        width = source.metadata.get(OUTLINE, 1) if ndisplay == 2 else 0
        if layer.contour != width:  # napari would cut the layer anew
            layer.contour = width


def set_shown(layer: Any, *, shown: bool) -> None:
    """Show a layer or hide it; napari would cut one anew that is shown already."""
    if layer.visible != shown:
        layer.visible = shown


class Eyes:
    """What all views of the same layers share: the eye of each.

    Parameters
    ----------
    viewer
        A napari viewer or a `ViewerModel`.

    Attributes
    ----------
    changed
        With the layer whose eye was opened or closed.
    """

    changed = Signal(object)

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._closed: set[Any] = set()
        self._turning = False
        viewer.layers.events.inserted.connect(lambda event: self._meet(event.value))
        viewer.layers.events.removed.connect(lambda event: self._closed.discard(event.value))
        # Hidden first: napari slices before it tells, and would make volumes of the slices.
        viewer.dims.events.ndisplay.connect(self._hide, position="first")
        viewer.dims.events.ndisplay.connect(self._turn, position="last")
        for layer in viewer.layers:
            self._meet(layer)

    def is_open(self, layer: Any) -> bool:
        """Whether the layer is wanted, be it shown in the main view or not."""
        return layer not in self._closed

    def set_open(self, layer: Any, *, is_open: bool) -> None:
        """Want a layer, or do not."""
        if self.is_open(layer) != is_open:
            (self._closed.discard if is_open else self._closed.add)(layer)
            self.changed.emit(layer)
        self._apply(layer)

    def refresh(self, layer: Any) -> None:
        """Show a layer as its metadata says now."""
        self._apply(layer)
        self.changed.emit(layer)

    def _meet(self, layer: Any) -> None:
        if not layer.visible:
            self._closed.add(layer)
        self._apply(layer)
        layer.events.visible.connect(lambda: self._clicked(layer))

    def _clicked(self, layer: Any) -> None:
        if self._turning:
            return
        if fits(layer, self._viewer.dims.ndisplay):
            self.set_open(layer, is_open=layer.visible)
        else:
            self._apply(layer)

    def _hide(self) -> None:
        self._turning = True
        for layer in self._viewer.layers:
            if not fits(layer, self._viewer.dims.ndisplay):
                layer.visible = False
        self._turning = False

    def _turn(self) -> None:
        for layer in self._viewer.layers:
            self._apply(layer)

    def _apply(self, layer: Any) -> None:
        before, self._turning = self._turning, True
        try:
            shown = self.is_open(layer) and fits(layer, self._viewer.dims.ndisplay)
            set_shown(layer, shown=shown)
            set_outline(layer, layer, self._viewer.dims.ndisplay)
        finally:
            self._turning = before
