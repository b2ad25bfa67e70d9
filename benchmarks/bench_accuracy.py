"""Accuracy of a model on real scans that it was never trained on, and how long it takes.

    python benchmarks/bench_accuracy.py [--cases ../shared/cases] [--model NAME_OR_BUNDLE]
                                        [--json docs/accuracy.json] [--threads 2]

The references are 3D-IRCADb-01 nos. 1 and 17 (expert contours). Where a reference counts two
structures as one, so does the comparison: its 'venous system' is hepatic veins and vena cava.
Tumours of the reference are compared where the model knows tumours.
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

Comparison = tuple[str, tuple[Segment, ...], tuple[int, ...]]

CASES: dict[str, tuple[str, tuple[Comparison, ...]]] = {
    "ircadb-01": (
        "ct.nii.gz",
        (
            ("liver tumour", (LIVER_TUMOUR,), tuple(range(13, 20))),
            ("portal vein", (PORTAL_VEIN,), (10,)),
            ("hepatic veins and vena cava", (HEPATIC_VEINS, VENA_CAVA), (11,)),
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
            ("portal vein", (PORTAL_VEIN,), (5,)),
            ("hepatic veins and vena cava", (HEPATIC_VEINS, VENA_CAVA), (6,)),
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
    pairs: list[tuple[str, npt.NDArray[np.bool_], npt.NDArray[np.bool_], bool]] = [
        ("whole liver", found.whole_liver(), liver > 0, False)
    ]
    for title, segments, values in comparisons:
        is_vessel = title in {"portal vein", "hepatic veins and vena cava"}
        pairs.append((title, found.mask(*segments), np.isin(numbers, values), is_vessel))
    rows = []
    for title, mask, wanted, is_vessel in pairs:
        score = score_masks(title, mask, wanted, grid, is_vessel=is_vessel)
        rows.append({"case": name, **json.loads(json.dumps(score.__dict__))})
    return rows


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


if __name__ == "__main__":
    main()
