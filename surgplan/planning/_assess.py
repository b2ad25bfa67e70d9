"""Judge a resection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surgplan.errors import UsageError
from surgplan.planning._assessment import Assessment, StandardisedRemnant, Verdict
from surgplan.planning._blocks import OUTSIDE, TUMOUR
from surgplan.planning._cut import Cut, cut_liver
from surgplan.planning._flags import flags_of, flags_on_function
from surgplan.planning._functional import function_of
from surgplan.planning._looks import Looks
from surgplan.planning._margins import Sheet, structure_distances, tumour_margins
from surgplan.planning._patient import Patient, standard_livers
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._resection import Resection
from surgplan.planning._thresholds import Condition, thresholds_of
from surgplan.planning._vessels_cut import vessels_met_by
from surgplan.volume import LabelMap


def assess(
    label_map: LabelMap,
    resection: Resection,
    *,
    margin_mm: float,
    condition: Condition = "normal",
    patient: Patient | None = None,
) -> Assessment:
    """What a resection leaves, takes, spares and crosses.

    Parameters
    ----------
    label_map
        Liver with tumours and vessels, any grid with perpendicular axes.
    resection
        What is cut.
    margin_mm
        Tissue wanted between tumour and cut; 0 or more.
    condition
        Of the liver; chooses the thresholds.
    patient
        For liver volumes expected from body size.

    Raises
    ------
    NothingToDoError
        If there is no liver.
    UsageError
        If the margin is negative or the condition unknown.

    Notes
    -----
    Resected and remnant sum to the whole exactly, since both come from one share per voxel. A
    margin is met within about 0.3 mm at 0.8 x 0.8 x 1 mm, the volume of a flat cut within 0.1 %.
    """
    return assess_prepared(
        prepare(label_map), resection, margin_mm=margin_mm, condition=condition, patient=patient
    )


def assess_prepared(
    prepared: PreparedLiver,
    resection: Resection,
    *,
    margin_mm: float,
    condition: Condition = "normal",
    patient: Patient | None = None,
) -> Assessment:
    """As `assess`, for a liver made ready before: the quick way to judge many resections."""
    question = Question(margin_mm=margin_mm, condition=condition, patient=patient)
    return judged(prepared, resection, question)[0]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a resection besides its numbers; see `assess`."""

    margin_mm: float
    condition: Condition
    patient: Patient | None


def judged(
    prepared: PreparedLiver, resection: Resection, question: Question
) -> tuple[Assessment, Cut]:
    """As `assess_prepared`, with the cut that it looked at."""
    margin_mm, condition, patient = question.margin_mm, question.condition, question.patient
    if not margin_mm >= 0:
        msg = f"`margin_mm` must be 0 or more, got {margin_mm}"
        raise UsageError(msg)
    thresholds_of(condition)  # refuses an unknown one before the work
    looks = Looks.of(prepared, resection)
    cut = cut_liver(prepared.blocks, resection, look=looks.blocks)
    sheet = Sheet.of(cut.patches)
    resected, remnant = (side[:OUTSIDE] / 1000 for side in (cut.resected_mm3, cut.remnant_mm3))
    tumour_ml = float(resected[TUMOUR] + remnant[TUMOUR])
    total_ml = float(resected.sum() + remnant.sum())
    flr_ml = float(remnant.sum() - remnant[TUMOUR])
    flr_percent = 100 * flr_ml / max(total_ml - tumour_ml, 1e-9)
    standardised = _standardised(flr_ml, patient)
    per_weight = None if patient is None else flr_ml / 1000 / patient.weight_kg * 100
    verdicts = verdicts_on(flr_ml, total_ml - tumour_ml, condition, patient)
    tumours = tumour_margins(prepared.tumours, looks.tumours, sheet)
    structures = structure_distances(prepared.structures, looks.structures, cut.patches, sheet)
    function = function_of(prepared, cut, looks)
    assessment = Assessment(
        margin_mm=float(margin_mm),
        condition=condition,
        patient=patient,
        total_ml=total_ml,
        tumour_ml=tumour_ml,
        functional_ml=total_ml - tumour_ml,
        resected_ml=float(resected.sum()),
        remnant_ml=float(remnant.sum()),
        remnant_tumour_ml=float(remnant[TUMOUR]),
        flr_percent=flr_percent,
        standardised=standardised,
        flr_per_weight_percent=per_weight,
        cut_area_mm2=0.0 if sheet is None else float(np.sum(sheet.patches.area_mm2)),
        tumours=tumours,
        structures=structures,
        vessels_cut=vessels_met_by(prepared, resection, looks),
        function=function,
        not_assessed=prepared.perfusions.missing,
        verdicts=verdicts,
        flags=(
            *flags_of(prepared, resection, tumours, structures, verdicts, margin_mm),
            *flags_on_function(function, verdicts, flr_percent),
        ),
    )
    return assessment, cut


def verdicts_on(
    flr_ml: float, functional_ml: float, condition: Condition, patient: Patient | None
) -> tuple[Verdict, ...]:
    """A remnant against the thresholds of a condition."""
    flr_percent = 100 * flr_ml / max(functional_ml, 1e-9)
    per_weight = None if patient is None else flr_ml / 1000 / patient.weight_kg * 100
    return tuple(_verdicts(condition, flr_percent, _standardised(flr_ml, patient), per_weight))


def _standardised(flr_ml: float, patient: Patient | None) -> tuple[StandardisedRemnant, ...]:
    if patient is None:
        return ()
    return tuple(
        StandardisedRemnant(
            name=liver.name,
            formula=liver.formula,
            standard_ml=liver.volume_ml,
            flr_percent=100 * flr_ml / liver.volume_ml,
            source=liver.source,
        )
        for liver in standard_livers(patient)
        if liver.volume_ml > 0  # the formulae of adults turn negative for small children
    )


def _verdicts(
    condition: Condition,
    flr_percent: float,
    standardised: tuple[StandardisedRemnant, ...],
    per_weight_percent: float | None,
) -> Iterator[Verdict]:
    for threshold in thresholds_of(condition):
        values: list[tuple[str, float | None]] = [("of body weight", per_weight_percent)]
        if threshold.denominator == "measured":
            values = [("of the measured functional liver", flr_percent)]
        if threshold.denominator == "standardised":
            values = [(f"of the standard liver ({s.name})", s.flr_percent) for s in standardised]
        for name, value in values:
            if value is not None:
                yield Verdict(
                    name=name,
                    denominator=threshold.denominator,
                    value_percent=value,
                    minimum_percent=threshold.minimum_percent,
                    source=threshold.source,
                )
