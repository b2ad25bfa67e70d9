"""Proposals of the engine, and stepping through them."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QToolButton, QWidget

from napari_surgplan._follow import Progress
from napari_surgplan._planner import Planner
from napari_surgplan._session import Session
from napari_surgplan._work import start
from surgplan.planning import Plan, propose

COUNT = 3


class ProposalBar(QWidget):
    """A button that proposes plans, and two that lead from one to the next."""

    def __init__(self, session: Session, planner: Planner) -> None:
        super().__init__()
        self.session = session
        self.planner = planner
        self.proposed: tuple[str, ...] = ()
        self.button = QPushButton("Propose")
        self.button.setToolTip("Let the engine search cuts that clear the tumours (Ctrl+P)")
        self.button.setShortcut("Ctrl+P")
        self.count = QSpinBox()
        self.count.setRange(1, 9)
        self.count.setValue(COUNT)
        self.count.setToolTip("How many at most")
        self.before, self.after = QToolButton(), QToolButton()
        self.before.setText("◀")
        self.after.setText("▶")
        self.before.setToolTip("The proposal before (Alt+Left)")
        self.after.setToolTip("The next proposal (Alt+Right)")
        self.before.setShortcut("Alt+Left")
        self.after.setShortcut("Alt+Right")
        self.place = QLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.button, self.count, self.before, self.place, self.after):
            layout.addWidget(widget)
        layout.addStretch()
        self.button.clicked.connect(self.propose)
        self.before.clicked.connect(lambda: self.step(-1))
        self.after.clicked.connect(lambda: self.step(1))
        session.plans_changed.connect(self.refresh)
        self.refresh()

    def propose(self) -> None:
        """Search, on a worker."""
        label_map, wishes = self.session.label_map, self.planner.wishes
        if label_map is None:
            return
        count = self.count.value()

        def work(progress: Progress) -> tuple[Plan, ...]:
            return propose(
                label_map,
                margin_mm=wishes.margin_mm,
                condition=wishes.condition,
                patient=wishes.patient,
                count=count,
                progress=progress,
            )

        start(self.session, work, title="Proposing cuts", done=partial(self._take))

    def step(self, by: int) -> None:
        """Work on another of the proposals."""
        known = self._known()
        if not known:
            return
        current = self.session.current_plan
        at = known.index(current.name) if current is not None and current.name in known else -by
        self.session.choose_plan(known[(at + by) % len(known)])

    def refresh(self) -> None:
        """Show which proposal is at work."""
        known, current = self._known(), self.session.current_plan
        for widget in (self.before, self.after, self.place):
            widget.setVisible(len(known) > 0)
        if known and current is not None and current.name in known:
            self.place.setText(f"{known.index(current.name) + 1} of {len(known)}")
        else:
            self.place.setText(f"{len(known)} proposals")

    def _take(self, plans: tuple[Plan, ...]) -> None:
        if not plans:
            self.session.message.emit("No cut clears every tumour; try a smaller margin.")
            return
        self.proposed = tuple(plan.name for plan in plans)
        for plan in reversed(plans):
            self.session.put_plan(plan)
        self.refresh()

    def _known(self) -> list[str]:
        there = {plan.name for plan in self.session.plans}
        return [name for name in self.proposed if name in there]
