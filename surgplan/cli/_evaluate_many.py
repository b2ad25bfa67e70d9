"""A folder of label maps against a folder of references."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from surgplan.cli._terminal import terminal
from surgplan.errors import InputRefusedError, NothingToDoError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from surgplan.evaluation import Cohort, Evaluation

SUFFIXES = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".mha", ".dcm")
SHOWN = ("dice", "nsd", "hd95_mm", "cl_dice", "volume_error_percent")


def evaluate_folders(
    predictions: Path, references: Path, label_names: Path | None, subgroups: Path | None
) -> Cohort:
    """Every reference with the prediction of its name; cases may also be folders with labels.

    Raises
    ------
    NothingToDoError
        If there is no reference.
    InputRefusedError
        If a reference has no prediction: leaving it out would flatter.
    """
    from surgplan.evaluation import evaluate, evaluate_cohort, read_subgroups
    from surgplan.io import read_label_map

    groups = read_subgroups(subgroups) if subgroups else None
    wanted, found = _label_maps(references), _label_maps(predictions)
    if not wanted:
        msg = f"no label map in {references}; give a folder of references"
        raise NothingToDoError(msg)
    missing = sorted(set(wanted) - set(found))
    if missing:
        msg = f"{len(missing)} references have no prediction, the first {missing[0]!r}; add them"
        raise InputRefusedError(msg)
    evaluations: dict[str, Evaluation] = {}
    with terminal().progress("comparing") as progress:
        for number, (name, path) in enumerate(sorted(wanted.items()), start=1):
            believed = read_label_map(path, label_names=label_names)
            evaluations[name] = evaluate(read_label_map(found[name]), believed)
            progress(number / len(wanted), name)
        return evaluate_cohort(evaluations, groups)


def _label_maps(folder: Path) -> dict[str, Path]:
    """By name of case: files, and folders with ``labels.nii.gz`` in them."""
    named: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = next((s for s in SUFFIXES if path.name.lower().endswith(s)), None)
        if path.is_file() and suffix and not path.name.startswith("."):
            named[path.name[: -len(suffix)]] = path
        elif (path / "labels.nii.gz").is_file():
            named[path.name] = path / "labels.nii.gz"
    return named


def cohort_table(cohort: Cohort) -> RenderableType:
    """Means with their intervals, and the widest gaps between groups."""
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("structure")
    table.add_column("cases", justify="right")
    for name in ("Dice", "NSD", "HD95 mm", "clDice", "volume error %"):
        table.add_column(name, justify="right")
    for name in dict.fromkeys(f.structure for f in cohort.figures):
        figures = {f.metric: f for f in cohort.figures if f.structure == name}
        cells = []
        for metric in SHOWN:
            f = figures.get(metric)
            digits = 1 if metric in ("hd95_mm", "volume_error_percent") else 3
            cells.append(
                "-" if f is None else f"{f.mean:.{digits}f}" + _span(f.low, f.high, digits)
            )
        table.add_row(name, str(figures["dice"].cases), *cells)
    gaps = sorted(cohort.groups, key=lambda g: -g.gap)
    lines = [
        f"{g.column}: {g.structure} is worst for {g.worst} ({g.means[g.worst]:.3f}, "
        f"{g.gap:.3f} below the mean, {g.cases[g.worst]} cases)"
        for g in gaps[:12]
    ]
    return Group(table, *lines)


def _span(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f" [{low:.{digits}f}, {high:.{digits}f}]"
