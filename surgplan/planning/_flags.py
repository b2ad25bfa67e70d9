"""What a reader of an assessment must know first, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surgplan.planning._assessment import Verdict
from surgplan.planning._functional import FunctionalRemnant
from surgplan.planning._kinds import territories_in
from surgplan.planning._margins import StructureDistance, TumourMargin
from surgplan.planning._percent import percent_in_words
from surgplan.planning._perfusion import Perfusions
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection
from surgplan.planning._tumours import TumourShape
from surgplan.volume import VENA_CAVA

NEAR_MM = 5.0
"""A structure nearer to the cut than this is named."""

_SERVICE = {"portal": "portal supply", "hepatic": "hepatic drainage"}
_GREAT_VESSELS = frozenset({VENA_CAVA.code})


def flags_of(
    prepared: PreparedLiver,
    resection: Resection,
    tumours: Sequence[TumourMargin],
    structures: Sequence[StructureDistance],
    verdicts: Sequence[Verdict],
    margin_mm: float,
) -> tuple[str, ...]:
    """Sentences on too little liver, vessels not followed, tumours and margins, vessels met."""
    return (
        *flags_on_remnant(verdicts),
        *_on_reach(prepared.perfusions),
        *_on_territories(prepared.perfusions, resection),
        *_on_tumours(tumours, margin_mm),
        *_on_limits(prepared, margin_mm),
        *_on_structures(structures),
    )


def flags_on_function(
    function: FunctionalRemnant | None, verdicts: Sequence[Verdict], flr_percent: float
) -> Iterator[str]:
    """Where a remnant is large enough, but not what of it keeps its vessels; one sentence."""
    if function is None:
        return
    share = function.flr_percent / max(flr_percent, 1e-9)
    low = [v for v in verdicts if v.passed and v.value_percent * share < v.minimum_percent]
    if low:
        first, *others = low
        also = "; ".join(
            f"{percent_in_words(v.value_percent * share)} {v.name}, below {v.minimum_percent:g} %"
            for v in others
        )
        yield (
            f"The remnant is {percent_in_words(first.value_percent)} {first.name}, but only "
            f"{percent_in_words(first.value_percent * share)} keeps {function.kept}: below "
            f"{first.minimum_percent:g} % ({first.source})" + (f"; also {also}." if also else ".")
        )


def flags_on_remnant(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Where a remnant is too small."""
    for verdict in verdicts:
        if not verdict.passed:
            yield (
                f"The remnant is {percent_in_words(verdict.value_percent)} {verdict.name}, below "
                f"{verdict.minimum_percent:g} % ({verdict.source})."
            )


def _on_reach(perfusions: Perfusions) -> Iterator[str]:
    """Vessels that can be seen, but that are not counted on: what they serve is not known."""
    for perfusion in perfusions.each():
        if not perfusion.is_known:
            yield (
                f"Whether the remnant keeps its {_SERVICE[perfusion.tree.system]} is not known: "
                f"{perfusion.reach}."
            )


def _on_territories(perfusions: Perfusions, resection: Resection) -> Iterator[str]:
    """Territories of vessels that are not known: more branches would draw other borders."""
    for territory in territories_in(resection):
        for perfusion in perfusions.each():
            if perfusion.tree.system == territory.tree.system and not perfusion.is_known:
                name = territory.name
                yield f"Where the {name} really ends is not known: {perfusion.reach}."


def _on_tumours(tumours: Sequence[TumourMargin], margin_mm: float) -> Iterator[str]:
    for tumour in tumours:
        name = tumour.name.capitalize()
        if tumour.side == "left behind":
            yield f"{name} ({tumour.volume_ml:.1f} ml) is left behind."
        elif tumour.side == "cut through":
            yield f"{name} is cut through: {-tumour.margin_mm:.1f} mm of it stay behind."
        elif tumour.margin_mm < margin_mm:
            x, y, z = tumour.at_mm
            yield (
                f"{name} has a margin of {tumour.margin_mm:.1f} mm at LPS "
                f"({x:.0f}, {y:.0f}, {z:.0f}), below the {margin_mm:g} mm asked for."
            )


def _on_limits(prepared: PreparedLiver, margin_mm: float) -> Iterator[str]:
    """Where no cut in the liver can reach the margin, because a great vessel lies within it."""
    for shape in prepared.tumours:
        for structure in prepared.structures:
            if structure.segment.code not in _GREAT_VESSELS:
                continue
            distance = _distance_mm(shape, structure.points_mm, margin_mm)
            if distance < margin_mm:
                yield (
                    f"Tumour {shape.tumour.id} lies {distance:.1f} mm from the "
                    f"{structure.segment.name}: {margin_mm:g} mm cannot be reached on that side "
                    "without resecting the vessel; distances count in the liver only."
                )


def _on_structures(structures: Sequence[StructureDistance]) -> Iterator[str]:
    for structure in structures:
        if structure.crossed:
            yield (
                f"The cut crosses the {structure.name} "
                f"({structure.crossed_area_mm2:.0f} mm² of it)."
            )
        elif structure.distance_mm is not None and structure.distance_mm < NEAR_MM:
            yield f"The cut comes within {structure.distance_mm:.1f} mm of the {structure.name}."


def _distance_mm(shape: TumourShape, points_mm: object, limit_mm: float) -> float:
    """Smallest distance from a tumour's boundary to points; inf beyond the limit."""
    distance, _ = shape.tree.query(points_mm, distance_upper_bound=max(limit_mm, 1e-6))
    return float(distance.min())
