"""Every kind of resection on one case: distances, and all numbers of an assessment.

The case has a portal and a hepatic tree of 63 branches each, so that vessels cut and
functional remnant cost what they cost on a patient.

Run with ``python benchmarks/bench_resections.py [--slices 400] [--json docs/resections.json]``;
processor time, one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from bench_planning import CUT, body, trees, waves

from surgplan.io import write_json
from surgplan.planning import (
    BezierResection,
    FreehandResection,
    PreparedLiver,
    Resection,
    TerritoryResection,
    WedgeResection,
    assess_prepared,
    cut_liver,
    functional_remnant,
    prepare,
    vessels_cut,
)

POINTS = 300_000
NEAR_MM = 8.0
REPEATS = 3
ENOUGH_S = 1.0


def timed(call: Callable[[], Any], repeats: int = REPEATS) -> tuple[Any, float]:
    """Result and least seconds of processor time; what is slow is not repeated."""
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < ENOUGH_S:
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def builders(prepared: PreparedLiver) -> dict[str, Callable[[], Resection]]:
    """How each kind is made."""
    along = np.linspace(-80, 80, 120)
    path = np.stack([-20 + 15 * np.sin(along / 25), along, np.full(120, 62.0)], axis=1)
    return {
        "plane": lambda: CUT,
        "territory of a branch": lambda: TerritoryResection(tree=trees()[0], branches=(1,)),
        "wedge, 10 mm": lambda: WedgeResection.on(prepared, [1], 10.0),
        "bezier bowl, 10 mm": lambda: BezierResection.on(prepared, [1], 10.0),
        "bezier 4 x 4": lambda: BezierResection(
            control_points_mm=waves(4, 4), resected_side="back"
        ),
        "bezier 8 x 8": lambda: BezierResection(
            control_points_mm=waves(8, 8), resected_side="back"
        ),
        "freehand, 120 points": lambda: FreehandResection(path_mm=path, direction=(0, 0, -1)),
    }


def near_cut(prepared: PreparedLiver, resection: Resection) -> np.ndarray[Any, Any]:
    """Points of the liver within 8 mm of a cut, as many as wanted."""
    geometry = prepared.blocks.geometry
    rng = np.random.default_rng(0)
    index = np.argwhere(prepared.liver)
    liver = geometry.to_lps(rng.choice(index, 200_000) + rng.uniform(-0.5, 0.5, (200_000, 3)))
    close = liver[np.abs(resection.distance_mm(liver)) < NEAR_MM]
    return close[rng.integers(0, len(close), POINTS)]


def main() -> None:
    """Print a row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    slices = options.slices
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    start = time.process_time()
    prepared = prepare(body(slices), trees=trees())
    outlined = time.process_time()
    nodes = sum(len(p.nodes.end) for p in prepared.perfusions.each())
    served = time.process_time()
    print(f"512 x 512 x {slices}; processor time, one thread")
    print(f"prepared in {outlined - start:.2f} s; {nodes} nodes of vessels and what each serves in")
    print(f"{served - outlined:.2f} s; then, for one resection after another:")
    print(
        f"{'':24}{'make':>9}{'300 000 near':>15}{'assess':>9}{'vessels':>10}{'function':>10}"
        f"{'resected':>12}{'remnant':>12}"
    )
    rows: dict[str, dict[str, float]] = {}
    for name, make in builders(prepared).items():
        resection, make_s = timed(make, 1)
        points = near_cut(prepared, resection)
        _, distance_s = timed(lambda r=resection, p=points: r.distance_mm(p))
        found, assess_s = timed(lambda r=resection: assess_prepared(prepared, r, margin_mm=10.0))
        _, vessels_s = timed(lambda r=resection: vessels_cut(prepared, r))
        cut = cut_liver(prepared.blocks, resection)
        _, function_s = timed(lambda r=resection, c=cut: functional_remnant(prepared, r, cut=c))
        print(
            f"{name:24}{make_s:7.3f} s{distance_s:13.3f} s{assess_s:7.3f} s"
            f"{vessels_s:8.3f} s{function_s:8.3f} s"
            f"{found.resected_ml:9.2f} ml{found.remnant_ml:9.2f} ml"
        )
        rows[name] = {
            "make_s": round(make_s, 3),
            "distance_s": round(distance_s, 3),
            "assess_s": round(assess_s, 3),
            "vessels_s": round(vessels_s, 3),
            "function_s": round(function_s, 3),
            "resected_ml": round(found.resected_ml, 2),
            "remnant_ml": round(found.remnant_ml, 2),
        }
    if options.json:
        write_json({"slices": slices, "points": POINTS, "rows": rows}, options.json)


if __name__ == "__main__":
    main()
