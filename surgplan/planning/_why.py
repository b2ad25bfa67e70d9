"""Why a proposal is there, in a sentence or two for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgplan.planning._assessment import Assessment
from surgplan.planning._bezier import BezierResection
from surgplan.planning._choose import Judged
from surgplan.planning._kinds import UnionResection
from surgplan.planning._pareto import non_dominated, normalised
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._territory_resection import TerritoryResection
from surgplan.planning._wedge import WedgeResection

_BEST = (
    "keeps the widest margin",
    "keeps the most liver{kept}",
    "divides vessels that serve the least liver",
    "has the smallest cut",
    "bends least",
)
_MORE = (
    "a wider margin",
    "more liver{kept}",
    "less liver behind the vessels divided",
    "a smaller cut",
    "a flatter cut",
)
_OBLIQUE = 0.4  # of a unit vector: smaller components are not worth a word


def why_of(one: Judged, among: Sequence[Judged]) -> str:
    """What the cut is, what it keeps, and why no other proposal makes it useless."""
    said = one.assessment
    kept = (
        f"{said.remnant_functional_ml:.0f} ml, {said.flr_percent:.0f} % of the "
        "measured functional liver, stay"
    )
    most = said.flr_percent >= max(j.assessment.flr_percent for j in among)
    apart = ", the most of these proposals" if most else ""
    idea = one.candidate.why or _idea(one.candidate.resection, said)
    return f"{idea}: {kept}{apart}. {_place(one, among)}{_vessels(said)}."


def _place(one: Judged, among: Sequence[Judged]) -> str:
    """Why it is on the front: where it is best, or what it has that the one most like it lacks."""
    others = [j for j in among if j is not one]
    function = one.assessment.function
    kept = "" if function is None else f" with {function.kept}"
    if not others:
        return ""
    costs = np.array([j.objectives.costs for j in (one, *others)])
    best = [w for w, column in zip(_BEST, costs.T, strict=True) if column[0] < column[1:].min()]
    if best:
        return f"Of these proposals it {listed(best)}. ".format(kept=kept)
    if 0 not in non_dominated(costs):
        return ""
    scaled = normalised(costs)
    beside = costs[1 + int(np.argmin(np.linalg.norm(scaled[1:] - scaled[0], axis=1)))]
    gains = [w for w, own, other in zip(_MORE, costs[0], beside, strict=True) if own < other]
    losses = [w for w, own, other in zip(_MORE, costs[0], beside, strict=True) if own > other]
    if not losses:
        return f"It has {listed(gains)} than the proposal most like it. ".format(kept=kept)
    return (
        f"A compromise: next to the proposal most like it, it has {listed(gains)}; "
        f"that one has {listed(losses)}. "
    ).format(kept=kept)


def listed(words: Sequence[str]) -> str:
    """Words with commas and an `and`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _idea(resection: Resection, assessment: Assessment) -> str:
    count = len(assessment.tumours)
    what = {1: "the tumour", 2: "both tumours"}.get(count, f"all {count} tumours")
    if isinstance(resection, WedgeResection):
        pieces = "A wedge" if count == 1 else "Wedges"
        return f"{pieces} around {what}, open to the nearest surface of the liver"
    if isinstance(resection, PlaneResection):
        return f"One flat cut that takes {what} with the {_part(resection)} part of the liver"
    if isinstance(resection, TerritoryResection):
        return f"Anatomical: the {resection.name}, with {what}"
    if isinstance(resection, UnionResection):
        anatomical = [p.name for p in resection.parts if isinstance(p, TerritoryResection)]
        if anatomical:
            return f"Anatomical: the {' and the '.join(anatomical)}, and a margin around {what}"
        wedges = sum(len(p.corridors) for p in resection.parts if isinstance(p, WedgeResection))
        planes = [p for p in resection.parts if isinstance(p, PlaneResection)]
        flat = " and ".join(f"the {_part(p)} part of the liver" for p in planes)
        others = "a wedge for one" if wedges == 1 else f"wedges for {wedges}"
        return (
            f"A flat cut that takes {flat} with {count - wedges} of {count} tumours, and {others}"
        )
    if isinstance(resection, BezierResection):
        return f"One curved cut that takes {what}"
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


def _vessels(assessment: Assessment) -> str:
    crossed = [s.name for s in assessment.structures if s.crossed]
    if crossed:
        return f"The cut crosses the {' and the '.join(crossed)}"
    near = [s for s in assessment.structures if s.distance_mm is not None]
    if not near:
        return "No vessels are known"
    closest = min(near, key=lambda s: s.distance_mm or 0.0)
    return f"The cut stays {closest.distance_mm:.0f} mm or more from the {closest.name}"
