"""From a cut that is not feasible to the nearest one that is."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QPushButton

from napari_surgplan._planner import Planner
from napari_surgplan._session import Session
from napari_surgplan._work import start
from surgplan.planning import Nearest, Resection, Standing, TwoStageResection, nearest_feasible


class NearestButton(QPushButton):
    """Lets the engine search; can be pressed while the plan at work does not hold."""

    def __init__(self, session: Session, planner: Planner) -> None:
        super().__init__("Make feasible")
        self.session = session
        self.planner = planner
        self.setToolTip(
            "Search the feasible cut nearest to this one: moved, with other branches, or with "
            "wedges for the tumours that it leaves (Ctrl+Shift+F)"
        )
        self.setShortcut("Ctrl+Shift+F")
        self.clicked.connect(self.search)
        planner.numbers_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Whether there is something to search."""
        standing = self.planner.standing
        self.setEnabled(standing is not None and _can_be_better(standing))

    def search(self) -> None:
        """Search, on a worker."""
        prepared, draft, wishes = self.planner.prepared, self.planner.draft, self.planner.wishes
        if prepared is None or draft is None:
            return
        start(
            self.session,
            lambda progress: nearest_feasible(
                prepared,
                draft.resection,
                margin_mm=wishes.margin_mm,
                condition=wishes.condition,
                patient=wishes.patient,
                progress=progress,
            ),
            title="Searching the nearest feasible cut",
            done=partial(self._take, draft.resection),
        )

    def _take(self, cut: Resection, found: Nearest) -> None:
        """Go on with what was found, if the cut is still the one at work."""
        draft = self.planner.draft
        if draft is None or draft.resection is not cut:
            return
        if found.resection == cut:
            self.session.message.emit(found.why)
        else:
            self.planner.lay(found.resection, found.why)


def _can_be_better(standing: Standing) -> bool:
    """Whether a plan of one operation misses a limit."""
    if isinstance(standing.plan.resection, TwoStageResection):
        return False
    return standing.feasibility == "not feasible" or not standing.keeps_enough_function
