"""Sheets of slices to look at: made beside real ones, looks changed, examples of phantoms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from _real_scans import Image, Real
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import surgplan
from surgplan.synthesis import (
    CLASSES,
    MR_WEIGHTINGS,
    PHASES,
    Generator,
    LesionWish,
    Person,
    PersonSettings,
    SampleSettings,
    VolumeSettings,
    change_look,
    find_generator,
    hu_as_mr,
    load_generator,
    mr_as_hu,
    synthesise,
)
from surgplan.synthesis._brightness import class_brightness
from surgplan.volume import (
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
)

LOOK_STRENGTH = 0.6
EXAMPLE_SEED = 3
BODY_HU = -300.0

Panel = tuple[str, Image, tuple[float, float]]


def as_mr(real: Real, look: str, generator: Generator, settings: SampleSettings) -> torch.Tensor:
    """A CT as an MR would show it, on the scale of generators."""
    person = Person(sex="male", size=1, liver_ml=1500, condition="normal", bends_mm=0)
    means = torch.from_numpy(class_brightness("MR", look, person, np.random.default_rng(2)))
    for lesion in (LIVER_TUMOUR, LIVER_CYST):  # dark in T1, bright in T2
        means[CLASSES.index(lesion.label)] *= 0.7 if look == "t1" else 1.6
    scene = replace(real.scene, ideal=mr_as_hu(means[real.index]), look="MR")
    chance = torch.Generator().manual_seed(0)
    return change_look(generator, torch.from_numpy(real.image), scene, settings, chance)


def sheet(reals: list[Real], made: dict[str, list[Image]], path: Path) -> None:
    """Real slices beside made ones; holds patients' images, so it stays out of the repository."""
    names = ["real", *made]
    figure = Figure(figsize=(4.2 * len(names), 4.2 * len(reals) + 0.6), facecolor="black")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(reals), len(names), squeeze=False)
    for row, real in enumerate(reals):
        z = int(np.argwhere(real.label_map.mask(LIVER_TUMOUR, LIVER)).mean(axis=0)[0])
        for column, name in enumerate(names):
            image = real.image if name == "real" else made[name][row]
            panel = panels[row, column]
            panel.imshow(image[z], cmap="gray", vmin=-120, vmax=240)
            panel.set_title(name, color="white", fontsize=9)
            panel.axis("off")
    figure.suptitle(surgplan.NOT_A_MEDICAL_DEVICE, color="white", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=60, facecolor="black")


def look_sheet(reals: list[Real], name: str | None, path: Path) -> None:
    """A slice of each CT, as MR, and as CT again; holds patients' images."""
    generator = load_generator(find_generator(name))
    settings = SampleSettings(steps=10, strength=LOOK_STRENGTH, noise=False)
    rows = []
    for real in reals:
        z = int(np.argwhere(real.label_map.mask(LIVER_TUMOUR, LIVER)).mean(axis=0)[0])
        row = [("CT", real.image[z], (-120, 240))]
        for look in MR_WEIGHTINGS:
            there = as_mr(real, look, generator, settings)
            chance = torch.Generator().manual_seed(1)
            back = change_look(generator, there, real.scene, settings, chance)
            row.append((f"as MR {look}", hu_as_mr(there)[z].numpy(), (0, 800)))
            row.append((f"and back from {look}", back[z].numpy(), (-120, 240)))
        rows.append(row)
    write_panels(rows, path)


def write_panels(rows: list[list[Panel]], path: Path) -> None:
    """Slices in rows, each with its title and the range of brightness that is shown."""
    high, wide = rows[0][0][1].shape
    size = (2.6 * len(rows[0]), (2.6 * high / wide + 0.35) * len(rows) + 0.4)
    figure = Figure(figsize=size, facecolor="black")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for line, row in zip(panels, rows, strict=True):
        for panel, (title, image, (low, top)) in zip(line, row, strict=True):
            panel.imshow(image, cmap="gray", vmin=low, vmax=top)
            panel.set_title(title, color="white", fontsize=9)
            panel.axis("off")
    figure.suptitle(f"Synthetic. {surgplan.NOT_A_MEDICAL_DEVICE}", color="white", fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, facecolor="black")


def examples(name: str | None, path: Path) -> None:
    """Scans of one phantom in every look, by domain randomisation and by the flow."""
    lesions = (
        LesionWish(kind="hcc", diameter_mm=42),
        LesionWish(kind="metastasis", diameter_mm=26),
        LesionWish(kind="cyst", diameter_mm=20),
    )
    rows: list[list[Panel]] = []
    for method in ("randomised", "flow"):
        row: list[Panel] = []
        for modality, look in [*(("CT", p) for p in PHASES), *(("MR", w) for w in MR_WEIGHTINGS)]:
            settings = VolumeSettings(
                modality=modality, look=look, lesions=lesions, method=method, generator=name,
                spacing_mm=3.0, person=PersonSettings(condition="normal"),
            )  # fmt: skip
            made = synthesise(settings, seed=EXAMPLE_SEED)
            z = int(made.label_map.mask(LIVER_TUMOUR).sum(axis=(1, 2)).argmax())
            shown = (-120.0, 240.0) if modality == "CT" else (0.0, 800.0)
            row.append((f"{look}, {method}", made.image.array[z].astype(np.float32), shown))
        rows.append(row)
    body = np.argwhere(rows[0][0][1] > BODY_HU)
    (top, left), (bottom, right) = body.min(axis=0), body.max(axis=0) + 1
    box = np.s_[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4]
    write_panels([[(title, image[box], seen) for title, image, seen in row] for row in rows], path)
