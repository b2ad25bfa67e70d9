"""A sheet of slices of synthetic scans, for a quick look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import CorruptFileError
from surgplan.io import atomic_file, read_json, read_label_map, read_volume
from surgplan.volume import LabelMap, Volume

_ACROSS = 4
_CT_SHOWN = (-120.0, 240.0)


def write_preview(folders: Sequence[Path], path: Path) -> None:
    """Axial and coronal slices through the largest lesion, or the liver, of each scan folder."""
    rows = -(-len(folders) // _ACROSS)
    figure = Figure(figsize=(4.8 * _ACROSS, 2.9 * rows + 0.5), facecolor="black")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, 2 * _ACROSS, squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    for number, folder in enumerate(folders):
        row, column = divmod(number, _ACROSS)
        _show(folder, panels[row, 2 * column : 2 * column + 2])
    figure.suptitle(f"SYNTHETIC. {NOT_A_MEDICAL_DEVICE}", color="white", fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=70, facecolor="black", format="png")


def _show(folder: Path, panels: Any) -> None:
    facts = read_facts(folder / "facts.json")
    image = read_volume(folder / facts["image"], modality=facts["modality"])
    labels = read_label_map(folder / facts["labels"])
    lesions = read_facts(folder / "lesions.json")["lesions"]
    at = _place(labels, lesions)
    low, high = _CT_SHOWN if image.modality == "CT" else (0.0, _white(image))
    dz, dy, dx = image.geometry.spacing_mm
    panels[0].imshow(image.array[at[0]], cmap="gray", vmin=low, vmax=high, aspect=dy / dx)
    panels[1].imshow(image.array[::-1, at[1]], cmap="gray", vmin=low, vmax=high, aspect=dz / dx)
    outline = np.isin(labels.array[at[0]], (2, 16))
    if outline.any():
        panels[0].contour(outline, levels=[0.5], colors="#ffb000", linewidths=0.8)
    named = [f"{x['kind']} {x['diameter_mm']:.0f} mm" for x in lesions[:2]] or ["no lesion"]
    panels[0].set_title("\n".join([folder.name, *named]), fontsize=8, color="white")
    person = facts["person"]
    panels[1].set_title(
        f"{facts['modality']} {facts['look']}, {facts['method']}\n"
        f"{person['sex']}, {person['condition']}, liver {facts['liver_ml']:.0f} ml",
        fontsize=8,
        color="white",
    )


def read_facts(path: Path) -> dict[str, Any]:
    """One JSON object.

    Raises
    ------
    CorruptFileError
        If the file holds something else.
    """
    facts = read_json(path)
    if not isinstance(facts, dict):
        msg = f"{path} is not what surgplan wrote there; remove its folder and run again"
        raise CorruptFileError(msg)
    return facts


def _place(labels: LabelMap, lesions: list[dict[str, Any]]) -> tuple[int, int]:
    if lesions:
        centre = labels.geometry.to_index(lesions[0]["centre_mm"])
    else:
        centre = np.argwhere(labels.whole_liver()).mean(axis=0)
    z, y, _ = np.clip(np.rint(centre).astype(int), 0, np.array(labels.array.shape) - 1)
    return int(z), int(y)


def _white(image: Volume) -> float:
    return float(np.percentile(image.array, 99.5))
