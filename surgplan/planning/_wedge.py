"""A wedge: the tumours with a margin around them, open to the surface of the liver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from surgplan.errors import CorruptFileError, NothingToDoError, ScanMismatchError, UsageError
from surgplan.planning._corridor import Corridor, capsule_points, corridor_of
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._resection import Points, control_point, is_number, vector_of
from surgplan.planning._runs import Runs
from surgplan.planning._swept import PAD_MM, SweptTumour
from surgplan.planning._tumours import Tumour, TumourShape, tumour_shapes
from surgplan.volume import LabelMap

_MARGIN_MM = (0.5, 50.0)


@dataclass(frozen=True, kw_only=True)
class WedgeResection:
    """Non-anatomical wedges: all within a margin of the tumours, and the way out to the surface.

    A margin around a deep tumour is a ball that nobody could take out. So the tumour is swept
    along its `Corridor`, straight to the nearest open surface of the liver, and the margin is laid
    around what it sweeps: rounded at the bottom, with parallel walls, everywhere at least the
    margin away from the tumour, and no wider than it needs to be. The surface of the liver is no
    cut.

    Only margin and corridors are saved; the shape of the tumours comes from the label map.

    Attributes
    ----------
    margin_mm
        Millimetres of tissue around each tumour, 0.5..50.
    corridors
        One for each tumour.
    swept
        The swept tumours in the order of the corridors; see `around`.

    Raises
    ------
    UsageError
        If the margin lies outside 0.5..50 mm.
    """

    kind: ClassVar[str] = "wedge"
    margin_mm: float
    corridors: tuple[Corridor, ...]
    swept: tuple[SweptTumour, ...] = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        low, high = _MARGIN_MM
        if not low <= self.margin_mm <= high:
            msg = f"`margin_mm` of a wedge must lie in {low:g}..{high:g}, got {self.margin_mm}"
            raise UsageError(msg)

    @classmethod
    def around(cls, label_map: LabelMap, tumours: Sequence[Tumour], margin_mm: float) -> Self:
        """Wedges around some of the tumours of a label map.

        Raises
        ------
        NothingToDoError
            If there is no tumour among `tumours`, or no liver.
        ScanMismatchError
            If a tumour is not of this label map.
        """
        return cls.on(prepare(label_map), [t.id for t in tumours], margin_mm)

    @classmethod
    def on(cls, prepared: PreparedLiver, tumours: Sequence[int], margin_mm: float) -> Self:
        """As `around`, for a liver made ready before and tumours by id."""
        if not tumours:
            msg = "a wedge needs at least one tumour, got none; mark one, or take a plane"
            raise NothingToDoError(msg)
        capsule = capsule_points(prepared)
        shapes = _chosen(prepared.tumours, tumours)
        corridors = [corridor_of(prepared, shape, capsule, margin_mm) for shape in shapes]
        return cls._swept(shapes, corridors, margin_mm)

    @classmethod
    def _swept(
        cls, shapes: Iterable[TumourShape], corridors: Sequence[Corridor], margin_mm: float
    ) -> Self:
        pairs = zip(shapes, corridors, strict=True)
        swept = tuple(SweptTumour.of(shape, corridor, margin_mm) for shape, corridor in pairs)
        return cls(margin_mm=margin_mm, corridors=tuple(corridors), swept=swept)

    def only(self, tumours: Iterable[int]) -> Self:
        """The wedges around some of its tumours."""
        wanted = set(tumours)
        kept = [i for i, corridor in enumerate(self.corridors) if corridor.tumour in wanted]
        return type(self)(
            margin_mm=self.margin_mm,
            corridors=tuple(self.corridors[i] for i in kept),
            swept=tuple(self.swept[i] for i in kept),
        )

    def distance_mm(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)``.

        Within about 0.05 mm of the true distance to the swept tumours up to 2 mm from the cut and
        more than 8 mm outside; within half a millimetre elsewhere.
        """
        distance = np.full(len(points_mm), np.inf)
        self.lower(points_mm, distance)
        return distance

    def lower(self, points_mm: Points, distance_mm: npt.NDArray[np.float64]) -> None:
        """Lower given distances ``(n,)`` in place where a wedge's are smaller."""
        points = np.asarray(points_mm, dtype=np.float64)
        runs = Runs.of(points)
        for swept in self.swept:
            swept.lower_within(runs, distance_mm)
        far = np.flatnonzero(distance_mm > PAD_MM)  # only there can what lies off the grids matter
        if len(far):
            distance_mm[far] = self._far_mm(points[far], distance_mm[far])

    def _far_mm(self, points: Points, distance: npt.NDArray[np.float64]) -> Points:
        """Distances of points away from the cut: nearest grid first, so that few are searched."""
        least = np.stack([swept.at_least_mm(points) for swept in self.swept])
        order = np.argsort(least, axis=0, kind="stable")
        for turn in order:
            for which, swept in enumerate(self.swept):
                ask = np.flatnonzero((turn == which) & (least[which] < distance))
                if len(ask):
                    distance[ask] = np.minimum(distance[ask], swept.search_mm(points[ask]))
        return distance

    def to_dict(self) -> dict[str, Any]:
        """Kind, margin and corridors."""
        corridors = [
            {"tumour": c.tumour, "direction": list(c.direction), "end_mm": c.end_mm}
            for c in self.corridors
        ]
        return {"kind": self.kind, "margin_mm": self.margin_mm, "corridors": corridors}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """The wedges of `to_dict` around the tumours of a label map.

        Raises
        ------
        CorruptFileError
            If a value is missing or does not fit.
        ScanMismatchError
            If the label map has no such tumour.
        """
        margin, rows = data.get("margin_mm"), data.get("corridors")
        if not is_number(margin) or not isinstance(rows, list) or not rows:
            msg = (
                "a wedge needs `margin_mm`, a number, and `corridors`, a list, "
                f"got {margin!r} and {rows!r}; save the plan again"
            )
            raise CorruptFileError(msg)
        corridors = [_corridor(row) for row in rows]
        shapes = _chosen(tumour_shapes(label_map), [c.tumour for c in corridors])
        return cls._swept(shapes, corridors, float(margin or 0))

    def markups(self) -> list[dict[str, Any]]:
        """A line for each tumour, from its centre to where its corridor ends."""
        lines = []
        for corridor, swept in zip(self.corridors, self.swept, strict=True):
            centre = np.asarray(swept.centre_mm)
            x, y, z = centre + np.asarray(corridor.direction) * corridor.end_mm
            ends = (
                control_point("1", f"tumour {corridor.tumour}", swept.centre_mm),
                control_point("2", "way out", (float(x), float(y), float(z))),
            )
            lines.append(
                {
                    "type": "Line",
                    "coordinateSystem": "LPS",
                    "coordinateUnits": "mm",
                    "controlPoints": list(ends),
                }
            )
        return lines


def _chosen(shapes: Sequence[TumourShape], wanted: Sequence[int]) -> list[TumourShape]:
    by_id = {shape.tumour.id: shape for shape in shapes}
    missing = sorted(set(wanted) - set(by_id))
    if missing:
        msg = (
            f"a wedge needs its tumours in the label map, which has {sorted(by_id)} "
            f"and not {missing}; use the label map that it was planned on"
        )
        raise ScanMismatchError(msg)
    return [by_id[number] for number in wanted]


def _corridor(row: Any) -> Corridor:
    if not isinstance(row, Mapping) or not is_number(row.get("end_mm")):
        msg = (
            f"a corridor needs `tumour`, `direction` and `end_mm`, got {row!r}; save the plan again"
        )
        raise CorruptFileError(msg)
    number = row.get("tumour")
    if not isinstance(number, int):
        msg = f"a corridor needs `tumour` as a whole number, got {number!r}; save the plan again"
        raise CorruptFileError(msg)
    return Corridor(
        tumour=number, direction=vector_of(row, "direction"), end_mm=float(row["end_mm"])
    )
