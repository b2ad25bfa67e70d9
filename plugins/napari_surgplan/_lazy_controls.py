"""napari's panels of controls, each built when somebody looks at its layer.

napari builds one with every layer that comes, shown or not: up to a tenth of a second each, while
the window is deaf.
"""

from __future__ import annotations

from typing import Any

from napari._qt.layer_controls.qt_layer_controls_container import create_qt_layer_controls
from qtpy.QtCore import QEvent, QObject, QTimer


def make_lazy(container: Any) -> None:
    """Let napari's `QtLayerControlsContainer` of a window build controls when they are shown."""
    if not isinstance(container.widgets, _Built):
        LazyControls(container)


class LazyControls(QObject):
    """Stands between a viewer and its container of controls, from `make_lazy` on."""

    def __init__(self, container: Any) -> None:
        super().__init__(container)
        self._container = container
        layers = container.viewer.layers
        layers.events.inserted.disconnect(container._add)
        layers.events.removed.disconnect(container._remove)
        layers.selection.events.changed.disconnect(container._populate)
        container.widgets = _Built(container, container.widgets)
        layers.events.removed.connect(self._remove)
        layers.selection.events.changed.connect(self._wait)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._show)
        container.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Build what is missing when the panel is opened. Name given by Qt."""
        if event is not None and event.type() == QEvent.Type.Show:
            self._wait()
        return bool(super().eventFilter(watched, event))

    def _wait(self) -> None:
        """In a turn of its own, and for the layer that is chosen in the end."""
        self._timer.start()

    def _show(self) -> None:
        if self._container.isVisible():
            self._container._populate()

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
