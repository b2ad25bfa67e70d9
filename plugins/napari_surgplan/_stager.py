"""Two-stage plans: which cut comes first, and what each stage leaves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from psygnal import Signal

from napari_surgplan._newest import Newest
from surgplan.errors import UsageError
from surgplan.planning import (
    AFTER_PORTAL_OCCLUSION,
    Condition,
    Hypertrophy,
    Patient,
    Perfusion,
    Plan,
    PreparedLiver,
    Resection,
    Stage,
    Standing,
    TerritoryResection,
    TwoStageResection,
    stages_of,
)

Stages = tuple[Stage, ...]
Key = tuple[int, Condition, Patient | None]


@dataclass(frozen=True, kw_only=True)
class Between:
    """What is done and happens between both operations: growth, and what is ligated for it."""

    growth: Hypertrophy = AFTER_PORTAL_OCCLUSION
    ligated: TerritoryResection | None = None


class Stager:
    """Makes two-stage cuts, and keeps what the engine says of each stage.

    Attributes
    ----------
    changed
        Another cut is to be the first, or none; or more stages are known.
    first
        The cut that the next one is added to as a second stage; None for none.
    between
        For the next two-stage cut.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.first: Resection | None = None
        self.between = Between()
        self._known: dict[Key, tuple[Resection, Stages]] = {}
        self.worker: Newest[tuple[PreparedLiver, tuple[Plan, ...]], None] = Newest(self._work)
        self.worker.done.connect(lambda *_: self.changed.emit())

    def mark(self, first: Resection | None) -> None:
        """Take a cut as the first stage, or none; the next cut that is begun is the second."""
        self.first = first
        self.changed.emit()

    def joined(self, second: Resection) -> Resection:
        """A cut that is begun: by itself, or as the second stage of the one that is marked."""
        if self.first is None:
            return second
        both = TwoStageResection(
            first=self.first,
            second=second,
            growth=self.between.growth,
            ligated=self.between.ligated,
        )
        self.mark(None)
        return both

    def stages(
        self,
        prepared: PreparedLiver,
        resection: Resection,
        condition: Condition,
        patient: Patient | None,
    ) -> Stages:
        """Both stages as the engine has them, none of other cuts; slow the first time."""
        if not isinstance(resection, TwoStageResection):
            return ()
        key = (id(resection), condition, patient)
        if key not in self._known:
            found = stages_of(prepared, resection, condition=condition, patient=patient)
            self._known[key] = (resection, found)  # with the cut, so that its id stays its own
        return self._known[key][1]

    def standing(self, plan: Plan) -> Standing | None:
        """How a plan stands; None while its stages are being worked out."""
        if not isinstance(plan.resection, TwoStageResection):
            return Standing(plan=plan, stages=())
        asked = plan.assessment
        known = self._known.get((id(plan.resection), asked.condition, asked.patient))
        return None if known is None else Standing(plan=plan, stages=known[1])

    def ask(self, prepared: PreparedLiver, plans: Sequence[Plan]) -> None:
        """Work out the stages of plans that have some; `changed` tells when."""
        missing = tuple(plan for plan in plans if self.standing(plan) is None)
        if missing:
            self.worker.ask((prepared, missing))

    def forget(self) -> None:
        """The labels are others."""
        self.first = None
        self._known.clear()
        self.changed.emit()

    def _work(self, request: tuple[PreparedLiver, tuple[Plan, ...]]) -> None:
        prepared, plans = request
        for plan in plans:
            asked = plan.assessment
            self.stages(prepared, plan.resection, asked.condition, asked.patient)


def with_second(resection: Resection, second: Resection) -> Resection:
    """A cut whose last stage is another one."""
    if isinstance(resection, TwoStageResection):
        return replace(resection, second=second)
    return second


def portal_branches(perfusions: Sequence[Perfusion]) -> dict[str, TerritoryResection]:
    """Branches of the portal vein that have names, to be ligated; the first that bears each."""
    found: dict[str, TerritoryResection] = {}
    for perfusion in perfusions:
        if perfusion.tree.system == "portal":
            for place, branch in enumerate(perfusion.tree.branches):
                if branch.label and branch.label not in found:
                    with suppress(UsageError):  # the trunk: all would hang on it
                        territory = TerritoryResection(tree=perfusion.tree, branches=(place,))
                        found[branch.label] = territory
    return found
