"""Accuracy of a model on real scans that it was never trained on, and how long it takes.

    python benchmarks/bench_accuracy.py [--cases ../shared/cases] [--model NAME_OR_BUNDLE]
                                        [--phantoms 301-306] [--json docs/accuracy.json]
                                        [--threads 2]

The references are 3D-IRCADb-01 nos. 1 and 17 (expert contours). Where a reference counts two
structures as one, so does the comparison: its 'venous system' is hepatic veins and vena cava.
Tumours of the reference are compared where the model knows tumours. Vessels are compared twice: as
the reference has them, down to the spleen and the kidneys, and within 5 mm of the liver; the share
told apart is that of the reference's centrelines, where we see a vessel, that we name as it does.
Phantoms, seen in the portal phase and in MR of both weightings, are drawn figures of the kind that
the model was trained on; their seeds were not.
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
from surgplan.phantom import MR_WEIGHTINGS, PhantomSettings, make_phantom, render_ct, render_mr
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
    Geometry,
    LabelMap,
    Segment,
    Volume,
)

NEAR_MM = 5.0
PHANTOM_SPACING_MM = (1.6, 0.8, 0.8)
PORTAL = "portal vein"
VEINS = "hepatic veins and vena cava"

Mask = npt.NDArray[np.bool_]
Comparison = tuple[str, tuple[Segment, ...], tuple[int, ...]]

IN_PHANTOMS: tuple[tuple[str, tuple[Segment, ...]], ...] = (
    ("liver tumour", (LIVER_TUMOUR,)),
    (PORTAL, (PORTAL_VEIN,)),
    (VEINS, (HEPATIC_VEINS, VENA_CAVA)),
    ("vena cava", (VENA_CAVA,)),
    ("aorta and arteries", (ARTERIES,)),
    ("spleen", (SPLEEN,)),
    ("right kidney", (RIGHT_KIDNEY,)),
    ("left kidney", (LEFT_KIDNEY,)),
)

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
    parser.add_argument("--phantoms", default="301-306", help="first and last seed")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if not options.cases.is_dir():
        parser.exit(0, f"no cases at {options.cases}; get 3D-IRCADb-01 and name the folder\n")
    model = find_model(options.model)
    settings = SegmentSettings(model=options.model, threads=options.threads)
    rows: list[dict[str, Any]] = []
    for name, (image, comparisons) in CASES.items():
        folder = options.cases / name
        found, seconds = segmented(name, read_volume(folder / image, modality="CT"), settings)
        rows += scores(name, found.geometry, masks_of_case(name, folder, found, comparisons))
        rows[-1]["seconds"] = round(seconds, 1)
    first, last = (int(n) for n in options.phantoms.split("-"))
    for seed in range(first, last + 1):
        phantom = make_phantom(PhantomSettings(seed=seed, spacing_mm=PHANTOM_SPACING_MM, lesions=3))
        truth = phantom.label_map
        name = f"phantom {seed}"
        found, _ = segmented(name, render_ct(phantom, seed=seed, phase="portal"), settings)
        masks = {t: (found.mask(*s), truth.mask(*s)) for t, s in IN_PHANTOMS}
        both = {"whole liver": (found.whole_liver(), truth.whole_liver()), **masks}
        rows += scores(name, truth.geometry, both)
        for weighting in MR_WEIGHTINGS:
            name = f"phantom {seed}, MR {weighting.upper()}"
            scan = render_mr(phantom, seed=seed, sequence=weighting)
            found, _ = segmented(name, scan, settings)
            livers = found.whole_liver(), truth.whole_liver()
            rows += scores(name, truth.geometry, {"whole liver": livers})
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"model {model.name} {model.sha256[:12]}, peak memory {peak_gb:.1f} GB")
    print_table(rows)
    if options.json:
        write_json({"model": model.name, "sha256": model.sha256, "rows": rows}, options.json)


def segmented(name: str, scan: Volume, settings: SegmentSettings) -> tuple[LabelMap, float]:
    """What the model finds, and in how many seconds."""
    start = time.perf_counter()
    found = segment(scan, settings=settings).label_map
    seconds = time.perf_counter() - start
    print(f"{name}: {scan.geometry.shape} in {seconds:.1f} s, {settings.threads} threads")
    return found, seconds


def masks_of_case(
    name: str, folder: Path, found: LabelMap, comparisons: tuple[Comparison, ...]
) -> dict[str, tuple[Mask, Mask]]:
    """Found and wanted, for each structure that the reference has; the whole liver first."""
    liver, grid = read_numbers(folder / "liver.nii.gz")
    numbers, _ = read_numbers(folder / "labels.nii.gz")
    if not grid.matches(found.geometry, atol_mm=0.01):
        message = f"{name}: reference and scan lie on different grids"
        raise SystemExit(message)
    masks: dict[str, tuple[Mask, Mask]] = {"whole liver": (found.whole_liver(), liver > 0)}
    for title, segments, values in comparisons:
        masks[title] = found.mask(*segments), np.isin(numbers, values)
    return masks


def scores(name: str, grid: Geometry, masks: dict[str, tuple[Mask, Mask]]) -> list[dict[str, Any]]:
    """One row per structure, and the vessels near the liver where there are any."""
    more: dict[str, tuple[Mask, Mask]] = {}
    if PORTAL in masks:
        away = ndimage.distance_transform_edt(~masks["whole liver"][1], sampling=grid.spacing_mm)
        near = away <= NEAR_MM
        for title in (PORTAL, VEINS):
            more[f"{title}, in the liver"] = masks[title][0] & near, masks[title][1] & near
        one, other = more.values()
        more["vessels, in the liver"] = one[0] | other[0], one[1] | other[1]
    rows = []
    for title, (mask, wanted) in {**masks, **more}.items():
        is_vessel = title.startswith((PORTAL, VEINS, "vessels"))
        score = score_masks(title, mask, wanted, grid, is_vessel=is_vessel)
        rows.append({"case": name, **json.loads(json.dumps(score.__dict__))})
    if more:
        rows[-1]["told_apart"] = told_apart(one, other)
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
