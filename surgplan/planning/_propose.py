"""Propose resections."""

from __future__ import annotations

from collections.abc import Sequence

from surgplan.errors import UsageError
from surgplan.planning._assess import Question, judged
from surgplan.planning._assessment import Assessment
from surgplan.planning._choose import Judged, front_of, in_order, judged_best, keeping
from surgplan.planning._cut import Cut
from surgplan.planning._familiar import familiar, spare
from surgplan.planning._families import Families
from surgplan.planning._objectives import Scorer
from surgplan.planning._patient import Patient
from surgplan.planning._plan import Plan
from surgplan.planning._plane_family import Scored
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._progress import Progress, silent
from surgplan.planning._resection import Resection
from surgplan.planning._samples import Samples
from surgplan.planning._thresholds import Condition, thresholds_of
from surgplan.planning._verify import must_go
from surgplan.planning._why import why_of
from surgplan.volume import LabelMap

_EXTRA_MM = (0.3, 0.1)  # cuts are laid this much wider, so that the margin holds as computed
_NARROW_MM = 2.0  # below, an assessment may find up to 0.2 mm too little


def propose(  # noqa: PLR0913 (one call with the words of the command line)
    label_map: LabelMap,
    *,
    margin_mm: float = 10.0,
    condition: Condition = "normal",
    patient: Patient | None = None,
    count: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Plan, ...]:
    """Different resections that clear every tumour with the margin, those that keep most first.

    Planes, curved cuts, wedges around the tumours, planes with wedges, bowls and territories of
    portal branches compete in margin, functional remnant, liver behind the vessels that they
    divide, area and bend (see `Objectives`). Proposed is a spread of those that no other one beats
    in all of these: of each kind the one that keeps most, then the best in each respect, then
    those in between. Every proposal is checked with a distance transform of its own before it is
    returned. Without tumours, three geometric planes.

    Parameters
    ----------
    label_map
        Liver with tumours and vessels; perpendicular axes.
    margin_mm
        Tissue between every tumour and the cut, 0.5..50.
    condition, patient
        For the thresholds and the standardised volumes, see `assess`.
    count
        How many at most, 1 or more.
    seed
        The same seed gives the same plans.
    progress
        Called with the fraction done and a few words.

    Raises
    ------
    NothingToDoError
        If there is no liver.
    UsageError
        If the margin or the count does not fit, or the condition is unknown.
    """
    if count < 1 or not 0.5 <= margin_mm <= 50:
        msg = f"`count` must be 1 or more and `margin_mm` 0.5..50, got {count} and {margin_mm}"
        raise UsageError(msg)
    thresholds_of(condition)
    tell = progress or silent
    tell(0.0, "outlining liver and tumours")
    prepared = prepare(label_map)

    question = Question(margin_mm=margin_mm, condition=condition, patient=patient)

    def judge(name: str, resection: Resection) -> tuple[Assessment, Cut]:
        tell(0.6, f"judging {name}")
        return judged(prepared, resection, question)

    tell(0.2, "following vessels")
    families = Families(
        prepared=prepared,
        scorer=Scorer.of(prepared, Samples.of(prepared)),
        margin_mm=margin_mm + _EXTRA_MM[margin_mm >= _NARROW_MM],
        seed=seed,
    )
    tell(0.3, "searching cuts")
    ordered = _ordered(families, count, thresholds_of(condition)[0].minimum_percent)
    best = judged_best(prepared, ordered, judge, must_go(prepared, margin_mm), count)
    tell(1.0, f"{len(best)} proposals")
    return _plans(prepared, best)


def _ordered(families: Families, count: int, minimum_percent: float) -> list[Scored]:
    """Candidates in the order in which they are wanted."""
    pool = list(familiar(families))
    front = pool
    if families.prepared.tumours:
        pool += families.every()
        front = front_of(pool, minimum_percent)
    ordered = in_order(front, families.scorer, count, minimum_percent)
    if len(ordered) < count:
        more = [*ordered, *keeping([*pool, *spare(families)], minimum_percent)]
        ordered = in_order(more, families.scorer, len(more), minimum_percent)
    return ordered


def _plans(prepared: PreparedLiver, judged: Sequence[Judged]) -> tuple[Plan, ...]:
    chosen = sorted(judged, key=lambda j: -j.assessment.flr_percent)
    return tuple(
        Plan(
            name=name,
            resection=one.candidate.resection,
            assessment=one.assessment,
            labels_fingerprint=prepared.fingerprint,
            why=why_of(one, chosen),
        )
        for name, one in zip(_names(chosen), chosen, strict=True)
    )


def _names(judged: Sequence[Judged]) -> list[str]:
    """Names with a number behind each but the first of its kind."""
    kinds = [one.candidate.name for one in judged]
    before = [kinds[:n].count(kind) for n, kind in enumerate(kinds)]
    return [f"{kind}-{n + 1}" if n else kind for kind, n in zip(kinds, before, strict=True)]
