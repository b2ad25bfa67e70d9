"""The tab in which a resection is planned."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_surgplan._cut_scene import CutScene
from napari_surgplan._draft import Draft
from napari_surgplan._kind_row import KindRow
from napari_surgplan._map_picture import picture_of
from napari_surgplan._mice import Mice
from napari_surgplan._mouse import CutMouse
from napari_surgplan._nearest_button import NearestButton
from napari_surgplan._newest import Newest
from napari_surgplan._plan_bar import PlanBar
from napari_surgplan._plan_clicks import HINTS, PlanClicks
from napari_surgplan._plan_rows import headline, rows_of
from napari_surgplan._plan_table import CompareTable, PlanTable
from napari_surgplan._planner import Planner
from napari_surgplan._post import Post
from napari_surgplan._proposals import ProposalBar
from napari_surgplan._resectogram import Resectogram
from napari_surgplan._session import Session
from napari_surgplan._stage_box import WAITING, StageBox
from napari_surgplan._turns import Turns
from napari_surgplan._verdict import Verdict
from napari_surgplan._wishes_box import WishesBox
from napari_surgplan._work import start
from surgplan.planning import Resection
from surgplan.volume import LabelMap

EMPTY = (
    "<h3>No structures yet</h3>Find them in the tab <b>Anatomy</b>, or open a case that has them. "
    "Then plan the cut here."
)
BEGIN = "Choose a kind of cut, or Propose."
READYING = "Getting ready …"
STOPPED = "Not ready to plan. Come back to this tab to try again."
_CALM_MS = 120
_LATE_MS = 300
"""How long the numbers of the cut before stay, until those of the cut at hand are there."""
_GOOD, _FLAGGED, _BAD, _WAIT = "#2e7d4f", "#94681a", "#a33a3a", "#5b6472"


class PlanTab(QWidget):
    """Cuts of every kind begun in a click or two, held by handles, judged while they move.

    Parameters
    ----------
    session, viewer
        The case, and the napari viewer that shows it.
    """

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        self.session = session
        self._post = Post(self)
        self._turns = Turns(viewer)
        self.planner = Planner(session, here=self._post)
        self.scene = CutScene(self.planner)
        self.clicks = PlanClicks(self.planner)
        self.mice = Mice(session, viewer, self._mouse)
        self.mapper: Newest[Draft, Any] = Newest(self._mapped)
        self._readying: LabelMap | None = None
        self._stopped = False
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(_CALM_MS)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_LATE_MS)
        self._make()
        self._lay_out()
        self._connect()
        self._show_ready()

    def begin(self, kind: str) -> None:
        """Start a plan of a kind: at once, or with a click in a view."""
        self.clicks.mode = None
        if kind in HINTS:
            self.clicks.start(kind)
            return
        start(
            self.session,
            lambda _: self.planner.start_of(kind),
            title=f"Laying a {kind} cut",
            done=partial(self._begun, kind),
        )

    def _mouse(self, view: Any) -> CutMouse:
        clicks = self.clicks
        return CutMouse(
            self.planner,
            self.scene,
            view,
            clicked=clicks.click,
            drawn=clicks.press,
            begins=lambda: clicks.begins,
        )

    def _begun(self, kind: str, resection: Resection) -> None:
        self.planner.begin(kind, resection)

    def _make(self) -> None:
        self.kinds = KindRow()
        self.buttons = self.kinds.buttons
        self.swap = QPushButton("Swap sides")
        self.swap.setToolTip("Resect the other side of the cut (Ctrl+Shift+S)")
        self.swap.setShortcut("Ctrl+Shift+S")
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.finish = QPushButton("Done")
        self.finish.setToolTip("No more clicks (Return)")
        self.finish.setShortcut("Return")
        self.nearest = NearestButton(self.session, self.planner)
        self.wishes = WishesBox()
        self.proposals = ProposalBar(self.session, self.planner)
        self.stages = StageBox(self.planner)
        self.line = QCheckBox("Cut line")
        self.line.setToolTip("Draw the line of the cut on slices")
        self.tint = QCheckBox("Specimen")
        self.tint.setToolTip("Tint on slices what is resected")
        self.bar = PlanBar(self.session)
        self.verdict = Verdict()
        self.why = QLabel()
        self.why.setWordWrap(True)
        self.table = PlanTable()
        self.map = Resectogram()
        self.compare = CompareTable()

    def _lay_out(self) -> None:
        hint = QHBoxLayout()
        hint.addWidget(self.hint, 1)
        hint.addWidget(self.finish)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        for widget, word in ((self.table, "Numbers"), (self.map, "Map"), (self.compare, "Compare")):
            self.pages.addTab(widget, word)
        work = QWidget()
        layout = QVBoxLayout(work)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.kinds)
        layout.addLayout(hint)
        second = QHBoxLayout()
        second.addWidget(self.proposals, 1)
        second.addWidget(self.swap)
        layout.addWidget(self.wishes)
        layout.addLayout(second)
        third = QHBoxLayout()
        third.addWidget(self.nearest, 1)
        third.addWidget(self.stages.button, 1)
        for eye in (self.line, self.tint):
            eye.setChecked(True)
            third.addWidget(eye)
        layout.addLayout(third)
        layout.addWidget(self.stages)
        for widget in (self.bar, self.verdict, self.why):
            layout.addWidget(widget)
        layout.addWidget(self.pages, 1)
        empty = QLabel(EMPTY)
        empty.setWordWrap(True)
        empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.stack = QStackedWidget()
        self.stack.addWidget(empty)
        self.stack.addWidget(work)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.stack)

    def _connect(self) -> None:
        session, planner = self.session, self.planner
        session.labels_changed.connect(self._follow)
        session.plans_changed.connect(self._show_plans)
        planner.ready_changed.connect(self._show_ready)
        planner.numbers_changed.connect(self._show_numbers)
        planner.cut_changed.connect(lambda *_: self._calm.start())
        self._calm.timeout.connect(self._catch_up)
        self._late.timeout.connect(self._show_late)
        self.pages.currentChanged.connect(self._ask_map)
        self.pages.currentChanged.connect(self._show_plans)
        self.kinds.chosen.connect(self.begin)
        self.mapper.done.connect(lambda _, got: self._post(partial(self._show_map, got)))
        self.clicks.changed.connect(self._show_hint)
        self.finish.clicked.connect(self.clicks.stop)
        self.swap.clicked.connect(planner.swap_sides)
        self.nearest.clicked.connect(self.clicks.stop)
        self.line.toggled.connect(lambda on: self.scene.show_on_slices(line=on))
        self.tint.toggled.connect(lambda on: self.scene.show_on_slices(tint=on))
        for show in (self._show_hint, self._show_plans):  # more may be known of stages by then
            planner.stager.changed.connect(lambda show=show: self._post(show))
        self.wishes.margin_changed.connect(planner.widen)
        self.wishes.changed.connect(self._wished)
        for source in (self.table, self.map):
            source.pointed.connect(session.focus)
        self.compare.chosen.connect(session.choose_plan)
        self._show_hint()
        self._show_plans()

    def _follow(self) -> None:
        self._turns.add_last(self._make_ready)  # beside the engine the window would be slow to fill

    def _make_ready(self) -> None:
        label_map = self.session.label_map
        known = self.planner.prepared is not None or self._readying is label_map
        if label_map is None or known:
            return
        self._readying = label_map
        readying = start(
            self.session,
            self.planner.make_ready,
            title="Getting ready to plan",
            done=self.planner.take_ready,
        )
        readying.ended.connect(partial(self._show_stopped, stopped=True))
        self._show_stopped(stopped=False)

    def _show_stopped(self, *, stopped: bool) -> None:
        self._stopped = stopped
        if stopped:
            self._readying = None
        self._show_numbers()

    def showEvent(self, event: Any) -> None:
        """Get ready if that was cancelled or refused before. Name given by Qt."""
        super().showEvent(event)
        if self._stopped:
            self._follow()

    def _wished(self) -> None:
        asked = self.wishes.wishes()
        self.planner.wish(condition=asked.condition, patient=asked.patient, tumours=asked.tumours)

    def _show_ready(self) -> None:
        prepared = self.planner.prepared
        self.stack.setCurrentIndex(0 if self.session.label_map is None else 1)
        self.kinds.setEnabled(prepared is not None)
        self.proposals.setEnabled(prepared is not None)
        if prepared is not None:
            self._stopped = False
            self.wishes.show_tumours([shape.tumour for shape in prepared.tumours])
        self._show_numbers()

    def _show_plans(self) -> None:
        if self.pages.currentWidget() is not self.compare:
            return  # it is filled when it is looked at
        current = self.session.current_plan
        plans = self.session.plans
        standings = [self.planner.stager.standing(plan) for plan in plans]
        self.compare.show_plans(plans, standings, None if current is None else current.name)

    def _show_numbers(self) -> None:
        draft, standing = self.planner.draft, self.planner.standing
        if standing is not None:
            self._late.stop()
            told = headline(standing)
            good = _FLAGGED if told.flagged else _GOOD
            self.verdict.say(told.text, good if told.feasible else _BAD)
            self.table.show_rows(rows_of(standing))
            self.wishes.show_wishes(self.planner.wishes)
            self._calm.start()
            self.table.fade(faded=False)
        elif draft is not None:
            if not self._late.isActive():
                self._late.start()
        else:
            ready = self.planner.prepared is not None
            self.verdict.say(BEGIN if ready else STOPPED if self._stopped else READYING, _WAIT)
            self.table.show_rows(())
            self.map.show_picture(None, ())
        why = "" if draft is None else draft.why
        if self.why.text() != why or self.why.isHidden() == bool(why):
            self.why.setText(why)
            self.why.setVisible(bool(why))

    def _show_late(self) -> None:
        """The numbers shown are those of a cut that is no more."""
        draft = self.planner.draft
        if draft is not None and self.planner.standing is None:
            self.verdict.say("Working out the numbers …", _WAIT)
            self.table.fade(faded=True)

    def _show_hint(self) -> None:
        hint = self.clicks.hint or (WAITING if self.planner.stager.first is not None else "")
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.finish.setVisible(self.clicks.mode is not None)

    def _catch_up(self) -> None:
        """What is slow to draw, once the hand rests and the numbers are there."""
        if self.planner.draft is None or self.planner.standing is not None:
            self.scene.catch_up()
            self._ask_map()

    def _ask_map(self) -> None:
        draft, looked_at = self.planner.draft, self.pages.currentWidget() is self.map
        if not looked_at or draft is None or draft.sheet is None or self.planner.held:
            return
        if not draft.sheet.is_empty:
            self.mapper.ask(draft)

    def _mapped(self, draft: Draft) -> Any:
        label_map = self.session.label_map
        if draft.sheet is None or label_map is None:
            return None, ()
        vessels = () if draft.assessment is None else draft.assessment.vessels_cut
        return picture_of(draft.sheet, label_map, self.planner.segments), vessels

    def _show_map(self, drawn: Any) -> None:
        if self.planner.draft is not None:
            self.map.show_picture(*drawn)
