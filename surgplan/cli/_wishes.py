"""What a surgeon asks for, as the planning room takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surgplan.cli._options import ConditionWord
from surgplan.errors import UsageError

if TYPE_CHECKING:
    from surgplan.planning import Patient


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Margin, condition of the liver, body size, and how many proposals of which seed.

    Raises
    ------
    UsageError
        If only one of height and weight is given.
    """

    margin_mm: float
    condition: ConditionWord
    height_cm: float | None
    weight_kg: float | None
    count: int
    seed: int

    def __post_init__(self) -> None:
        if (self.height_cm is None) != (self.weight_kg is None):
            msg = "--height-cm and --weight-kg go together; give both or none"
            raise UsageError(msg)

    def patient(self) -> Patient | None:
        """Body size, where known. Raises `UsageError` where it cannot be right."""
        from surgplan.planning import Patient

        if self.height_cm is None or self.weight_kg is None:
            return None
        return Patient(height_cm=self.height_cm, weight_kg=self.weight_kg)

    def to_dict(self) -> dict[str, Any]:
        """As they stand in ``case.json``."""
        return {
            "margin_mm": self.margin_mm,
            "condition": self.condition,
            "height_cm": self.height_cm,
            "weight_kg": self.weight_kg,
            "count": self.count,
            "seed": self.seed,
        }
