"""A second view of the same layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.experimental import link_layers, unlink_layers
from napari.layers import Labels, Layer

from napari_surgplan._eyes import SCAN, WARM, Eyes, fits, role_of, set_outline, set_shown
from napari_surgplan._slices import quick
from napari_surgplan._tools import without_tools
from napari_surgplan._turns import Turns
from napari_surgplan._warm import make_room


class Mirror:
    """Shows the layers of one viewer in another, sharing their voxels; edits work both ways.

    Parameters
    ----------
    viewer
        The viewer with the layers.
    eyes
        Which of them are wanted.
    pane
        The other one. In 3D it does without layers that only slices show, but for the scan, whose
        place in the patient tells napari what to look at.
    """

    def __init__(self, viewer: Any, eyes: Eyes, pane: Any) -> None:
        self.viewer = viewer
        self.eyes = eyes
        self.pane = pane
        self._copies: dict[Layer, Layer] = {}
        self._busy = False
        self._connections: list[tuple[Any, Callable[..., None]]] = []
        events = viewer.layers.events
        self._turns = Turns(viewer)
        self._connect(events.inserted, lambda event: self._meet(event.value))
        self._connect(events.removed, lambda event: self._remove(event.value))
        self._connect(events.reordered, self._sort)
        self._connect(viewer.layers.selection.events.active, self._select)
        self._connect(eyes.changed, self._show)
        self._connect(pane.dims.events.ndisplay, self._hide, position="first")
        self._connect(pane.dims.events.ndisplay, self._show_all)
        for layer in viewer.layers:
            self._meet(layer)

    def copy_of(self, layer: Layer) -> Layer:
        """The layer in the pane that shows a layer of the viewer."""
        return self._copies[layer]

    def close(self) -> None:
        """Let go of the viewer."""
        self._turns.clear()
        for emitter, slot in self._connections:
            emitter.disconnect(slot)
        self._connections.clear()
        for layer in list(self._copies):
            self._remove(layer)

    def _connect(self, emitter: Any, slot: Callable[..., None], **where: str) -> None:
        emitter.connect(slot, **where)
        self._connections.append((emitter, slot))

    def _meet(self, layer: Layer) -> None:
        if role_of(layer) != WARM:
            self._turns.add(partial(self._begin, layer))

    def _begin(self, layer: Layer) -> None:
        """Make the copy; adding it to the pane has turns of its own, as each takes a while."""
        wanted = fits(layer, self.pane.dims.ndisplay) or role_of(layer) == SCAN
        if not wanted or layer not in self.viewer.layers or layer in self._copies:
            return
        content, settings, kind = layer.as_layer_data_tuple()
        settings["visible"] = self._is_shown(layer)
        made = quick(Layer.create(content, dict(settings), kind), listed=False)
        copy = self._copies[layer] = without_tools(made)
        set_outline(copy, layer, self.pane.dims.ndisplay)
        link_layers([layer, copy])
        own = ["visible"] + ["colormap", "contour"] * isinstance(layer, Labels)
        unlink_layers([layer, copy], own)  # napari cannot compare the colours of labels
        self._follow(layer, copy)
        self._follow(copy, layer)
        self._turns.add(partial(self._add, layer, copy))

    def _add(self, layer: Layer, copy: Layer) -> None:
        if self._copies.get(layer) is copy:
            if role_of(layer) == SCAN:
                make_room(self.pane, copy)
            before = self.viewer.layers[: self.viewer.layers.index(layer)]
            place = sum(self._copies.get(x) in self.pane.layers for x in before)
            self.pane.layers.insert(place, copy)
            self._turns.add(partial(self._settle, layer, copy))

    def _settle(self, layer: Layer, copy: Layer) -> None:
        if self._copies.get(layer) is copy:
            if role_of(layer) == SCAN:
                self.pane.reset_view(reset_camera_angle=False)
            self._sort()
            self._select()

    def _follow(self, source: Layer, target: Layer) -> None:
        """What is set, dragged or painted in one is seen in the other."""

        def data() -> None:
            if self._busy or not self._alive(source, target):
                return
            self._busy = True
            try:
                target.data = source.data
            finally:
                self._busy = False

        def mode() -> None:
            if self._alive(source, target) and target.mode != source.mode:
                target.mode = source.mode

        def colours() -> None:
            if not self._busy and self._alive(source, target):
                self._busy = True
                try:
                    target.colormap = source.colormap
                finally:
                    self._busy = False

        source.events.data.connect(data)
        source.events.mode.connect(mode)
        if isinstance(source, Labels):
            source.events.paint.connect(target.refresh)
            source.events.colormap.connect(colours)

    def _alive(self, *pair: Layer) -> bool:
        return any(x in self._copies for x in pair)

    def _remove(self, layer: Layer) -> None:
        copy = self._copies.pop(layer, None)
        if copy is not None:
            unlink_layers([layer, copy])
            if copy in self.pane.layers:
                self.pane.layers.remove(copy)

    def _sort(self) -> None:
        copies = (self._copies.get(x) for x in self.viewer.layers)
        for place, copy in enumerate(x for x in copies if x in self.pane.layers):
            now = self.pane.layers.index(copy)
            if now != place:
                self.pane.layers.move(now, place)

    def _select(self) -> None:
        chosen = self._copies.get(self.viewer.layers.selection.active)
        if chosen is None or chosen in self.pane.layers:
            self.pane.layers.selection.active = chosen

    def _is_shown(self, layer: Layer) -> bool:
        return self.eyes.is_open(layer) and fits(layer, self.pane.dims.ndisplay)

    def _show(self, layer: Layer) -> None:
        if layer in self._copies:
            copy = self._copies[layer]
            set_shown(copy, shown=self._is_shown(layer))
            set_outline(copy, layer, self.pane.dims.ndisplay)

    def _hide(self) -> None:
        for layer, copy in self._copies.items():
            if not fits(layer, self.pane.dims.ndisplay):
                copy.visible = False

    def _show_all(self) -> None:
        for layer in self.viewer.layers:
            self._show(layer)
            if layer not in self._copies:
                self._meet(layer)
