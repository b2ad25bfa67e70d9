"""Vessels cut, their diameters, and what remnants keep, against phantoms that are known.

    python benchmarks/bench_vessels.py [--seeds 8] [--livers 4] [--json docs/vessels.json]

First: two painted trees per seed, on a straight and an oblique grid, 20 flat cuts each. A vessel
between thick slices may not be in the labels at all, so vessels from 2 mm on and vessels from the
slice's thickness on are counted apart. Diameters are those of vessels met alone, 4 mm and more from
their forks. The seeds were not seen while the fit of diameters was made (1000 to 1009 were).

Second: livers whose vessels are known whole, of which branches are taken away. The functional
remnant of flat cuts by such a tree against that by the whole one, in points of per cent, by how
much of the liver the tree still reaches: below `LEAST_REACH_PERCENT` nothing is told.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _lacking_vessels import cut_through, lacking
from _painted_vessels import Counts, Painted, flat_cuts

from surgplan.io import write_json
from surgplan.phantom import PhantomSettings, make_phantom
from surgplan.planning import VesselTree, _perfusion, functional_remnant, prepare, vessel_trees
from surgplan.volume import LabelMap

THICKNESS_MM = (0.8, 2.5, 4.0, 5.0)
WITHIN_MM = 0.8
LEAST_MM = 2.0
OFF_MM = 0.5
CUTS = 20
FIRST_SEED, FIRST_LIVER = 3000, 40
LIVER_GRID_MM = (3.0, 2.2, 2.2)
BANDS = (0.0, 50.0, 70.0, 80.0, 90.0, 95.0, 100.1)
FAR_OFF = 10.0

Row = dict[str, Any]


def vessels_rows(thick_mm: float, seeds: range) -> list[Row]:
    """Vessels from 2 mm on, and those as wide as slices are thick, over all seeds of one grid."""
    counted: dict[float, list[Counts]] = {
        least: [] for least in {LEAST_MM, max(LEAST_MM, thick_mm)}
    }
    for seed in seeds:
        for turn in (None, seed):
            painted = Painted.on((thick_mm, WITHIN_MM, WITHIN_MM), turn, seed)
            prepared = prepare(painted.label_map)
            for cut in flat_cuts(CUTS, 100 + seed):
                for tree in painted.trees.items():
                    for least_mm, counts in counted.items():
                        counts.append(Counts.of(prepared, tree, cut, least_mm))
    return [vessels_row(thick_mm, *row) for row in sorted(counted.items())]


def vessels_row(thick_mm: float, least_mm: float, counts: list[Counts]) -> Row:
    """What many cuts say of vessels from a diameter on."""
    found = [hit for c in counts for hit in c.found]
    right = [hit for c in counts for hit in c.right]
    off = np.array([mm for c in counts for mm in c.off_mm])
    return {
        "slices_mm": thick_mm,
        "least_diameter_mm": least_mm,
        "cut": len(found),
        "recall": round(float(np.mean(found)), 4),
        "precision": round(float(np.mean(right)), 4),
        "diameters": len(off),
        "within_half_a_mm": round(float((np.abs(off) <= OFF_MM).mean()), 4),
        "percentile_95_mm": round(float(np.percentile(np.abs(off), 95)), 2),
        "mean_off_mm": round(float(off.mean()), 2),
    }


def flr_by(label_map: LabelMap, tree: VesselTree, seed: int) -> tuple[np.ndarray[Any, Any], float]:
    """Functional remnants of cuts by one tree alone, % of the liver, and the tree's reach."""
    prepared = prepare(label_map, trees=(tree,))
    found = (functional_remnant(prepared, cut) for cut in cut_through(label_map, CUTS, seed))
    (reach,) = (p.reach_percent for p in prepared.perfusions.each())
    return np.array([f.flr_percent for f in found if f is not None]), reach


def reach_rows(livers: range) -> list[Row]:
    """Errors of functional remnants by how much of the liver is reached."""
    reach: list[float] = []
    off: list[np.ndarray[Any, Any]] = []
    for seed in livers:
        settings = PhantomSettings(seed=seed, spacing_mm=LIVER_GRID_MM)
        label_map = make_phantom(settings).label_map
        for whole in vessel_trees(label_map):
            truth, _ = flr_by(label_map, whole, seed)
            for tree in lacking(whole, seed):
                shares, reached = flr_by(label_map, tree, seed)
                off.append(np.abs(shares - truth))
                reach.append(reached)
    bands = np.digitize(reach, BANDS) - 1
    rows = []
    for number, (low, high) in enumerate(pairwise(BANDS)):
        away = np.concatenate([np.zeros(0), *(o for o, b in zip(off, bands, strict=True)
                                              if b == number)])  # fmt: skip
        if len(away):
            rows.append({
                "reach_percent": [low, min(high, 100.0)],
                "cuts": len(away),
                "mean_off_percent": round(float(away.mean()), 2),
                "percentile_95_percent": round(float(np.percentile(away, 95)), 2),
                "more_than_10_percent_off": round(float((away > FAR_OFF).mean()), 4),
            })  # fmt: skip
    return rows


def main() -> None:
    """Print a row per grid and least diameter, and a row per band of reach."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--livers", type=int, default=4)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    vessels = []
    for thick_mm in THICKNESS_MM:
        rows = vessels_rows(thick_mm, range(FIRST_SEED, FIRST_SEED + options.seeds))
        vessels += rows
        for row in rows:
            print(*(f"{k} {v}" for k, v in row.items()), sep="; ", flush=True)
    told_from = _perfusion.LEAST_REACH_PERCENT
    _perfusion.LEAST_REACH_PERCENT = 0.0  # so that also what is not told can be judged
    reach = reach_rows(range(FIRST_LIVER, FIRST_LIVER + options.livers))
    for row in reach:
        print(*(f"{k} {v}" for k, v in row.items()), sep="; ", flush=True)
    if options.json:
        record = {"vessels_cut": vessels, "told_from_percent": told_from, "by_reach": reach}
        write_json(record, options.json)


if __name__ == "__main__":
    main()
