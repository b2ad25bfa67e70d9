"""Accuracy of a model on real scans that it was never trained on, and how long it takes.

    python benchmarks/bench_accuracy.py [--cases ../shared/cases] [--model NAME_OR_BUNDLE]
                                        [--json docs/accuracy.json] [--threads 2]

The references are 3D-IRCADb-01 nos. 1 and 17 (expert contours). Where a reference counts two
structures as one, so does the comparison: its 'venous system' is hepatic veins and vena cava.
Tumours of the reference are compared where the model knows tumours. Vessels are compared twice: as
the reference has them, down to the spleen and the kidneys, and within 5 mm of the liver; the share
told apart is that of the reference's centrelines, where we see a vessel, that we name as it does.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import skeletonize

from surgplan.evaluation import score_masks
from surgplan.io import read_numbers, read_volume, write_json
from surgplan.segmentation import SegmentSettings, find_model, segment
from surgplan.volume import (
    ARTERIES,
    BONE,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER_TUMOUR,
    LUNGS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    VENA_CAVA,
    LabelMap,
    Segment,
)

NEAR_MM = 5.0
PORTAL = "portal vein"
VEINS = "hepatic veins and vena cava"

Mask = npt.NDArray[np.bool_]
Comparison = tuple[str, tuple[Segment, ...], tuple[int, ...]]

CASES: dict[str, tuple[str, tuple[Comparison, ...]]] = {
    "ircadb-01": (
        "ct.nii.gz",
        (
            ("liver tumour", (LIVER_TUMOUR,), tuple(range(13, 20))),
            (PORTAL, (PORTAL_VEIN,), (10,)),
            (VEINS, (HEPATIC_VEINS, VENA_CAVA), (11,)),
            ("aorta and arteries", (ARTERIES,), (9,)),
            ("spleen", (SPLEEN,), (8,)),
            ("right kidney", (RIGHT_KIDNEY,), (7,)),
            ("left kidney", (LEFT_KIDNEY,), (6,)),
            ("lungs", (LUNGS,), (3, 4)),
            ("bone", (BONE,), (2,)),
        ),
    ),
    "ircadb-17": (
        "dicom",
        (
            ("liver tumour", (LIVER_TUMOUR,), (7, 8)),
            (PORTAL, (PORTAL_VEIN,), (5,)),
            (VEINS, (HEPATIC_VEINS, VENA_CAVA), (6,)),
            ("aorta and arteries", (ARTERIES,), (4,)),
            ("bone", (BONE,), (2,)),
        ),
    ),
}


def main() -> None:
    """Segment every case and print one row per structure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    root = Path(__file__).parents[1]
    parser.add_argument("--cases", type=Path, default=root.parent / "shared" / "cases")
    parser.add_argument("--model", default=None)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if not options.cases.is_dir():
        parser.exit(0, f"no cases at {options.cases}; get 3D-IRCADb-01 and name the folder\n")
    model = find_model(options.model)
    rows: list[dict[str, Any]] = []
    for name, (image, comparisons) in CASES.items():
        folder = options.cases / name
        scan = read_volume(folder / image, modality="CT")
        start = time.perf_counter()
        found = segment(
            scan, settings=SegmentSettings(model=options.model, threads=options.threads)
        ).label_map
        seconds = time.perf_counter() - start
        print(f"{name}: {scan.geometry.shape} in {seconds:.1f} s, {options.threads} threads")
        rows += score_case(name, folder, found, comparisons)
        rows[-1]["seconds"] = round(seconds, 1)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"model {model.name} {model.sha256[:12]}, peak memory {peak_gb:.1f} GB")
    print_table(rows)
    if options.json:
        write_json({"model": model.name, "sha256": model.sha256, "rows": rows}, options.json)


def score_case(
    name: str, folder: Path, found: LabelMap, comparisons: tuple[Comparison, ...]
) -> list[dict[str, Any]]:
    """One row per structure that the reference has."""
    liver, grid = read_numbers(folder / "liver.nii.gz")
    numbers, _ = read_numbers(folder / "labels.nii.gz")
    if not grid.matches(found.geometry, atol_mm=0.01):
        message = f"{name}: reference and scan lie on different grids"
        raise SystemExit(message)
    masks: dict[str, tuple[Mask, Mask]] = {"whole liver": (found.whole_liver(), liver > 0)}
    for title, segments, values in comparisons:
        masks[title] = found.mask(*segments), np.isin(numbers, values)
    vessels = {PORTAL, VEINS} & masks.keys()
    near = ndimage.distance_transform_edt(liver == 0, sampling=grid.spacing_mm) <= NEAR_MM
    inner = {f"{title}, in the liver": tuple(m & near for m in masks[title]) for title in vessels}
    both = tuple(np.logical_or(*sides) for sides in zip(*inner.values(), strict=True))
    rows = []
    for title, (mask, wanted) in {**masks, **inner, "vessels, in the liver": both}.items():
        is_vessel = title.startswith((PORTAL, VEINS, "vessels"))
        score = score_masks(title, mask, wanted, grid, is_vessel=is_vessel)
        rows.append({"case": name, **json.loads(json.dumps(score.__dict__))})
    rows[-1]["told_apart"] = told_apart(*inner.values())
    return rows


def told_apart(one: tuple[Mask, Mask], other: tuple[Mask, Mask]) -> float:
    """Of the centrelines of two wanted masks, where either is found, the share named right."""
    right = seen = 0
    for (found, wanted), (wrong, _) in ((one, other), (other, one)):
        line = skeletonize(wanted) & (found | wrong)
        seen += int(line.sum())
        right += int((line & found).sum())
    return right / max(seen, 1)


def print_table(rows: list[dict[str, Any]]) -> None:
    """The rows in Markdown."""
    print("| case | structure | Dice | NSD 2 mm | HD95 mm | clDice | reference ml | found ml |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [row["case"], row["name"]]
        for key, digits in (("dice", 3), ("nsd", 3), ("hd95_mm", 1), ("cl_dice", 2)):
            cells.append("-" if row[key] is None else f"{row[key]:.{digits}f}")
        cells += [f"{row['reference_ml']:.0f}", f"{row['predicted_ml']:.0f}"]
        print("| " + " | ".join(cells) + " |")
        if "told_apart" in row:
            print(f"| {row['case']} | vessels told apart | {row['told_apart']:.0%} | | | | | |")


if __name__ == "__main__":
    main()
