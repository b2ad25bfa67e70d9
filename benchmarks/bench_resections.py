"""Every kind of resection on one case: distances, and all numbers of an assessment.

Run with ``python benchmarks/bench_resections.py [--slices 129]``; processor time, one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk
from bench_planning import CUT, body

from surgplan.planning import (
    BezierResection,
    FreehandResection,
    PreparedLiver,
    Resection,
    WedgeResection,
    assess_prepared,
    prepare,
)

POINTS = 300_000
NEAR_MM = 8.0
REPEATS = 3


def timed(call: Callable[[], Any], repeats: int = REPEATS) -> tuple[Any, float]:
    """Result and least seconds of processor time."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def waves(rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Control points of a patch across the liver that bends by some centimetres."""
    b, c = np.linspace(-90, 90, rows), np.linspace(-90, 90, columns)
    b, c = np.meshgrid(b, c, indexing="ij")
    a = -20 + 25 * np.sin(b / 35) + 15 * np.cos(c / 30)
    return np.stack([a, b, c], axis=-1)


def builders(prepared: PreparedLiver) -> dict[str, Callable[[], Resection]]:
    """How each kind is made."""
    along = np.linspace(-80, 80, 120)
    path = np.stack([-20 + 15 * np.sin(along / 25), along, np.full(120, 62.0)], axis=1)
    return {
        "plane": lambda: CUT,
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
    parser.add_argument("--slices", type=int, default=129)
    slices = parser.parse_args().slices
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    prepared = prepare(body(slices))
    print(f"512 x 512 x {slices}; processor time, one thread")
    print(f"{'':24}{'make':>9}{'300 000 near':>15}{'assess':>9}{'resected':>12}{'remnant':>12}")
    for name, make in builders(prepared).items():
        resection, make_s = timed(make, 1)
        points = near_cut(prepared, resection)
        _, distance_s = timed(lambda r=resection, p=points: r.distance_mm(p))
        found, assess_s = timed(lambda r=resection: assess_prepared(prepared, r, margin_mm=10.0), 1)
        print(
            f"{name:24}{make_s:7.3f} s{distance_s:13.3f} s{assess_s:7.2f} s"
            f"{found.resected_ml:9.2f} ml{found.remnant_ml:9.2f} ml"
        )


if __name__ == "__main__":
    main()
