"""An operation in two stages: a button that marks the first, growth, and what is ligated."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QPushButton, QWidget

from napari_surgplan._planner import Planner
from napari_surgplan._stager import Between, portal_branches
from surgplan.planning import AFTER_PORTAL_OCCLUSION, Hypertrophy, TwoStageResection

BY_HAND = "entered by hand in the planning window"
NOTHING = "ligate nothing"
WAITING = "First stage kept. Now begin the second cut with a button above."
_GROWTH_PIXELS, _BRANCH_LETTERS = 140, 12
_STANDARD = round(AFTER_PORTAL_OCCLUSION.factor, 2)


class StageBox(QWidget):
    """Makes the plan at work the first stage of two, and says what happens between them.

    Attributes
    ----------
    button
        Marks the first stage; it stands where it finds room, the rest is shown once it is pressed.
    """

    def __init__(self, planner: Planner) -> None:
        super().__init__()
        self.planner = planner
        self.button = QPushButton("Two stages")
        self.button.setCheckable(True)
        self.button.setToolTip(
            "Keep this cut as the first of two operations; the next cut becomes the second (Ctrl+T)"
        )
        self.button.setShortcut("Ctrl+T")
        self.ligate = QComboBox()
        self.ligate.setToolTip("What of the portal vein is closed at the first operation")
        self.growth = QDoubleSpinBox()
        self.growth.setRange(1.0, 3.0)
        self.growth.setSingleStep(0.05)
        self.growth.setDecimals(2)
        self.growth.setPrefix("grows ")
        self.growth.setSuffix(" x")
        self.growth.setValue(_STANDARD)
        self.growth.setMinimumWidth(_GROWTH_PIXELS)  # its theme takes more than Qt reckons with
        self.ligate.setMinimumContentsLength(_BRANCH_LETTERS)
        self.ligate.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.ligate, 1)
        layout.addWidget(self.growth)
        self.button.toggled.connect(self._mark)
        self.growth.valueChanged.connect(lambda _: self._change())
        self.ligate.activated.connect(lambda _: self._change())
        planner.stager.changed.connect(lambda: planner.here(self.refresh))
        planner.ready_changed.connect(self._fill)
        planner.numbers_changed.connect(self.refresh)
        self._fill()

    def refresh(self) -> None:
        """Show what the plan at work has, or what the next one gets."""
        draft, waits = self.planner.draft, self.planner.stager.first is not None
        cut = None if draft is None else draft.resection
        staged = isinstance(cut, TwoStageResection)
        self.button.setEnabled(draft is not None and (waits or not staged))
        with QSignalBlocker(self.button):
            self.button.setChecked(waits)
        self.setVisible(waits or staged)
        if isinstance(cut, TwoStageResection) and not waits:
            self._show(Between(growth=cut.growth, ligated=cut.ligated))

    def between(self, known: Hypertrophy = AFTER_PORTAL_OCCLUSION) -> Between:
        """What is chosen; a growth that is known keeps its digits and its source."""
        factor = round(self.growth.value(), 2)
        if factor == round(known.factor, 2):
            growth = known
        elif factor == _STANDARD:
            growth = AFTER_PORTAL_OCCLUSION
        else:
            growth = Hypertrophy(factor=factor, source=BY_HAND)
        return Between(growth=growth, ligated=self.ligate.currentData())

    def _mark(self, on: bool) -> None:  # noqa: FBT001 (the slot of a toggle)
        draft = self.planner.draft
        self.planner.stager.between = self.between()
        self.planner.stager.mark(draft.resection if on and draft is not None else None)

    def _change(self) -> None:
        draft, stager = self.planner.draft, self.planner.stager
        cut = None if draft is None else draft.resection
        if isinstance(cut, TwoStageResection) and stager.first is None:
            between = self.between(cut.growth)
            self.planner.change(replace(cut, growth=between.growth, ligated=between.ligated))
        stager.between = self.between()

    def _fill(self) -> None:
        prepared = self.planner.prepared
        with QSignalBlocker(self.ligate):
            self.ligate.clear()
            self.ligate.addItem(NOTHING, None)
            branches = {} if prepared is None else portal_branches(prepared.perfusions.each())
            for name, territory in branches.items():
                self.ligate.addItem(f"ligate {name}", territory)
        self.refresh()

    def _show(self, between: Between) -> None:
        with QSignalBlocker(self.growth), QSignalBlocker(self.ligate):
            self.growth.setValue(between.growth.factor)
            self.growth.setToolTip(
                "How much the liver that stays grows between both operations. "
                f"Source: {between.growth.source}"
            )
            self.ligate.setCurrentIndex(self._place_of(between))

    def _place_of(self, between: Between) -> int:
        wanted = None if between.ligated is None else between.ligated.branches
        for place in range(self.ligate.count()):
            data = self.ligate.itemData(place)
            if (None if data is None else data.branches) == wanted:
                return place
        return 0
