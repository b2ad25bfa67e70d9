"""Every kind of resection by name, their union, and two of them in stages.

A new kind is one file with a class like `PlaneResection` and one entry in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning._bezier import BezierResection
from surgplan.planning._freehand import FreehandResection
from surgplan.planning._growth import Hypertrophy
from surgplan.planning._resection import PlaneResection, Points, Resection
from surgplan.planning._territory_resection import TerritoryResection
from surgplan.planning._wedge import WedgeResection
from surgplan.volume import LabelMap


@dataclass(frozen=True, kw_only=True)
class UnionResection:
    """Several resections together: what any of them takes is resected.

    What two of them would take counts once.

    The distance is the smallest of the parts': exact outside and where one part alone is near,
    never deeper than the truth inside.

    Raises
    ------
    UsageError
        If there is no part.
    """

    kind: ClassVar[str] = "union"
    parts: tuple[Resection, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            msg = "a union needs at least one resection in `parts`, got none"
            raise UsageError(msg)

    def distance_mm(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)``."""
        distance = self.parts[0].distance_mm(points_mm)
        for part in self.parts[1:]:
            part.lower(points_mm, distance)
        return distance

    def lower(self, points_mm: Points, distance_mm: npt.NDArray[np.float64]) -> None:
        """Lower given distances ``(n,)`` in place where any part's are smaller."""
        for part in self.parts:
            part.lower(points_mm, distance_mm)

    def to_dict(self) -> dict[str, Any]:
        """Kind and parts."""
        return {"kind": self.kind, "parts": [part.to_dict() for part in self.parts]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """The union of `to_dict`; raises `CorruptFileError` unless it has parts."""
        parts = data.get("parts")
        if not isinstance(parts, list) or not parts:
            msg = f"a union needs `parts`, a list of resections, got {parts!r}; save the plan again"
            raise CorruptFileError(msg)
        return cls(parts=tuple(resection_from_dict(part, label_map) for part in parts))

    def markups(self) -> list[dict[str, Any]]:
        """The markups of all parts."""
        return [markup for part in self.parts for markup in part.markups()]


@dataclass(frozen=True, kw_only=True)
class TwoStageResection:
    """Two operations with time between them for the remnant to grow.

    As a resection it is the union of both: the volumes, margins and vessels of its assessment are
    those at the end, before any growth. `stages_of` gives volumes and verdicts stage by stage.

    Attributes
    ----------
    first, second
        What each operation takes; any kind, so also unions. What both would take goes first.
    growth
        Of the liver that stays after both, from the first operation to the second.
    ligated
        Branches of the portal vein that are tied or embolised at the first operation.

    Raises
    ------
    UsageError
        If what is ligated is no portal vein.
    """

    kind: ClassVar[str] = "two-stage"
    first: Resection
    second: Resection
    growth: Hypertrophy
    ligated: TerritoryResection | None = None

    def __post_init__(self) -> None:
        if self.ligated is not None and self.ligated.tree.system != "portal":
            msg = (
                "`ligated` must be branches of the portal vein, got "
                f"{self.ligated.tree.system} ones; choose them in the portal tree"
            )
            raise UsageError(msg)

    @property
    def parts(self) -> tuple[Resection, Resection]:
        """What the operations take, in their order."""
        return self.first, self.second

    def distance_mm(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)``."""
        distance = self.first.distance_mm(points_mm)
        self.second.lower(points_mm, distance)
        return distance

    def lower(self, points_mm: Points, distance_mm: npt.NDArray[np.float64]) -> None:
        """Lower given distances ``(n,)`` in place where either part's are smaller."""
        for part in self.parts:
            part.lower(points_mm, distance_mm)

    def to_dict(self) -> dict[str, Any]:
        """Kind, both resections, growth and what is ligated."""
        return {
            "kind": self.kind,
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "growth": self.growth.to_dict(),
            "ligated": None if self.ligated is None else self.ligated.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """That of `to_dict`; raises `CorruptFileError` if a value is missing or does not fit."""
        ligated = data.get("ligated")
        try:
            return cls(
                first=resection_from_dict(data.get("first") or {}, label_map),
                second=resection_from_dict(data.get("second") or {}, label_map),
                growth=Hypertrophy.from_dict(data.get("growth")),
                ligated=None if ligated is None else _territory(ligated, label_map),
            )
        except UsageError as e:
            msg = f"the file's two stages cannot be used: {e}"
            raise CorruptFileError(msg) from e

    def markups(self) -> list[dict[str, Any]]:
        """The markups of both."""
        return [markup for part in self.parts for markup in part.markups()]


KINDS: dict[str, type[Resection]] = {
    kind.kind: kind
    for kind in (
        PlaneResection,
        WedgeResection,
        BezierResection,
        FreehandResection,
        TerritoryResection,
        UnionResection,
        TwoStageResection,
    )
}


def territories_in(resection: Resection) -> Iterator[TerritoryResection]:
    """The territories that a resection is made of, those whose branches are tied too."""
    if isinstance(resection, TerritoryResection):
        yield resection
    elif isinstance(resection, UnionResection | TwoStageResection):
        for part in resection.parts:
            yield from territories_in(part)
        if isinstance(resection, TwoStageResection) and resection.ligated is not None:
            yield resection.ligated


def _territory(data: Any, label_map: LabelMap) -> TerritoryResection:
    found = resection_from_dict(data, label_map)
    if not isinstance(found, TerritoryResection):
        msg = f"`ligated` must be a territory, got a {found.kind}; save the plan again"
        raise CorruptFileError(msg)
    return found


def resection_from_dict(data: Mapping[str, Any], label_map: LabelMap) -> Resection:
    """Build a resection again from its `to_dict`.

    Raises
    ------
    CorruptFileError
        If the kind is not known or a value does not fit.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind not in KINDS:
        msg = (
            f"a resection's `kind` must be one of {', '.join(KINDS)}, got {kind!r}; "
            "it may come from a newer surgplan"
        )
        raise CorruptFileError(msg)
    return KINDS[str(kind)].from_dict(data, label_map)
