"""napari's panels of controls, each built when somebody looks at its layer.

napari builds one with every layer that comes, shown or not: up to a tenth of a second each, while
the window is deaf.
"""

from __future__ import annotations

from typing import Any

from napari._qt.layer_controls.qt_layer_controls_container import create_qt_layer_controls
from qtpy.QtCore import QEvent, QObject

from napari_surgplan._turns import Turns


def make_lazy(viewer: Any) -> None:
    """Let the window of a napari viewer build the controls of a layer when they are shown."""
    container = viewer.window._qt_viewer.controls
    if not isinstance(container.widgets, _Built):
        LazyControls(container, viewer)


class LazyControls(QObject):
    """Stands between a viewer and its container of controls, from `make_lazy` on."""

    def __init__(self, container: Any, viewer: Any) -> None:
        super().__init__(container)
        self._container = container
        layers = container.viewer.layers
        layers.events.inserted.disconnect(container._add)
        layers.events.removed.disconnect(container._remove)
        layers.selection.events.changed.disconnect(container._populate)
        container.widgets = _Built(container, container.widgets)
        layers.events.removed.connect(self._remove)
        layers.selection.events.changed.connect(self._wait)
        self._turns = Turns(viewer)
        container.destroyed.connect(self._turns.clear)
        container.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Build what is missing when the panel is opened. Name given by Qt."""
        if event is not None and event.type() == QEvent.Type.Show:
            self._wait()
        return bool(super().eventFilter(watched, event))

    def _wait(self) -> None:
        """In a turn of its own, and for the layer that is chosen in the end."""
        self._turns.clear()
        self._turns.add(self._show)

    def _show(self) -> None:
        container = self._container
        if container.isVisible():
            container._populate()
            # As wide as it ever was: all views would be laid out and painted anew with it.
            widest = max(container.minimumWidth(), container.minimumSizeHint().width())
            container.setMinimumWidth(widest)

    def _remove(self, event: Any) -> None:
        if event.value in self._container.widgets:
            self._container._remove(event)


class _Built(dict[Any, Any]):
    """Controls by layer, built when they are asked for."""

    def __init__(self, container: Any, before: dict[Any, Any]) -> None:
        super().__init__(before)
        self._container = container

    def __missing__(self, layer: Any) -> Any:
        controls = create_qt_layer_controls(layer)
        controls.ndisplay = self._container.viewer.dims.ndisplay
        self._container.addWidget(controls)
        self[layer] = controls
        return controls
