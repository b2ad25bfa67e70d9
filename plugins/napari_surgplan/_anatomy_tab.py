"""The tab in which structures are found, looked at and corrected."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from qtpy.QtWidgets import QCheckBox, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_surgplan._correct_box import CorrectBox
from napari_surgplan._follow import Progress, follow
from napari_surgplan._preferences import Preferences
from napari_surgplan._rows import Row, rows_of
from napari_surgplan._session import Session
from napari_surgplan._state import State
from napari_surgplan._structure_list import StructureList
from napari_surgplan._turns import Turns
from napari_surgplan._work import start
from surgplan.errors import MissingExtraError

NO_SCAN = "No scan is open. Open one in the tab Open, then find its structures here."
NO_LABELS = "The scan has no structures yet. <b>Next:</b> press <i>Find structures</i>."
LOOK = "Check the outlines on the slices, correct them where needed, then go to the tab Plan."


class AnatomyTab(QWidget):
    """Structures of the scan."""

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        self.session = session
        self._turns = Turns(viewer)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.find = QPushButton("Find structures")
        self.find.setToolTip("Liver, vessels, tumours and organs by the network (Ctrl+Alt+F)")
        self.find.setShortcut("Ctrl+Alt+F")
        self.list = StructureList(session)
        self.unsure = QCheckBox("Glow where the model was unsure")
        self.unsure.setToolTip("Bright on the slices where the network's choice was a close one")
        self.correct = CorrectBox(session)
        layout = QVBoxLayout(self)
        for widget in (self.hint, self.find, self.list, self.unsure, self.correct):
            layout.addWidget(widget)
        layout.setStretchFactor(self.list, 1)
        layout.addStretch()  # what is said while there is no list stands at the top
        self.find.clicked.connect(self.segment)
        self.unsure.toggled.connect(self._show_unsure)
        self.list.tree.currentItemChanged.connect(
            lambda *_: self.correct.choose(self.list.current())
        )
        session.scan_changed.connect(self._follow)
        session.labels_changed.connect(self._follow)
        self._follow()

    def segment(self) -> None:
        """Find the structures on a worker."""
        if self.session.volume is None:
            self.session.message.emit(NO_SCAN)
            return
        state = self.session.state
        start(
            self.session,
            partial(_found, state, self.session.preferences),
            title="Finding structures",
            done=partial(self._take, state),
        )

    def _take(self, before: State, result: tuple[State, tuple[str, ...]]) -> None:
        state, notes = result
        if self.session.volume is not before.volume or state.label_map is None:
            self.session.message.emit("Another scan was opened meanwhile; find structures again.")
            return
        self.session.set_labels(
            state.label_map,
            surfaces=state.surfaces,
            confidence=state.confidence,
            provenance=state.provenance,
            plans=state.plans,
            current=state.current,
        )
        for sentence in notes:
            self.session.message.emit(sentence)

    def _follow(self) -> None:
        state = self.session.state
        has_labels = state.label_map is not None
        self.find.setEnabled(state.volume is not None)
        self.find.setText("Find structures again" if has_labels else "Find structures")
        self.hint.setText(NO_SCAN if state.volume is None else LOOK if has_labels else NO_LABELS)
        for widget in (self.list, self.correct):
            widget.setVisible(has_labels)
        self.unsure.setVisible(state.confidence is not None)
        if not has_labels:
            self.list.show_rows(())
        else:
            self._turns.add_last(partial(self._measure, state))

    def _measure(self, state: State) -> None:
        start(
            self.session,
            lambda progress: rows_of(state, progress=progress),
            title="Measuring structures",
            done=partial(self._show_rows, state),
        )

    def _show_rows(self, state: State, rows: tuple[Row, ...]) -> None:
        if self.session.label_map is state.label_map:
            self.list.show_rows(rows)

    def _show_unsure(self, on: bool) -> None:  # noqa: FBT001 (the slot of a toggle)
        if self.session.shown is not None:
            self.session.shown.show_unsure(visible=on)


def _found(
    state: State, preferences: Preferences, progress: Progress
) -> tuple[State, tuple[str, ...]]:
    """What the network finds, and what follows from it."""
    try:
        from surgplan.segmentation import SegmentSettings, segment
    except ImportError as e:
        feature = "finding structures by the network"
        raise MissingExtraError(feature, "ai") from e
    if state.volume is None:
        return state, ()
    settings = SegmentSettings(
        model=preferences.model or None,
        device=preferences.device,
        threads=preferences.threads or None,
        progress=lambda fraction, word: progress(0.8 * fraction, word),
    )
    found = segment(state.volume, settings=settings)
    bare = replace(
        state,
        confidence=found.confidence,
        provenance={"source": "network", **found.provenance},
    )
    return follow(
        bare, found.label_map, progress=lambda fraction, word: progress(0.8 + 0.2 * fraction, word)
    )
