"""Whether the numbers in surgplan/segmentation/_organs.py are good ones, judged on phantoms alone.

    python benchmarks/bench_organs.py [--model NAME_OR_BUNDLE] [--phantoms 311-313] [--threads 2]
                                      [--json docs/organs.json]

Kidneys and spleen of phantoms never trained on, in every contrast phase, as the network sees them
and with a part of each organ called bowel beyond a plane, as networks do that have seen few of
them. Dice on the network's grid before the edges are followed, with the numbers as they are, and
with each of them two thirds and one and a half times as large.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from surgplan.io import write_json
from surgplan.phantom import PHASES, PhantomSettings, make_phantom, render_ct
from surgplan.segmentation import SegmentSettings, find_model
from surgplan.segmentation import _organs as organs
from surgplan.segmentation import _segment as segmenting
from surgplan.segmentation._segment import CANONICAL_AXES
from surgplan.volume import BOWEL, Geometry, Volume, reorient, resample_to

SPACING_MM = (3.0, 1.5, 1.5)
FACTORS = (2 / 3, 1.5)
NUMBERS = (
    "REACH_MM", "CORE_MM", "AROUND_MM", "SOFT_TISSUE_HU", "LEAST_CONTRAST_HU", "LEAST_SPREADS",
    "LEAST_SPREAD_HU", "SPREADS", "LEAST_SHARE", "SURE",
)  # fmt: skip

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What the first network says of a phantom.

    Attributes
    ----------
    group
        Phase, and whether parts were called bowel.
    scores
        ``(classes, slice, row, column)``, before edges are followed.
    image
        ``(slice, row, column)``, Hounsfield units.
    truth
        ``(slice, row, column)``, labels.
    spacing_mm
        Of the network's grid.
    """

    group: str
    scores: torch.Tensor
    image: Floats
    truth: npt.NDArray[np.uint8]
    spacing_mm: float

    def dice(self) -> list[float]:
        """Of each organ with the numbers that now stand in the module."""
        scores = self.scores.clone()
        organs.settle_organs(scores, self.image, self.spacing_mm)
        return dice_of(scores, self.truth)


def main() -> None:
    """Print a table of means: a row per change, a column per group."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=None)
    parser.add_argument("--phantoms", default="311-313", help="first and last seed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    first, last = (int(n) for n in options.phantoms.split("-"))
    settings = SegmentSettings(model=options.model, threads=options.threads)
    scenes = [s for seed in range(first, last + 1) for s in seen(seed, settings)]
    groups = sorted({s.group for s in scenes})
    rows = {"not followed": means(scenes, groups, lambda s: dice_of(s.scores, s.truth))}
    rows["as they are"] = means(scenes, groups, Seen.dice)
    print("| numbers | " + " | ".join(groups) + " | mean |\n" + "|---" * (len(groups) + 2) + "|")
    for name, row in rows.items():
        show(name, row)
    for name in NUMBERS:
        usual = getattr(organs, name)
        for factor in FACTORS:
            setattr(organs, name, usual * factor)
            row = means(scenes, groups, Seen.dice)
            rows[f"{name} {usual * factor:g}"] = row
            show(f"{name} {usual * factor:g}", row)
        setattr(organs, name, usual)
    if options.json:
        model = find_model(options.model)
        facts: dict[str, Any] = {"model": model.name, "sha256": model.sha256}
        write_json({**facts, "phantoms": options.phantoms, "mean_dice": rows}, options.json)


def seen(seed: int, settings: SegmentSettings) -> Iterator[Seen]:
    """A phantom in every phase, as the network sees it and spoilt."""
    phantom = make_phantom(PhantomSettings(seed=seed, spacing_mm=SPACING_MM))
    for number, phase in enumerate(PHASES):
        scan = reorient(render_ct(phantom, seed=seed, phase=phase), CANONICAL_AXES)
        scores, image, grid = first_look(scan, settings)
        truth = resample_to(phantom.label_map, grid).array
        spoilt = called_bowel(scores, np.random.default_rng([seed, number]))
        for group, given in ((phase, scores), (f"{phase}, parts lost", spoilt)):
            yield Seen(
                group=group, scores=given, image=image, truth=truth, spacing_mm=grid.spacing_mm[0]
            )


def first_look(scan: Volume, settings: SegmentSettings) -> tuple[torch.Tensor, Floats, Geometry]:
    """Scores and Hounsfield units on the network's grid, as edges would be followed in them."""
    kept: list[tuple[torch.Tensor, Floats]] = []
    usual = segmenting.settle_organs
    segmenting.settle_organs = lambda scores, image, _: kept.append((scores.clone(), image))
    info = find_model(settings.model)
    grid = scan.geometry.with_spacing((info.spacing_mm,) * 3)
    try:
        with torch.inference_mode():
            segmenting._first_look(scan, grid, info, settings)
    finally:
        segmenting.settle_organs = usual
    return *kept[0], grid


def called_bowel(scores: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Beyond a plane through each organ, its scores and those of bowel change places."""
    spoilt = scores.clone()
    labels = scores.argmax(dim=0).numpy()
    for organ in organs.ORGANS:
        places = np.argwhere(labels == organ.label)
        if len(places) == 0:
            continue
        direction = rng.normal(size=3)
        along = places @ (direction / np.linalg.norm(direction))
        far = places[along > np.quantile(along, rng.uniform(0.4, 0.9))]
        z, y, x = torch.from_numpy(far).T
        pair = spoilt[[organ.label, BOWEL.label]][:, z, y, x]
        spoilt[organ.label, z, y, x], spoilt[BOWEL.label, z, y, x] = pair[1], pair[0]
    return spoilt


def dice_of(scores: torch.Tensor, truth: npt.NDArray[np.uint8]) -> list[float]:
    """Of each organ."""
    labels = scores.argmax(dim=0).numpy()
    pairs = [(labels == o.label, truth == o.label) for o in organs.ORGANS]
    return [2 * float((a & b).sum()) / float(a.sum() + b.sum()) for a, b in pairs]


def means(
    scenes: list[Seen], groups: list[str], judge: Callable[[Seen], list[float]]
) -> dict[str, float]:
    """Mean over organs and phantoms, by group."""
    values = {g: [d for s in scenes if s.group == g for d in judge(s)] for g in groups}
    return {g: round(float(np.mean(v)), 4) for g, v in values.items()}


def show(name: str, row: dict[str, float]) -> None:
    """One line of the table."""
    cells = [f"{value:.3f}" for value in (*row.values(), float(np.mean(list(row.values()))))]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
