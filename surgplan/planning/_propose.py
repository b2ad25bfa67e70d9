"""Propose resections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._samples import Samples
from surgplan.planning._search import PlaneSearch, split_tumours
from surgplan.planning._thresholds import Condition, thresholds_of
from surgplan.planning._verify import clears, must_go
from surgplan.planning._wedge import WedgeResection
from surgplan.planning._why import why_of
from surgplan.volume import LabelMap

Progress = Callable[[float, str], None]

_EXTRA_MM = 0.1  # cuts are laid this much wider, so that the margin holds as computed
_ALIKE = 0.9


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A resection with the name of its idea, and a reason where the idea has one of its own."""

    name: str
    resection: Resection
    why: str = ""


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
    chosen: list[tuple[Candidate, Assessment]] = []
    taken: list[npt.NDArray[np.bool_]] = []
    points = must_go(prepared, margin_mm)
    for candidate in _candidates(prepared, samples, margin_mm, count, seed):
        inside = candidate.resection.distance_mm(samples.coarse) < 0
        if any(_dice(inside, other) > _ALIKE for other in taken):
            continue
        if not clears(candidate.resection, points):
            continue
        tell(0.4 + 0.6 * len(chosen) / count, f"judging {candidate.name}")
        assessment = assess_prepared(
            prepared, candidate.resection, margin_mm=margin_mm, condition=condition, patient=patient
        )
        chosen.append((candidate, assessment))
        taken.append(inside)
        if len(chosen) == count:
            break
    tell(1.0, f"{len(chosen)} proposals")
    return _plans(prepared, chosen)


def _candidates(
    prepared: PreparedLiver, samples: Samples, margin_mm: float, count: int, seed: int
) -> Iterator[Candidate]:
    """Ideas in the order in which they are wanted, worked out one by one."""
    if not prepared.tumours:
        for cut in geometric_cuts(prepared, samples):
            yield Candidate(name=cut.name, resection=cut.plane, why=cut.why)
        return
    laid = margin_mm + _EXTRA_MM
    ids = [shape.tumour.id for shape in prepared.tumours]
    everything = tuple(range(len(ids)))
    wedge = WedgeResection.on(prepared, ids, laid)
    yield Candidate(name="wedges" if len(ids) > 1 else "wedge", resection=wedge)
    search = PlaneSearch(samples=samples, tumours=everything, margin_mm=laid)
    first = search.best(1, seed)[0]
    if len(samples.guards):
        sparing = PlaneSearch(samples=samples, tumours=everything, margin_mm=laid, sparing=True)
        yield Candidate(name="plane-sparing-hilum-and-cava", resection=sparing.best(1, seed)[0])
    if len(ids) > 1:
        yield Candidate(name="plane-and-wedges", resection=_plane_and_wedges(search, wedge, seed))
    yield Candidate(name="plane", resection=first)
    for number, plane in enumerate(search.best(count + 3, seed)[1:], start=2):
        yield Candidate(name=f"plane-{number}", resection=plane)


def _plane_and_wedges(search: PlaneSearch, wedge: WedgeResection, seed: int) -> UnionResection:
    coarse = search.samples.coarse
    each = [wedge.only([c.tumour]) for c in wedge.corridors]
    takes = np.stack([one.distance_mm(coarse) < 0 for one in each], axis=1)
    direction, tumours = split_tumours(search, takes, seed)
    plane: PlaneResection = PlaneSearch(
        samples=search.samples, tumours=tumours, margin_mm=search.margin_mm
    ).plane(direction)
    rest = [c.tumour for n, c in enumerate(wedge.corridors) if n not in tumours]
    return UnionResection(parts=(plane, wedge.only(rest)))


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


def _dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return 2 * float((a & b).sum()) / max(float(a.sum() + b.sum()), 1.0)


def _silent(fraction: float, text: str) -> None:
    """Tell nobody."""
