"""What a session knows at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.mesh import Surface
from surgplan.planning import Plan
from surgplan.volume import LabelMap, Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Everything that an action of a user can change.

    Attributes
    ----------
    volume
        The scan.
    label_map
        Its structures, on the same grid.
    surfaces
        Of the structures, the whole liver first.
    confidence
        ``(slice, row, column)`` float32, 0..1, on the same grid; None where no model was asked.
    provenance
        How the labels came about, plain values.
    plans
        In the order in which they were made.
    current
        Name of the plan at work.
    """

    volume: Volume | None = None
    label_map: LabelMap | None = None
    surfaces: tuple[Surface, ...] = ()
    confidence: npt.NDArray[np.float32] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    plans: tuple[Plan, ...] = ()
    current: str | None = None

    def plan(self, name: str | None) -> Plan | None:
        """The plan of this name, None if there is none."""
        return next((p for p in self.plans if p.name == name), None)

    def with_plan(self, plan: Plan) -> State:
        """With this plan at work; it takes the place of one with the same name."""
        names = [p.name for p in self.plans]
        if plan.name in names:
            plans = tuple(plan if p.name == plan.name else p for p in self.plans)
        else:
            plans = (*self.plans, plan)
        return replace(self, plans=plans, current=plan.name)

    def without_plan(self, name: str) -> State:
        """Without this plan; the last one that is left is at work then."""
        plans = tuple(p for p in self.plans if p.name != name)
        last = plans[-1].name if plans else None
        return replace(self, plans=plans, current=last if self.current == name else self.current)
