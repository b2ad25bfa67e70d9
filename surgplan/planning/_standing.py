"""How a plan stands by its numbers: one answer for every place that shows one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from surgplan.planning._flags import flags_on_function, flags_on_remnant
from surgplan.planning._kinds import TwoStageResection
from surgplan.planning._plan import Plan
from surgplan.planning._prepare import prepare
from surgplan.planning._stages import Stage, stages_of
from surgplan.volume import LabelMap

Feasibility = Literal["feasible", "feasible with flags", "not feasible"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A plan with its stages, and whether it holds.

    Attributes
    ----------
    plan
        The plan.
    stages
        Both of an operation in two; empty for any other. What is left is then judged before the
        last one, when it has grown.
    """

    plan: Plan
    stages: tuple[Stage, ...]

    @property
    def keeps_enough_liver(self) -> bool:
        """Whether the remnant reaches every threshold."""
        return (self.stages[-1] if self.stages else self.plan.assessment).keeps_enough_liver

    @property
    def keeps_enough_function(self) -> bool:
        """Whether what of the remnant keeps its vessels reaches the thresholds that all of it does.

        True where that was not computed.
        """
        said = self.plan.assessment
        verdicts = self.stages[-1].verdicts if self.stages else said.verdicts
        return not any(flags_on_function(said.function, verdicts, said.flr_percent))

    @property
    def flags(self) -> tuple[str, ...]:
        """What must be read first, in sentences.

        Of an operation in two, the remnant is flagged as it will be before the last one.
        """
        said = self.plan.assessment
        if not self.stages:
            return said.flags
        last = self.stages[-1]
        now = {
            *flags_on_remnant(said.verdicts),
            *flags_on_function(said.function, said.verdicts, said.flr_percent),
        }
        grown = (
            *flags_on_remnant(last.verdicts),
            *flags_on_function(said.function, last.verdicts, said.flr_percent),
        )
        counts_on = (
            f"The second operation counts on a remnant that grows from {said.flr_percent:.1f} to "
            f"{last.flr_percent:.1f} % of the functional liver ({last.source})."
        )
        told = (f"Grown before the second operation, {f[0].lower()}{f[1:]}" for f in grown)
        return (counts_on, *told, *(flag for flag in said.flags if flag not in now))

    @property
    def feasibility(self) -> Feasibility:
        """Whether the numbers hold: tumours cleared, thresholds reached, nothing to read first."""
        said = self.plan.assessment
        if not (said.clears_tumours and self.keeps_enough_liver):
            return "not feasible"
        return "feasible with flags" if self.flags else "feasible"

    @property
    def verdict(self) -> str:
        """The one line read first; no full stop."""
        said = self.plan.assessment
        reasons = []
        if not said.clears_tumours:
            reasons.append(f"a tumour is not cleared by {said.margin_mm:g} mm")
        if not self.keeps_enough_liver:
            reasons.append("too little liver remains")
        if reasons:
            return "Not feasible by the numbers: " + " and ".join(reasons)
        cleared = "clears every tumour and " if said.tumours else ""
        grown = ", if it grows as assumed between the stages" if self.stages else ""
        if not self.keeps_enough_function:
            return (
                f"Feasible by volume, not by function: {cleared}keeps enough liver{grown}, but too "
                "little of it keeps its vessels; read the flags"
            )
        flags = ", but read the flags" if self.flags else ""
        return f"Feasible by the numbers: {cleared}keeps enough liver{grown}{flags}"


def standings_of(plans: Sequence[Plan], label_map: LabelMap) -> tuple[Standing, ...]:
    """How plans stand; the liver is prepared only where an operation has stages to judge.

    Parameters
    ----------
    plans
        Made on the label map.
    label_map
        Liver with tumours and vessels; perpendicular axes.
    """
    staged = any(isinstance(plan.resection, TwoStageResection) for plan in plans)
    prepared = prepare(label_map) if staged else None
    found = []
    for plan in plans:
        stages: tuple[Stage, ...] = ()
        if prepared is not None and isinstance(plan.resection, TwoStageResection):
            asked = plan.assessment
            stages = stages_of(
                prepared, plan.resection, condition=asked.condition, patient=asked.patient
            )
        found.append(Standing(plan=plan, stages=stages))
    return tuple(found)
