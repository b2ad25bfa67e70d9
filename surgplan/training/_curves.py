"""How a run goes: loss and Dice as a table and as a picture, kept up to date beside it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.io import atomic_file

TABLE = "history.csv"
PICTURE = "curves.png"
_SMOOTHED = 0.8  # weight of what was before, in the bold lines


def write_curves(history: Sequence[Mapping[str, Any]], run: Path) -> None:
    """Write ``history.csv`` and ``curves.png`` into the folder of a run.

    Parameters
    ----------
    history
        One row per log line, see `RunState`: ``step``, ``loss``, and Dice by structure.
    run
        The folder.
    """
    if not history:
        return
    names = list(dict.fromkeys(name for row in history for name in row))
    with (
        atomic_file(run / TABLE) as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.DictWriter(file, names)
        table.writeheader()
        table.writerows(history)
    figure = Figure(figsize=(11, 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    loss, dice = figure.subplots(1, 2)
    _curve(loss, history, "loss", colour="#14507d")
    loss.set(xlabel="step", ylabel="loss", title="Loss")
    structures = [n for n in names if n not in ("step", "loss")]
    last = {n: next(row[n] for row in reversed(history) if n in row) for n in structures}
    colours = [f"C{n % 10}" for n in range(len(structures))]
    ranked = sorted(structures, key=lambda n: -last[n])
    for name, colour in zip(ranked, colours, strict=True):
        style = "-" if ranked.index(name) < len(ranked) / 2 else "--"
        _curve(dice, history, name, colour=colour, style=style)
    dice.set(xlabel="step", ylabel="soft Dice", title="Dice on training samples", ylim=(0, 1))
    if structures:
        dice.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    for axes in (loss, dice):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.supxlabel(NOT_A_MEDICAL_DEVICE, fontsize=8, color="#4d5b6a")
    with atomic_file(run / PICTURE) as path:
        figure.savefig(path)


def _curve(
    axes: Axes, history: Sequence[Mapping[str, Any]], name: str, *, colour: str, style: str = "-"
) -> None:
    """Every value faintly, and a running mean on top."""
    steps = [row["step"] for row in history if name in row]
    values = [float(row[name]) for row in history if name in row]
    smooth: list[float] = []
    for value in values:
        smooth.append(value if not smooth else _SMOOTHED * smooth[-1] + (1 - _SMOOTHED) * value)
    axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
    axes.plot(steps, smooth, style, color=colour, linewidth=1.8, label=f"{name} {smooth[-1]:.2f}")
