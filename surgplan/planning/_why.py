"""Why a proposal is there, in a sentence or two for people."""

from __future__ import annotations

from collections.abc import Sequence

from surgplan.planning._assessment import Assessment
from surgplan.planning._kinds import UnionResection
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._wedge import WedgeResection

_OBLIQUE = 0.4  # of a unit vector: smaller components are not worth a word


def why_of(
    resection: Resection, idea: str, assessment: Assessment, among: Sequence[Assessment]
) -> str:
    """What the cut is, what it keeps, and what sets it apart from the other proposals."""
    kept = (
        f"{assessment.remnant_functional_ml:.0f} ml, {assessment.flr_percent:.0f} % of the "
        "measured functional liver, stay"
    )
    apart = "".join(f", {words}" for words in _apart(assessment, among))
    return f"{idea or _idea(resection, assessment)}: {kept}{apart}. {_vessels(assessment)}."


def _idea(resection: Resection, assessment: Assessment) -> str:
    count = len(assessment.tumours)
    what = {1: "the tumour", 2: "both tumours"}.get(count, f"all {count} tumours")
    if isinstance(resection, WedgeResection):
        pieces = "A wedge" if count == 1 else "Wedges"
        return f"{pieces} around {what}, open to the nearest surface of the liver"
    if isinstance(resection, PlaneResection):
        return f"One flat cut that takes {what} with the {_part(resection)} part of the liver"
    if isinstance(resection, UnionResection):
        wedges = sum(len(p.corridors) for p in resection.parts if isinstance(p, WedgeResection))
        planes = [p for p in resection.parts if isinstance(p, PlaneResection)]
        flat = " and ".join(f"the {_part(p)} part of the liver" for p in planes)
        others = "a wedge for one" if wedges == 1 else f"wedges for {wedges}"
        return (
            f"A flat cut that takes {flat} with {count - wedges} of {count} tumours, and {others}"
        )
    return f"Takes {what}"


def _part(plane: PlaneResection) -> str:
    """Which part of the liver lies behind a plane, as ``'upper right'``."""
    x, y, z = plane.normal
    words = [
        word
        for value, word in (
            (z, "upper" if z > 0 else "lower"),
            (y, "rear" if y > 0 else "front"),
            (x, "left" if x > 0 else "right"),
        )
        if abs(value) > _OBLIQUE
    ]
    return " ".join(words)


def _apart(assessment: Assessment, among: Sequence[Assessment]) -> list[str]:
    words = []
    if assessment.flr_percent >= max(a.flr_percent for a in among):
        words.append("the most of these proposals")
    if assessment.cut_area_mm2 <= min(a.cut_area_mm2 for a in among):
        words.append("with the smallest cut")
    return words


def _vessels(assessment: Assessment) -> str:
    crossed = [s.name for s in assessment.structures if s.crossed]
    if crossed:
        return f"The cut crosses the {' and the '.join(crossed)}"
    near = [s for s in assessment.structures if s.distance_mm is not None]
    if not near:
        return "No vessels are known"
    closest = min(near, key=lambda s: s.distance_mm or 0.0)
    return f"The cut stays {closest.distance_mm:.0f} mm or more from the {closest.name}"
