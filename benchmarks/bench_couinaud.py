"""Couinaud segments against experts' maps: by vessels, by the network, by what the tool takes.

    python benchmarks/bench_couinaud.py [--shared ../shared] [--json docs/couinaud.json]
                                        [--threads 2] [--hold-out 10] [--model NAME_OR_BUNDLE]

Livers and vessels are those of the experts; no image is seen. 3D-IRCADb-01 nos. 1 and 17 had no
part in training. The livers of the label bank are those held out of training, every tenth; most
have no vessels, so that they are judged by their shape alone. The seconds are of processor
time, whatever else the machine does, and count what follows the vessel trees, whose extraction is
timed apart; on two cores the network takes little more than half of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _real_scans import TABLES

from surgplan.io import read_couinaud, read_numbers, write_json
from surgplan.planning import choose_couinaud, couinaud_from_vessels, sides_cut_off, vessel_trees
from surgplan.segmentation import (
    COUINAUD_MODEL,
    LearnedCouinaud,
    couinaud_from_shape,
    find_model,
)
from surgplan.volume import (
    COUINAUD,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    LabelMap,
    label_map_from_masks,
)

SHOWN = (LIVER, PORTAL_VEIN, HEPATIC_VEINS, LIVER_CYST, LIVER_TUMOUR)
"""Of the experts' labels; their hepatic veins hold the vena cava too."""

Learned = Callable[..., LearnedCouinaud]


def main() -> None:
    """Print a row per liver and method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    root = Path(__file__).parents[1]
    parser.add_argument("--shared", type=Path, default=root.parent / "shared")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hold-out", type=int, default=10)
    parser.add_argument("--model", default=COUINAUD_MODEL)
    options = parser.parse_args()
    learned = partial(couinaud_from_shape, model=options.model, threads=options.threads)
    rows = []
    for name in TABLES:
        rows += _with_vessels(name, options.shared / "cases" / name, learned)
    paths = sorted((options.shared / "labelbank" / "couinaud").glob("*.nii.gz"))
    for path in paths[options.hold_out // 2 :: options.hold_out]:
        rows.append(_by_shape(path, learned))
    info = find_model(options.model)
    report = {
        "model": info.name,
        "sha256": info.sha256,
        "threads": options.threads,
        "seconds": "of processor time",
        "rows": rows,
    }
    if options.json:
        write_json(report, options.json)


def _with_vessels(name: str, folder: Path, learned: Learned) -> list[dict[str, Any]]:
    if not folder.is_dir():
        print(f"{name}: not there, left out")
        return []
    labels, geometry = read_numbers(folder / "labels.nii.gz")
    masks = [(s, np.isin(labels, own)) for s, own in TABLES[name].items() if s in SHOWN]
    label_map = label_map_from_masks(masks, geometry)
    label_map.whole_liver()
    reference = read_couinaud(folder / "couinaud.nii.gz")
    trees, tree_seconds = _timed(lambda: vessel_trees(label_map))
    vessels, seconds = _timed(lambda: couinaud_from_vessels(label_map, *trees))
    rows = [_row(name, "vessels", vessels.label_map, reference, seconds)]
    rows[0]["tree_seconds"] = tree_seconds
    alone = label_map_from_masks([(LIVER, label_map.whole_liver())], geometry)
    ways: dict[str, Callable[[], Any]] = {
        "network, shape alone": lambda: learned(alone),
        "network, vessels shown": lambda: learned(label_map),
        "network, vessels shown and their borders": lambda: learned(
            label_map, borders=vessels.borders
        ),
    }
    for way, work in ways.items():
        found, seconds = _timed(work)
        rows.append(_row(name, way, found.label_map, reference, seconds))
    choice = choose_couinaud(vessels, found.confidence, cut_off=sides_cut_off(label_map))
    chosen = rows[-1] if choice.method == "learned" else rows[0]
    rows.append({**chosen, "method": f"the tool takes: {chosen['method']}", "why": choice.why})
    print(rows[-1]["method"])
    return rows


def _by_shape(path: Path, learned: Learned) -> dict[str, Any]:
    reference = read_couinaud(path)
    liver = label_map_from_masks([(LIVER, reference.array > 0)], reference.geometry)
    found, seconds = _timed(lambda: learned(liver))
    return _row(path.name, "network, shape alone", found.label_map, reference, seconds)


def _row(
    name: str, method: str, found: LabelMap, reference: LabelMap, seconds: float
) -> dict[str, Any]:
    dice = {}
    for segment in COUINAUD:
        a, b = found.array == segment.label, reference.array == segment.label
        dice[segment.name] = round(2 * float((a & b).sum()) / float(a.sum() + b.sum()), 3)
    mean = round(float(np.mean(list(dice.values()))), 3)
    figures = " ".join(f"{v:.2f}" for v in dice.values())
    print(f"{name:22} {method:42} {mean:.3f}  {figures}  {seconds:.1f} s", flush=True)
    return {
        "liver": name, "method": method, "mean_dice": mean, "dice": dice, "seconds": seconds,
    }  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = work()
    return result, round(time.process_time() - start, 2)


if __name__ == "__main__":
    main()
