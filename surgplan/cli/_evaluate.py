"""`surgplan evaluate`: how close a segmentation comes to a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgplan.cli._options import LabelNamesOption, need_extra
from surgplan.cli._outcome import Outcome
from surgplan.cli._terminal import terminal

if TYPE_CHECKING:
    from rich.table import Table

    from surgplan.segmentation import Evaluation


def evaluate(
    prediction: Annotated[Path, typer.Argument(metavar="PRED", help="Label map to judge.")],
    reference: Annotated[Path, typer.Argument(metavar="REF", help="Label map to believe.")],
    label_names: LabelNamesOption = None,
) -> Outcome:
    """Dice, surface Dice, 95 % Hausdorff distance, volume error and clDice, per structure.

    The grids must coincide. `--label-names` speaks of the numbers in the reference.
    """
    from surgplan.io import read_label_map

    need_extra("torch", "evaluation", "ai")
    judged = read_label_map(prediction)
    believed = read_label_map(reference, label_names=label_names)
    from surgplan.segmentation import evaluate as compare

    with terminal().progress("comparing"):
        result = compare(judged, believed)
    data = {"prediction": prediction, "reference": reference, **result.to_dict()}
    return Outcome(kind="evaluate", data=data, text=_table(result))


def _table(result: Evaluation) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("structure")
    for name in ("Dice", "NSD", "HD95 mm", "clDice", "ml", "reference ml", "error %"):
        table.add_column(name, justify="right")
    for s in result.scores:
        table.add_row(
            s.name,
            _number(s.dice, 3),
            _number(s.nsd, 3),
            _number(s.hd95_mm, 1),
            _number(s.cl_dice, 3),
            _number(s.predicted_ml, 1),
            _number(s.reference_ml, 1),
            _number(s.volume_error_percent, 1),
        )
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
