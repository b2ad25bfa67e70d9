"""`surgplan evaluate`: how close segmentations come to their references."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgplan.cli._evaluate_many import cohort_table, evaluate_folders
from surgplan.cli._options import LabelNamesOption
from surgplan.cli._outcome import Outcome
from surgplan.cli._terminal import terminal
from surgplan.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from surgplan.evaluation import Evaluation
    from surgplan.volume import LabelMap


def evaluate(
    prediction: Annotated[
        Path, typer.Argument(metavar="PRED", help="Label map to judge, or a folder of them.")
    ],
    reference: Annotated[
        Path,
        typer.Argument(metavar="REF", help="Label map to believe, or a folder of the same names."),
    ],
    label_names: LabelNamesOption = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="PLAN",
            help="Also the error of the remnant that this plan would leave.",
        ),
    ] = None,
    subgroups: Annotated[
        Path | None,
        typer.Option(
            "--subgroups",
            metavar="CSV",
            help="With folders: column case, and phase, vendor, sex, age, slice_thickness_mm ...",
        ),
    ] = None,
) -> Outcome:
    """Dice, surface Dice, surface distances, clDice, volumes and lesions found, per structure.

    The grids must coincide. `--label-names` speaks of the numbers in the references. With folders
    also means with 95 % intervals (bootstrap over cases) and the group that fares worst.
    """
    if prediction.is_dir() and reference.is_dir():
        if plan is not None:
            msg = "--plan belongs to one case; give label maps instead of folders"
            raise UsageError(msg)
        cohort = evaluate_folders(prediction, reference, label_names, subgroups)
        data = {"prediction": prediction, "reference": reference, **cohort.to_dict()}
        return Outcome(kind="evaluate", data=data, text=cohort_table(cohort))
    if subgroups is not None:
        msg = "--subgroups compares many cases; give two folders"
        raise UsageError(msg)
    return _one(prediction, reference, label_names, plan)


def _one(prediction: Path, reference: Path, label_names: Path | None, plan: Path | None) -> Outcome:
    from surgplan.evaluation import evaluate as compare
    from surgplan.io import read_label_map

    judged = read_label_map(prediction)
    believed = read_label_map(reference, label_names=label_names)
    with terminal().progress("comparing"):
        result = compare(judged, believed)
        remnant = _remnant(plan, judged, believed) if plan else None
    data: dict[str, Any] = {"prediction": prediction, "reference": reference, **result.to_dict()}
    data["remnant"] = remnant
    return Outcome(kind="evaluate", data=data, text=_text(result, remnant))


def _remnant(path: Path, judged: LabelMap, believed: LabelMap) -> dict[str, Any]:
    """The future liver remnant of one resection on both label maps, percent of the liver."""
    from surgplan.errors import CorruptFileError
    from surgplan.io import read_json
    from surgplan.planning import assess, resection_from_dict

    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("resection"), dict):
        msg = f"{path.name} is no plan: it has no resection; choose a plan file"
        raise CorruptFileError(msg)
    found, wanted = (
        assess(m, resection_from_dict(record["resection"], m), margin_mm=0).flr_percent
        for m in (judged, believed)
    )
    return {
        "plan": path,
        "predicted_flr_percent": found,
        "reference_flr_percent": wanted,
        "flr_error_points": found - wanted,
    }


def _text(result: Evaluation, remnant: dict[str, Any] | None) -> RenderableType:
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("structure")
    for name in ("Dice", "NSD", "HD95 mm", "ASSD mm", "clDice", "ml", "reference ml", "error %"):
        table.add_column(name, justify="right")
    for s in result.scores:
        table.add_row(
            s.name,
            _number(s.dice, 3),
            _number(s.nsd, 3),
            _number(s.hd95_mm, 1),
            _number(s.assd_mm, 1),
            _number(s.cl_dice, 3),
            _number(s.predicted_ml, 1),
            _number(s.reference_ml, 1),
            _number(s.volume_error_percent, 1),
        )
    lines = []
    if result.lesions is not None:
        told = result.lesions
        many = f"{sum(told.found)} of {len(told.found)} tumours found"
        lines.append(f"{many}, {len(told.false_positive_ml)} false")
    if remnant is not None:
        lines.append(
            f"future liver remnant {remnant['predicted_flr_percent']:.1f} %, on the reference "
            f"{remnant['reference_flr_percent']:.1f} %"
        )
    return Group(table, *lines)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
