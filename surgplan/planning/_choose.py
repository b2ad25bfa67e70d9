"""Choose a few proposals from the Pareto front of many cuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._assessment import Assessment
from surgplan.planning._boundary import Points
from surgplan.planning._cut import Cut
from surgplan.planning._objectives import Objectives, Scorer, objectives_of
from surgplan.planning._pareto import non_dominated, spread
from surgplan.planning._plane_family import Scored
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection
from surgplan.planning._verify import clears

_ALIKE = 0.9
_ORDERED = 4  # so many times more than wanted are put in order, as some turn out alike
_JUDGED = 2  # and at most so many times more are judged exactly

Judge = Callable[[str, Resection], tuple[Assessment, Cut]]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A candidate with its assessment and exact objectives."""

    candidate: Scored
    assessment: Assessment
    objectives: Objectives


def front_of(pool: Sequence[Scored], minimum_percent: float) -> list[Scored]:
    """Those of the pool that keep enough liver and that no other one beats, in order.

    Where none keeps enough that works, those that are `keeping` enough by volume.
    """
    stays = keeping(pool, minimum_percent)
    left = [s for s in stays if s.objectives.flr_percent >= minimum_percent] or stays
    if not left:
        return []
    return [left[n] for n in non_dominated(np.array([s.objectives.costs for s in left]))]


def keeping(pool: Sequence[Scored], minimum_percent: float) -> list[Scored]:
    """Those of the pool that keep enough liver by volume.

    Where none does, those that keep at least half as much as the one that keeps most.
    """
    able = [s for s in pool if s.objectives.cut_area_mm2 > 0]
    most = max((s.objectives.left_percent for s in able), default=0.0)
    least = minimum_percent if most >= minimum_percent else most / 2
    return [s for s in able if s.objectives.left_percent >= least]


def in_order(
    front: Sequence[Scored], scorer: Scorer, count: int, minimum_percent: float
) -> list[Scored]:
    """Candidates that differ, best to show first; those that leave too little liver last.

    First the one of each kind that keeps most liver, then the best in each objective, then those
    farthest from all before.
    """
    if not front:
        return []
    costs = np.array([s.objectives.costs for s in front])
    most: dict[str, int] = {}
    for n, scored in enumerate(front):
        best = most.setdefault(scored.name, n)
        if scored.objectives.flr_percent > front[best].objectives.flr_percent:
            most[scored.name] = n
    first = list(most.values())
    kept: list[Scored] = []
    taken: list[npt.NDArray[np.bool_]] = []
    for place in spread(costs, _ORDERED * count + len(first), first):
        resected = scorer.taken(front[place].resection)
        if not any(alike(resected, other) for other in taken):
            kept.append(front[place])
            taken.append(resected)
    return sorted(kept, key=lambda s: s.objectives.left_percent < minimum_percent)  # stable


def judged_best(
    prepared: PreparedLiver,
    ordered: Sequence[Scored],
    judge: Judge,
    must_go: Points,
    count: int,
) -> list[Judged]:
    """Judge candidates exactly, in order, until enough are there that do not beat each other.

    Only those that take every point that must go. Where there are too few, the first ones that are
    beaten fill up.
    """
    judged: list[Judged] = []
    best: list[Judged] = []
    for candidate in ordered:
        if len(judged) == _JUDGED * count:
            break
        if not clears(candidate.resection, must_go):
            continue
        assessment, cut = judge(candidate.name, candidate.resection)
        exact = objectives_of(prepared, candidate.resection, assessment, cut=cut)
        judged.append(Judged(candidate=candidate, assessment=assessment, objectives=exact))
        best = [judged[n] for n in non_dominated(np.array([j.objectives.costs for j in judged]))]
        if len(best) >= count:
            return best[:count]
    return (best + [j for j in judged if j not in best])[:count]


def alike(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> bool:
    """Whether two cuts take nearly the same and leave nearly the same."""
    return _dice(a, b) > _ALIKE and _dice(~a, ~b) > _ALIKE


def _dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return 2 * float((a & b).sum()) / max(float(a.sum() + b.sum()), 1.0)
