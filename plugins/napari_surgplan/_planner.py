"""The cut at work: begun, held and let go, judged by the engine, and put among the plans."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_surgplan import _starts
from napari_surgplan._draft import Draft, Ready, Wishes
from napari_surgplan._follow import Progress, silent
from napari_surgplan._newest import Newest
from napari_surgplan._session import Session
from napari_surgplan._sides import LiverGrid, resected_points
from napari_surgplan._stager import Stager, Stages, with_second
from surgplan.errors import NothingToDoError, SurgplanError
from surgplan.planning import (
    Assessment,
    Plan,
    PreparedLiver,
    Resection,
    Standing,
    TwoStageResection,
    WedgeResection,
    assess_prepared,
    cut_sheet,
)
from surgplan.volume import LIVER, LabelMap

_log = logging.getLogger(__name__)

Points = npt.NDArray[np.float64]
Judged = tuple[Assessment, Stages]
Here = Callable[[Callable[[], None]], None]

STEP_MM = 3.0
HELD_STEP_MM = 5.0
"""Size of the triangles of a cut at rest, and while it is held."""
STARTS: dict[str, Callable[[PreparedLiver, Sequence[int], float], Resection]] = {
    "plane": _starts.plane,
    "curved": _starts.curved,
    "bowl": _starts.bowl,
    "wedge": _starts.wedge,
}


class Planner:
    """Makes and changes the plan at work.

    Parameters
    ----------
    session
        The case.
    here
        Runs a function on the thread of the window; at once where there is none.

    Attributes
    ----------
    cut_changed
        The cut, or how it looks, changed.
    numbers_changed
        The assessment changed, or is out of date.
    ready_changed
        Another case is ready to be planned on, or none is.
    """

    cut_changed = Signal()
    numbers_changed = Signal()
    ready_changed = Signal()

    def __init__(
        self,
        session: Session,
        here: Here = lambda call: call(),
    ) -> None:
        self.session = session
        self.here = here
        self._asking = False
        self.wishes = Wishes()
        self.prepared: PreparedLiver | None = None
        self.grid: LiverGrid | None = None
        self.segments: LabelMap | None = None
        self.draft: Draft | None = None
        self.stager = Stager()
        self.held = False
        self._keep = False
        self._putting = False
        self.drawer: Newest[Draft, Draft] = Newest(self._drawn)
        self.judge: Newest[tuple[Draft, Wishes], Judged] = Newest(self._judged)
        self.maker: Newest[tuple[WedgeResection, float], Resection] = Newest(self._widened)
        pairs: tuple[tuple[Newest[Any, Any], Callable[[Any, Any], None]], ...] = (
            (self.drawer, self._show),
            (self.judge, self._take),
            (self.maker, lambda _, made: self.change(made)),
        )
        for newest, arrived in pairs:
            newest.done.connect(lambda asked, got, to=arrived: here(lambda: to(asked, got)))
            newest.failed.connect(lambda _, error: here(lambda: self._fail(error)))
        session.labels_changed.connect(self._labels_changed)
        session.plans_changed.connect(self._plans_changed)

    def make_ready(self, progress: Progress = silent) -> Ready:
        """What planning needs of the labels at hand; slow, so on a worker."""
        if self.session.label_map is None:
            msg = "the scan has no structures yet; find them in the tab Anatomy"
            raise NothingToDoError(msg)
        return Ready.of(self.session.label_map, progress)

    def take_ready(self, ready: Ready) -> None:
        """Go on with what `make_ready` made, if it still fits."""
        if ready.prepared.label_map is self.session.label_map:
            self.prepared, self.grid = ready.prepared, ready.grid
            self.segments = ready.segments
            self.ready_changed.emit()
            self.stager.ask(self._ready(), self.session.plans)
            self._plans_changed()

    @property
    def tumours(self) -> tuple[int, ...]:
        """Ids of the tumours to resect."""
        known = () if self.prepared is None else tuple(s.tumour.id for s in self.prepared.tumours)
        wanted = self.wishes.tumours
        return known if wanted is None else tuple(t for t in known if t in wanted)

    def start_of(self, kind: str) -> Resection:
        """A first cut of a kind in `STARTS`; up to a second, so on a worker."""
        return STARTS[kind](self._ready(), self.tumours, self.wishes.margin_mm)

    def begin(self, kind: str, resection: Resection, why: str = "", *, held: bool = False) -> None:
        """A new plan with this cut; the second stage of the cut that is marked as the first.

        One that is still held becomes a plan when it is let go.
        """
        both = self.stager.joined(resection)
        kind = both.kind if isinstance(both, TwoStageResection) else kind
        self.held = held
        self._work_on(Draft(name=self.free_name(kind), resection=both, why=why), keep=not held)

    def hold(self, resection: Resection) -> None:
        """The cut while a handle is dragged: drawn at once, judged when there is time."""
        if self.draft is not None:
            self.held = True
            self._work_on(Draft(name=self.draft.name, resection=resection), keep=False)

    def let_go(self) -> None:
        """The handle was let go: the cut becomes the plan as soon as it is judged."""
        if self.draft is None:
            return
        self.held = False
        self.drawer.ask(self.draft)
        if self.draft.assessment is not None:
            self._put(self.draft)
        else:
            self._keep = True

    @property
    def standing(self) -> Standing | None:
        """How the cut at work stands; None until it is judged, with its stages if it has some."""
        draft = self.draft
        if draft is None or draft.assessment is None or draft.lacks_stages:
            return None
        return Standing(plan=self._plan_of(draft, draft.assessment), stages=draft.stages)

    def go_on_with(self, resection: Resection, *, held: bool = False) -> None:
        """What `begin` began is another cut by now: its last stage changes, in one go or held."""
        if self.draft is not None:
            self.hold(with_second(self.draft.resection, resection))
            if not held:
                self.let_go()

    def lay(self, resection: Resection, why: str) -> None:
        """Another cut in the plan at work, with a sentence on how it came about."""
        if self.draft is not None:
            self._work_on(Draft(name=self.draft.name, resection=resection, why=why), keep=True)

    def change(self, resection: Resection) -> None:
        """Another cut in the plan at work, in one go."""
        self.hold(resection)
        self.let_go()

    def swap_sides(self) -> None:
        """Resect the other side of the plan at work, where it has one."""
        other = None if self.draft is None else _starts.other_side(self.draft.resection)
        if other is None:
            self.session.message.emit("This kind of cut has no other side to resect.")
        else:
            self.change(other)

    def wish(self, **changes: Any) -> None:
        """Other wishes; the plan at work is judged by them."""
        self.wishes = replace(self.wishes, **changes)
        if self.draft is not None:
            draft = replace(self.draft, assessment=None, stages=())
            self._work_on(draft, keep=True)

    def widen(self, margin_mm: float) -> None:
        """Another margin wanted; a wedge is laid anew at once, other cuts are only judged anew."""
        self.wishes = replace(self.wishes, margin_mm=margin_mm)
        draft = self.draft
        if draft is not None and isinstance(draft.resection, WedgeResection):
            self.maker.ask((draft.resection, margin_mm))
        elif draft is not None:
            self._work_on(replace(draft, assessment=None, stages=()), keep=True)

    def _widened(self, request: tuple[WedgeResection, float]) -> Resection:
        wedge, margin_mm = request
        return _starts.widened(self._ready(), wedge, margin_mm)

    def free_name(self, kind: str) -> str:
        """A name that no plan has yet."""
        taken = {plan.name for plan in self.session.plans}
        names = (f"{kind}-{n}" if n > 1 else kind for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def _ready(self) -> PreparedLiver:
        if self.prepared is None:
            msg = "the liver is still being made ready for planning; wait a moment"
            raise NothingToDoError(msg)
        return self.prepared

    def _work_on(self, draft: Draft, *, keep: bool) -> None:
        prepared, before = self._ready(), self.draft
        blank = draft.sheet is None
        if blank and before is not None and before.name == draft.name:
            draft = replace(draft, sheet=before.sheet)
        self.draft, self._keep = draft, keep
        if blank and draft.is_quick:
            sheet = cut_sheet(prepared, draft.resection, step_mm=HELD_STEP_MM)
            self.draft = replace(self.draft, sheet=sheet)
        self.cut_changed.emit()
        self.numbers_changed.emit()
        if not self._asking:
            self._asking = True
            self.here(self._ask)

    def _ask(self) -> None:
        """Have the cut at work judged and drawn well, as far as it is not yet."""
        self._asking = False
        draft = self.draft
        if draft is None or self.prepared is None:
            return
        if draft.assessment is None or draft.lacks_stages:
            self.judge.ask((draft, self.wishes))
        if not (self.held and draft.is_quick):  # else once it is let go
            self.drawer.ask(draft)

    def _drawn(self, draft: Draft) -> Draft:
        prepared, grid = self._ready(), self.grid
        sheet = cut_sheet(prepared, draft.resection, step_mm=STEP_MM)
        if self.held or grid is None:
            return replace(draft, sheet=sheet)
        points = np.concatenate([grid.points_mm, self._liver_points()])
        both = resected_points(draft.resection, sheet, points)
        count = len(grid.points_mm)
        return replace(draft, sheet=sheet, resected=both[:count], liver_resected=both[count:])

    def _liver_points(self) -> Points:
        found = [s.points for s in self.session.surfaces if s.segment.code == LIVER.code]
        return found[0] if found else np.zeros((0, 3))

    def _judged(self, request: tuple[Draft, Wishes]) -> Judged:
        draft, wishes = request
        prepared, condition, patient = self._ready(), wishes.condition, wishes.patient
        stages = self.stager.stages(prepared, draft.resection, condition, patient)
        if draft.assessment is not None:
            return draft.assessment, stages
        assessment = assess_prepared(
            prepared,
            draft.resection,
            margin_mm=wishes.margin_mm,
            condition=condition,
            patient=patient,
        )
        return assessment, stages

    def _show(self, asked: Draft, drawn: Draft) -> None:
        draft = self.draft
        if draft is not None and draft.resection is asked.resection:
            self.draft = replace(
                draft,
                sheet=drawn.sheet,
                resected=drawn.resected,
                liver_resected=drawn.liver_resected,
            )
            self.cut_changed.emit()

    def _take(self, asked: tuple[Draft, Wishes], found: Judged) -> None:
        draft, (judged, wishes) = self.draft, asked
        if draft is None or draft.resection is not judged.resection or wishes != self.wishes:
            return
        self.draft = replace(draft, assessment=found[0], stages=found[1])
        self.numbers_changed.emit()
        if self._keep:
            self._put(self.draft)

    def _put(self, draft: Draft) -> None:
        if draft.assessment is None:
            return
        self._keep = False
        self._putting = True
        try:
            self.session.put_plan(self._plan_of(draft, draft.assessment))
        finally:
            self._putting = False

    def _plan_of(self, draft: Draft, assessment: Assessment) -> Plan:
        before = self.session.state.plan(draft.name)
        return Plan(
            name=draft.name,
            resection=draft.resection,
            assessment=assessment,
            labels_fingerprint=self._ready().fingerprint,
            why=draft.why or ("" if before is None else before.why),
        )

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, SurgplanError):
            sentence = str(error)
        else:
            _log.error("unexpected", exc_info=error)
            kind = type(error).__name__
            sentence = f"This cut cannot be judged ({kind}: {error}); undo, or move it elsewhere."
        self.session.message.emit(sentence)

    def _labels_changed(self) -> None:
        if self.prepared is None or self.prepared.label_map is not self.session.label_map:
            self.prepared = self.grid = self.segments = self.draft = None
            self.stager.forget()
            self.judge.drop()
            self.drawer.drop()
            self.ready_changed.emit()
            self.cut_changed.emit()
            self.numbers_changed.emit()

    def _plans_changed(self) -> None:
        """The plan at work is another one: chosen, undone, read or deleted."""
        if self.prepared is None:
            return
        self.stager.ask(self.prepared, self.session.plans)
        if self._putting:
            return
        plan = self.session.current_plan
        if plan is None:
            self.draft = None
            self.cut_changed.emit()
            self.numbers_changed.emit()
            return
        if self.draft is not None and self.draft.assessment is plan.assessment:
            return
        self.judge.drop()
        asked = plan.assessment
        self.wishes = replace(
            self.wishes, margin_mm=asked.margin_mm, condition=asked.condition, patient=asked.patient
        )
        known = self.stager.standing(plan)
        draft = Draft(
            name=plan.name,
            resection=plan.resection,
            assessment=plan.assessment,
            stages=() if known is None else known.stages,
            why=plan.why,
        )
        self._work_on(draft, keep=False)
