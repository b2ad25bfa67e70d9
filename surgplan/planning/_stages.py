"""A two-stage operation, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgplan.planning._assess import verdicts_on
from surgplan.planning._assessment import Verdict
from surgplan.planning._blocks import OUTSIDE, TUMOUR
from surgplan.planning._cut import cut_liver
from surgplan.planning._in_words import in_words
from surgplan.planning._kinds import TwoStageResection, UnionResection
from surgplan.planning._patient import Patient
from surgplan.planning._pieces import Values
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection, takes
from surgplan.planning._thresholds import Condition


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One operation of two.

    Attributes
    ----------
    number
        1 or 2.
    takes
        What is cut, in words.
    tumours
        Ids of those that it takes whole and that were there before it.
    resected_ml
        What it takes, tumour included, as measured on the scan.
    ligated_ml
        What it leaves in place but without portal supply.
    left_ml
        Functional liver in place after it.
    flr_ml, flr_percent
        The liver that stays after both operations, as it is before this one, without tumour; and
        of the functional liver measured on the scan. Before the second it has grown.
    growth, source
        By how much it has grown by then, and who says so; 1 and empty before the first.
    verdicts
        `flr_ml` against the thresholds of the condition.
    """

    number: int
    takes: str
    tumours: tuple[int, ...]
    resected_ml: float
    ligated_ml: float
    left_ml: float
    flr_ml: float
    flr_percent: float
    growth: float
    source: str
    verdicts: tuple[Verdict, ...]

    @property
    def keeps_enough_liver(self) -> bool:
        """Whether the remnant reaches every threshold."""
        return all(verdict.passed for verdict in self.verdicts)


def stages_of(
    prepared: PreparedLiver,
    resection: TwoStageResection,
    *,
    condition: Condition = "normal",
    patient: Patient | None = None,
) -> tuple[Stage, Stage]:
    """Volumes and verdicts before and after each of two operations.

    Parameters
    ----------
    prepared
        See `prepare`.
    resection
        Both operations.
    condition, patient
        For the thresholds, see `assess`.

    Notes
    -----
    Percentages keep the liver of the scan as their whole: a remnant that has grown is held against
    the liver that the patient had. Resected volumes of both stages and the remnant sum to the
    whole liver.
    """
    blocks, growth = prepared.blocks, resection.growth
    whole = blocks.counts.sum(axis=0) * blocks.geometry.voxel_volume_mm3
    total, functional_ml = _ml(whole)
    first = _ml(cut_liver(blocks, resection.first).remnant_mm3)
    last = _ml(cut_liver(blocks, resection).remnant_mm3)
    supplied = first
    if resection.ligated is not None:
        both = UnionResection(parts=(resection.first, resection.ligated))
        supplied = _ml(cut_liver(blocks, both).remnant_mm3)

    gone = [_whole(prepared, r) for r in (resection.first, resection)]

    def stage(number: int, before: float, after: tuple[float, float], factor: float) -> Stage:
        flr_ml = last[1] * factor
        return Stage(
            number=number,
            takes=in_words(resection.parts[number - 1]),
            tumours=tuple(sorted(gone[0] if number == 1 else gone[1] - gone[0])),
            resected_ml=before - after[0],
            ligated_ml=first[0] - supplied[0] if number == 1 else 0.0,
            left_ml=after[1] if number == 1 else flr_ml,
            flr_ml=flr_ml,
            flr_percent=100 * flr_ml / max(functional_ml, 1e-9),
            growth=factor,
            source=growth.source if number > 1 else "",
            verdicts=verdicts_on(flr_ml, functional_ml, condition, patient),
        )

    return stage(1, total, first, 1.0), stage(2, first[0], last, growth.factor)


def _whole(prepared: PreparedLiver, resection: Resection) -> set[int]:
    """Ids of the tumours that a resection takes whole."""
    return {
        shape.tumour.id
        for shape in prepared.tumours
        if takes(resection, shape.boundary.points_mm).all()
    }


def _ml(tissues_mm3: Values) -> tuple[float, float]:
    """Millilitres of liver, and of liver without tumour."""
    inside = tissues_mm3[:OUTSIDE] / 1000
    return float(np.sum(inside)), float(np.sum(inside) - inside[TUMOUR])
