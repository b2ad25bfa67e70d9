"""Correcting a structure: brush and eraser, or strokes that grow to the boundary."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QSlider,
)

from napari_surgplan._edits import edited_labels, own_voxels
from napari_surgplan._eyes import ROLE, STRUCTURES
from napari_surgplan._follow import Progress, follow
from napari_surgplan._layers import label_colours
from napari_surgplan._session import Session
from napari_surgplan._state import State
from napari_surgplan._work import start
from surgplan.volume import LabelMap, Segment, grow_strokes

INSIDE, OUTSIDE = 1, 2
STROKES = "strokes"
GREEN, RED = (60, 220, 120, 255), (240, 70, 70, 255)


class CorrectBox(QGroupBox):
    """Tools on the layer of structures, and the button that takes what was drawn."""

    def __init__(self, session: Session) -> None:
        super().__init__("Correct a structure")
        self.session = session
        self.structure = QComboBox()
        self.structure.setToolTip("The structure that is painted or grown")
        self.tools = {
            "brush": _tool("Brush", "Paint the structure on any slice", "Ctrl+Alt+B"),
            "erase": _tool("Eraser", "Take away on any slice", "Ctrl+Alt+E"),
            "inside": _tool("Stroke inside", "Mark some of what belongs to it", "Ctrl+Alt+I"),
            "outside": _tool("Stroke outside", "Mark some of what does not", "Ctrl+Alt+U"),
        }
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(1, 40)
        self.size.setValue(6)
        self.size.setToolTip("Width of brush and strokes, in voxels ([ and ])")
        self.update_button = _button("Update", "Take what was drawn", "Ctrl+Return")
        self.discard = _button("Discard", "Forget what was drawn since the last update", "")
        self.undo = _button("Undo", "One step back, of a hundred", "Ctrl+Alt+Z")
        self.redo = _button("Redo", "One step forward again", "Ctrl+Alt+Y")
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)
        self._lay_out()
        for name, button in self.tools.items():
            self._group.addButton(button)
            button.toggled.connect(partial(self._take, name))
        self.size.valueChanged.connect(self._resize)
        self.structure.currentIndexChanged.connect(self._retake)
        self.update_button.clicked.connect(self.update_labels)
        self.discard.clicked.connect(self.forget)
        self.undo.clicked.connect(lambda: session.undo())
        self.redo.clicked.connect(lambda: session.redo())
        session.labels_changed.connect(self._fill)
        self._fill()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.structure, 0, 0, 1, 2)
        for place, button in enumerate(self.tools.values()):
            grid.addWidget(button, 1 + place // 2, place % 2)
        grid.addWidget(QLabel("Width"), 3, 0)
        grid.addWidget(self.size, 3, 1)
        grid.addWidget(self.update_button, 4, 0)
        grid.addWidget(self.discard, 4, 1)
        grid.addWidget(self.undo, 5, 0)
        grid.addWidget(self.redo, 5, 1)

    @property
    def segment(self) -> Segment | None:
        """The structure at work."""
        segment: Segment | None = self.structure.currentData()
        return segment

    def update_labels(self) -> None:
        """Take what was painted, grow strokes if there are any, and rebuild what follows."""
        shown, state = self.session.shown, self.session.state
        layer = shown.layer(STRUCTURES) if shown is not None else None
        if layer is None or state.label_map is None or self.segment is None:
            return
        strokes = shown.layer(STROKES) if shown is not None else None
        marks = None if strokes is None else np.array(strokes.data)
        work = partial(_corrected, state, np.array(layer.data), marks, self.segment)
        self._put_down()
        start(self.session, work, title="Updating", done=partial(self._taken, state))

    def forget(self) -> None:
        """Show the labels again as they are."""
        shown, label_map = self.session.shown, self.session.label_map
        self._put_down()
        if shown is None or label_map is None:
            return
        self._remove_strokes()
        shown.repaint()

    def _taken(self, before: State, result: tuple[State, tuple[str, ...]] | None) -> None:
        if self.session.state is not before:
            self.session.message.emit("The structures changed meanwhile; press Update again.")
            return
        self._remove_strokes()
        if result is None:
            self.session.message.emit("Nothing was drawn; choose a tool, draw, then Update.")
            return
        state, notes = result
        if state.label_map is not None:
            self.session.set_labels(
                state.label_map,
                surfaces=state.surfaces,
                plans=state.plans,
                current=state.current,
                provenance=state.provenance,
            )
        for sentence in notes:
            self.session.message.emit(sentence)

    def _fill(self) -> None:
        label_map, chosen = self.session.label_map, self.segment
        self.setEnabled(label_map is not None)
        blocker = QSignalBlocker(self.structure)
        self.structure.clear()
        for segment in label_map.segments if label_map is not None else ():
            self.structure.addItem(segment.name, segment)
            if chosen is not None and segment.label == chosen.label:
                self.structure.setCurrentIndex(self.structure.count() - 1)
        blocker.unblock()

    def choose(self, segment: Segment | None) -> None:
        """Work on this structure."""
        for index in range(self.structure.count()):
            if segment is not None and self.structure.itemData(index).label == segment.label:
                self.structure.setCurrentIndex(index)

    def _retake(self) -> None:
        for name, button in self.tools.items():
            if button.isChecked():
                self._take(name, on=True)

    def _take(self, name: str, on: bool) -> None:  # noqa: FBT001 (the slot of a toggle)
        shown, segment = self.session.shown, self.segment
        if shown is None or segment is None:
            return
        if not on:
            for layer in (shown.layer(STRUCTURES), shown.layer(STROKES)):
                if layer is not None:
                    layer.mode = "pan_zoom"
            return
        for other, button in self.tools.items():
            if other != name:
                button.setChecked(False)
        painting = name in ("brush", "erase")
        layer = shown.layer(STRUCTURES) if painting else self._strokes()
        if layer is None:
            self._put_down()
            return
        shown.viewer.layers.selection.active = layer
        layer.selected_label = (
            segment.label if painting else INSIDE if name == "inside" else OUTSIDE
        )
        layer.brush_size = self.size.value()
        layer.mode = "erase" if name == "erase" else "paint"

    def _resize(self, width: int) -> None:
        shown = self.session.shown
        for role in (STRUCTURES, STROKES):
            layer = shown.layer(role) if shown is not None else None
            if layer is not None:
                layer.brush_size = width

    def _put_down(self) -> None:
        for button in self.tools.values():
            button.setChecked(False)

    def _strokes(self) -> Any:
        """The layer that strokes are drawn on, over the structures."""
        shown = self.session.shown
        if shown is None:
            return None
        layer, model = shown.layer(STROKES), shown.layer(STRUCTURES)
        if layer is None and model is not None:
            layer = shown.viewer.add_labels(
                np.zeros_like(model.data),
                name="strokes",
                colormap=label_colours({INSIDE: GREEN, OUTSIDE: RED}),
                scale=model.scale,
                translate=model.translate,
                units=model.units,
                axis_labels=model.axis_labels,
                metadata={ROLE: STROKES},
            )
        return layer

    def _remove_strokes(self) -> None:
        shown = self.session.shown
        layer = shown.layer(STROKES) if shown is not None else None
        if layer is not None and shown is not None:
            shown.viewer.layers.remove(layer)


def _corrected(
    state: State, painted: Any, marks: Any, segment: Segment, progress: Progress
) -> tuple[State, tuple[str, ...]] | None:
    """The state with what was drawn, None if nothing was."""
    before, volume = state.label_map, state.volume
    if before is None or volume is None:
        return None
    progress(0.0, "taking what was drawn")
    after: LabelMap = edited_labels(painted, before)
    if marks is not None and (marks == INSIDE).any():
        progress(0.1, "growing to the boundary")
        own = own_voxels(marks, before)
        after = grow_strokes(
            volume,
            after,
            segment,
            inside=own == INSIDE,
            outside=own == OUTSIDE,
            confidence=state.confidence,
        )
    if np.array_equal(after.array, before.array):
        return None
    edited, notes = follow(state, after, progress=lambda f, w: progress(0.2 + 0.8 * f, w))
    return _noted(edited), notes


def _noted(state: State) -> State:
    return replace(state, provenance={**state.provenance, "corrected_by_hand": True})


def _tool(text: str, tip: str, key: str) -> QPushButton:
    button = _button(text, tip, key)
    button.setCheckable(True)
    return button


def _button(text: str, tip: str, key: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"{tip} ({key})" if key else tip)
    if key:
        button.setShortcut(key)
    return button
