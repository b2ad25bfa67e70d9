"""Propose resections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.planning._assess import assess_prepared
from surgplan.planning._assessment import Assessment
from surgplan.planning._geometric import geometric_cuts
from surgplan.planning._kinds import UnionResection
from surgplan.planning._patient import Patient
from surgplan.planning._plan import Plan
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._resection import Resection, takes
from surgplan.planning._samples import Samples
from surgplan.planning._search import PlaneSearch, splits
from surgplan.planning._thresholds import Condition, thresholds_of
from surgplan.planning._verify import clears, must_go
from surgplan.planning._wedge import WedgeResection
from surgplan.planning._why import why_of
from surgplan.volume import LabelMap

Progress = Callable[[float, str], None]

_EXTRA_MM = 0.1  # cuts are laid this much wider, so that the margin holds as computed
_ALIKE = 0.9
_PLANES = 3
_SPARE_PLANES = 40
_MIXED = 4


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A resection with the name of its idea, a reason of its own, and roughly what it does.

    A spare one is looked at only while there are too few.
    """

    name: str
    resection: Resection
    why: str = ""
    spare: bool = False
    flr_percent: float = 0.0
    area_mm2: float = 0.0


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

    Wedges around the tumours; the plane that keeps the most liver; a plane that spares the vessels
    outside the liver; a plane with wedges where there are several tumours; then further planes.
    Every proposal is checked with a distance transform of its own before it is returned. Without
    tumours, three geometric planes.

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
    tell = progress or _silent
    tell(0.0, "outlining liver and tumours")
    prepared = prepare(label_map)
    samples = Samples.of(prepared)
    tell(0.3, "searching cuts")
    minimum = thresholds_of(condition)[0].minimum_percent
    ideas = _ideas(prepared, samples, margin_mm + _EXTRA_MM, seed)
    candidates = _distinct(prepared, samples, margin_mm, ideas, count)
    wanted = _numbered(
        sorted(candidates, key=lambda c: _last(c, candidates, minimum))[:count]  # stable
    )
    judged = []
    for number, candidate in enumerate(wanted):
        tell(0.4 + 0.6 * number / len(wanted), f"judging {candidate.name}")
        assessment = assess_prepared(
            prepared, candidate.resection, margin_mm=margin_mm, condition=condition, patient=patient
        )
        judged.append((candidate, assessment))
    tell(1.0, f"{len(judged)} proposals")
    return _plans(prepared, judged)


def _distinct(
    prepared: PreparedLiver,
    samples: Samples,
    margin_mm: float,
    ideas: Iterator[Candidate],
    count: int,
) -> list[Candidate]:
    """Candidates that clear every tumour and differ from each other, in the order wanted."""
    points = must_go(prepared, margin_mm)
    tumour_ml = sum(shape.tumour.volume_ml for shape in prepared.tumours)
    total_ml = len(samples.coarse) * samples.coarse_mm3 / 1000
    kept: list[Candidate] = []
    taken: list[npt.NDArray[np.bool_]] = []
    for idea in ideas:
        if idea.spare and len(kept) >= count:
            break
        resected = takes(idea.resection, samples.coarse)
        if any(_alike(resected, other) for other in taken):
            continue
        if clears(idea.resection, points):
            remnant_ml = total_ml * (1 - float(resected.mean()))
            flr_percent = 100 * remnant_ml / max(total_ml - tumour_ml, 1e-9)
            area_mm2 = samples.area_mm2(resected)
            kept.append(replace(idea, flr_percent=flr_percent, area_mm2=area_mm2))
            taken.append(resected)
    return kept


def _last(
    candidate: Candidate, among: Sequence[Candidate], minimum_percent: float
) -> tuple[bool, bool]:
    """What comes after the others: what leaves too little, then what another one beats."""
    beaten = any(
        other.flr_percent > candidate.flr_percent and other.area_mm2 < candidate.area_mm2
        for other in among
    )
    return candidate.flr_percent < minimum_percent, beaten


def _ideas(
    prepared: PreparedLiver, samples: Samples, laid_mm: float, seed: int
) -> Iterator[Candidate]:
    """Resections in the order in which they are wanted."""
    ids = [shape.tumour.id for shape in prepared.tumours]
    if not ids:
        for cut in geometric_cuts(prepared, samples):
            yield Candidate(name=cut.name, resection=cut.plane, why=cut.why, spare=cut.spare)
        return
    wedge = WedgeResection.on(prepared, ids, laid_mm)
    yield Candidate(name="wedges" if len(ids) > 1 else "wedge", resection=wedge)
    search = PlaneSearch(samples=samples, tumours=tuple(range(len(ids))), margin_mm=laid_mm)
    sparing = replace(search, sparing=True)
    mixed = _planes_and_wedges(sparing, wedge, seed)
    yield from mixed[:1]
    if len(samples.guards):
        plane = next(sparing.best(1, seed))
        yield Candidate(name="plane-sparing-hilum-and-cava", resection=plane)
    yield from mixed[1:]
    for number, plane in enumerate(search.best(_SPARE_PLANES, seed)):
        yield Candidate(name="plane", resection=plane, spare=number >= _PLANES)


def _planes_and_wedges(search: PlaneSearch, wedge: WedgeResection, seed: int) -> list[Candidate]:
    """A plane for some of several tumours and wedges for the others, best first."""
    if len(search.tumours) < 2:
        return []
    samples = search.samples
    each = [takes(wedge.only([c.tumour]), samples.coarse) for c in wedge.corridors]
    found = []
    for split in splits(search, np.stack(each, axis=1), seed)[:_MIXED]:
        others = [c.tumour for n, c in enumerate(wedge.corridors) if n not in split.tumours]
        rest = wedge.only(others)
        around = replace(search, samples=samples.outside(rest), tumours=split.tumours)
        plane = around.plane(around.refined(split.direction))
        union = UnionResection(parts=(plane, rest))
        found.append(Candidate(name="plane-and-wedges", resection=union))
    return found


def _plans(prepared: PreparedLiver, chosen: list[tuple[Candidate, Assessment]]) -> tuple[Plan, ...]:
    chosen = sorted(chosen, key=lambda pair: -pair[1].flr_percent)
    judged = [assessment for _, assessment in chosen]
    return tuple(
        Plan(
            name=candidate.name,
            resection=candidate.resection,
            assessment=assessment,
            labels_fingerprint=prepared.fingerprint,
            why=why_of(candidate.resection, candidate.why, assessment, judged),
        )
        for candidate, assessment in chosen
    )


def _numbered(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with a number behind each name but the first of its kind."""
    numbered: list[Candidate] = []
    for candidate in candidates:
        before = [c.name for c in candidates[: len(numbered)]].count(candidate.name)
        name = f"{candidate.name}-{before + 1}" if before else candidate.name
        numbered.append(replace(candidate, name=name))
    return numbered


def _alike(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> bool:
    """Whether two cuts take nearly the same and leave nearly the same."""
    return _dice(a, b) > _ALIKE and _dice(~a, ~b) > _ALIKE


def _dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return 2 * float((a & b).sum()) / max(float(a.sum() + b.sum()), 1.0)


def _silent(fraction: float, text: str) -> None:
    """Tell nobody."""
