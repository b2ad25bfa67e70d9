"""The feasible cut nearest to one that is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning._assess import Question, judged
from surgplan.planning._assessment import Assessment
from surgplan.planning._flags import flags_on_function
from surgplan.planning._kinds import TwoStageResection, UnionResection
from surgplan.planning._objectives import Scorer
from surgplan.planning._patient import Patient
from surgplan.planning._percent import percent_in_words
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._progress import Progress, silent
from surgplan.planning._resection import Resection
from surgplan.planning._samples import Samples
from surgplan.planning._territory_resection import TerritoryResection
from surgplan.planning._thresholds import Condition, thresholds_of
from surgplan.planning._tree_nodes import Mask
from surgplan.planning._variants import Variant, variants
from surgplan.planning._wedge import WedgeResection
from surgplan.planning._why import listed

_LAID_MM = (0.2, 0.5)
"""Wedges are laid so much wider, so that the margin holds as computed where they meet the cut."""
_ROUGH_PERCENT = 3.0
_WEDGE_ML = 50.0
"""A wedge added is as far away as so much liver that changes sides."""


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """A feasible cut, its assessment, and a sentence on how it came about."""

    resection: Resection
    assessment: Assessment
    why: str


@dataclass(frozen=True, kw_only=True)
class _Try:
    """A variant, judged.

    `wedges` are the tumours that wedges were added for, `changed_ml` is the liver that changes
    sides.
    """

    variant: Variant
    resection: Resection
    assessment: Assessment
    wedges: tuple[int, ...]
    changed_ml: float

    @property
    def cost_ml(self) -> float:
        return self.changed_ml + _WEDGE_ML * len(self.wedges)

    @property
    def feasible(self) -> bool:
        said = self.assessment
        return said.clears_tumours and said.keeps_enough_liver

    @property
    def works(self) -> bool:
        """Whether it is feasible and enough of the remnant keeps its vessels."""
        said = self.assessment
        lost = any(flags_on_function(said.function, said.verdicts, said.flr_percent))
        return self.feasible and not lost


@dataclass(frozen=True, kw_only=True, eq=False)
class _Trials:
    """What it takes to try variants of a cut that was begun."""

    prepared: PreparedLiver
    scorer: Scorer
    begun: Resection
    question: Question

    @cached_property
    def taken(self) -> Mask:
        return self.scorer.taken(self.begun)

    def changed_ml(self, resection: Resection) -> float:
        changed = self.scorer.taken(resection) != self.taken
        return float(changed.sum()) * self.scorer.samples.coarse_mm3 / 1000

    @cached_property
    def every_wedge(self) -> WedgeResection:
        ids = [shape.tumour.id for shape in self.prepared.tumours]
        return WedgeResection.on(self.prepared, ids, self.question.margin_mm + _LAID_MM[0])

    def may_work(self, variant: Variant) -> bool:
        """Whether, roughly, enough keeps its vessels once every tumour is taken as well."""
        both = UnionResection(parts=(variant.resection, self.every_wedge))
        rough = self.scorer.score(both, self.question.margin_mm).flr_percent
        return rough + _ROUGH_PERCENT >= thresholds_of(self.question.condition)[0].minimum_percent

    def of(self, variant: Variant) -> Iterator[_Try]:
        """The variant alone and, where it leaves tumours and liver enough, with wedges for them."""
        margin_mm = self.question.margin_mm
        alone = self._try(variant, variant.resection, ())
        yield alone
        said = alone.assessment
        missed = tuple(
            t.tumour for t in said.tumours if not (t.resected and t.margin_mm >= margin_mm)
        )
        if missed and said.keeps_enough_liver and said.cut_area_mm2 > 0:
            for laid_mm in _LAID_MM:
                wedges = WedgeResection.on(self.prepared, missed, margin_mm + laid_mm)
                both = UnionResection(parts=(variant.resection, wedges))
                helped = self._try(variant, both, missed)
                yield helped
                if helped.assessment.clears_tumours:
                    break

    def _try(self, variant: Variant, cut: Resection, wedges: tuple[int, ...]) -> _Try:
        return _Try(
            variant=variant,
            resection=cut,
            assessment=judged(self.prepared, cut, self.question)[0],
            wedges=wedges,
            changed_ml=self.changed_ml(cut),
        )


def nearest_feasible(
    prepared: PreparedLiver,
    resection: Resection,
    *,
    margin_mm: float,
    condition: Condition = "normal",
    patient: Patient | None = None,
    progress: Progress | None = None,
) -> Nearest:
    """The cut of the same kind that clears every tumour, keeps enough liver and differs least.

    Planes, curved and drawn cuts are moved the way they face, or their other side is resected;
    territories take other branches, wedges are laid anew; where that leaves a tumour, a wedge
    around it is added. Of those whose remnant keeps enough liver with its vessels, or else enough
    by volume, the one by which least liver changes sides, a wedge counted as 50 ml.

    Parameters
    ----------
    prepared
        The liver.
    resection
        Any kind but one in two stages. Wedges in a union are laid anew.
    margin_mm, condition, patient
        As in `assess`; the margin 0.5..50.
    progress
        Called with the fraction done and a few words.

    Raises
    ------
    NothingToDoError
        If there is no such cut; the message says which limit it misses.
    UsageError
        If the cut has two stages, or the margin does not fit.
    """
    thresholds_of(condition)
    if isinstance(resection, TwoStageResection) or not 0.5 <= margin_mm <= 50:
        msg = (
            "a nearest feasible cut needs one operation and a margin of 0.5..50 mm, got "
            f"{resection.kind} and {margin_mm} mm; make each stage feasible before they are joined"
        )
        raise UsageError(msg)
    tell = progress or silent
    tell(0.0, "looking at the cut")
    samples = Samples.of(prepared)
    trials = _Trials(
        prepared=prepared,
        scorer=Scorer.of(prepared, samples),
        begun=resection,
        question=Question(margin_mm=margin_mm, condition=condition, patient=patient),
    )
    options = variants(prepared, samples, _main(resection), margin_mm + _LAID_MM[0])
    return _chosen(_tried(trials, list(options), tell))


def _main(resection: Resection) -> Resection:
    """A cut without its wedges; wedges alone as they are."""
    if not isinstance(resection, UnionResection):
        return resection
    parts = tuple(p for p in resection.parts if not isinstance(p, WedgeResection))
    if not parts:
        return resection.parts[0]
    return parts[0] if len(parts) == 1 else UnionResection(parts=parts)


def _tried(trials: _Trials, options: Sequence[Variant], tell: Progress) -> list[_Try]:
    """Variants, nearest first, without those that cannot be nearer than one that is as good."""
    pairs = [(trials.changed_ml(option.resection), option) for option in options]
    pairs.sort(key=lambda pair: pair[0])
    found: list[_Try] = []
    for number, (changed_ml, option) in enumerate(pairs):
        nearer = [one for one in found if one.feasible and one.cost_ml <= changed_ml]
        if nearer and (any(one.works for one in nearer) or not trials.may_work(option)):
            continue
        tell((number + 1) / (len(pairs) + 1), option.words or "as it is")
        found += trials.of(option)
    return found


def _chosen(found: Sequence[_Try]) -> Nearest:
    feasible = [one for one in found if one.works] or [one for one in found if one.feasible]
    if not feasible:
        raise NothingToDoError(_limit(found))
    best = min(feasible, key=lambda one: one.cost_ml)
    return Nearest(
        resection=best.resection, assessment=best.assessment, why=" ".join(_why(best, found))
    )


def _why(best: _Try, found: Sequence[_Try]) -> Iterator[str]:
    """What was changed, and why not less."""
    done = [best.variant.words] if best.variant.words else []
    if best.wedges:
        pieces = "a wedge" if len(best.wedges) == 1 else "wedges"
        done.append(f"{pieces} added around {_tumours(best.wedges)}")
    if done:
        changed = f"{best.changed_ml:.0f} ml of liver change sides"
        yield f"Nearest feasible: {', '.join(done)}; {changed}."
    else:
        yield "Feasible as it was begun."
    alone = [one for one in found if not one.wedges and one.assessment.clears_tumours]
    moves = not isinstance(best.variant.resection, TerritoryResection)  # not all of them are tried
    if best.wedges and moves and alone and not any(one.feasible for one in alone):
        yield f"Without wedges, {_shortfall(alone)}."
    if not best.works:
        yield "No cut like it keeps enough liver with its vessels."


def _limit(found: Sequence[_Try]) -> str:
    """Which limit none of the cuts meets, and what to do."""
    margin_mm = found[0].assessment.margin_mm
    clear = [one for one in found if one.assessment.clears_tumours]
    if clear:
        what = f"where every tumour is cleared by {margin_mm:g} mm, {_shortfall(clear)}"
    else:
        what = f"before every tumour is cleared by {margin_mm:g} mm, {_shortfall(found)}"
    return (
        f"no cut like this one is feasible, moved, turned or with wedges: {what}. Take a "
        "smaller margin, another kind of cut, or two stages"
    )


def _shortfall(tries: Sequence[_Try]) -> str:
    """How much liver stays where most does, and how much is wanted."""
    said = max((one.assessment for one in tries), key=lambda a: a.flr_percent)
    verdict = next((v for v in said.verdicts if not v.passed), said.verdicts[0])
    stay = f"at most {percent_in_words(verdict.value_percent)} {verdict.name} stay"
    return f"{stay}, at least {verdict.minimum_percent:g} % wanted"


def _tumours(numbers: Sequence[int]) -> str:
    """Tumours by number.

    >>> _tumours((2,)), _tumours((1, 3, 4))
    ('tumour 2', 'tumours 1, 3 and 4')
    """
    if len(numbers) == 1:
        return f"tumour {numbers[0]}"
    return f"tumours {listed([str(n) for n in numbers])}"
