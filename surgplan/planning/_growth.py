"""How much a remnant grows between the stages of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning._resection import is_number

_FACTOR = (1.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class Hypertrophy:
    """Growth of the liver that will stay, from one stage to the next.

    Attributes
    ----------
    factor
        Its volume before the second stage over that before the first, 1..3.
    source
        Who says so: a paper, or a second scan of this patient.

    Raises
    ------
    UsageError
        If the factor lies outside 1..3 or there is no source.
    """

    factor: float
    source: str

    def __post_init__(self) -> None:
        low, high = _FACTOR
        if not (np.isfinite(self.factor) and low <= self.factor <= high):
            msg = f"`factor` of a hypertrophy must lie in {low:g}..{high:g}, got {self.factor}"
            raise UsageError(msg)
        if not self.source.strip():
            msg = "a hypertrophy needs its `source`, got none; name the paper or the second scan"
            raise UsageError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Factor and source."""
        return {"factor": self.factor, "source": self.source}

    @classmethod
    def from_dict(cls, data: Any) -> Hypertrophy:
        """That of `to_dict`; raises `CorruptFileError` if a value does not fit."""
        fits = isinstance(data, Mapping) and is_number(data.get("factor"))
        if not fits or not isinstance(data.get("source"), str):
            msg = f"a hypertrophy needs `factor` and `source`, got {data!r}; save the plan again"
            raise CorruptFileError(msg)
        try:
            return cls(factor=float(data["factor"]), source=data["source"])
        except UsageError as e:
            msg = f"the file's hypertrophy cannot be used: {e}"
            raise CorruptFileError(msg) from e


AFTER_PORTAL_OCCLUSION = Hypertrophy(
    factor=36 / 26,
    source="26 % grown to 36 % after portal vein embolisation: Vauthey 2000, "
    "in the review PMC6422720",
)
"""What to expect where nothing is known of the patient."""
