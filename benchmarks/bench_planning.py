"""Planning on a large scan beside the straightforward way, in one run.

The straightforward way is that of open planners today: signed distance maps of tumours, liver and
both vein systems on the whole grid of the scan (SimpleITK); the nearest point of the centrelines
for each voxel of the liver, one voxel after another; and for each move of a control point a cut
that is rasterised into voxels, parts counted after a connected-component search, and margins looked
up in the tumours' map.

Run with ``python benchmarks/bench_planning.py [--slices 400] [--json docs/planning.json]``;
processor time, one thread.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import cKDTree

from surgplan.io import write_json
from surgplan.planning import (
    BezierResection,
    PlaneResection,
    PreparedLiver,
    VesselBranch,
    VesselSystem,
    VesselTree,
    assess_prepared,
    prepare,
    propose,
)
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
)

HALF_AXES_MM = (88.0, 68.0, 62.0)
TUMOURS = (((-40.0, -10.0, 10.0), 14.0), ((35.0, 5.0, -12.0), 9.0), ((-10.0, 25.0, 25.0), 6.0))
CUT = PlaneResection(point_mm=(-20.0, 0.0, 0.0), normal=(-1.0, -0.1, 0.05))
SPACING_MM = (1.0, 0.8, 0.8)
MOVES = 40
WHOLE_GRID_MOVES = 3
EVERY = 100
RASTER = 500


def body(slices: int = 400) -> LabelMap:
    """A liver of 1.55 l with three tumours and two tubes on a 512 x 512 grid."""
    shape = (slices, 512, 512)
    x0, y0, z0 = (-(n - 1) / 2 * s for n, s in zip(shape[::-1], SPACING_MM[::-1], strict=True))
    geometry = Geometry.from_spacing(shape=shape, spacing_mm=SPACING_MM, origin_mm=(x0, y0, z0))
    array = np.zeros(shape, dtype=np.uint8)
    z, y, x = (
        o + np.arange(n) * s for o, n, s in zip((z0, y0, x0), shape, SPACING_MM, strict=True)
    )
    a, b, c = HALF_AXES_MM
    near = np.abs(z) < c
    part = array[near]
    x, y, z = x[None, None, :], y[None, :, None], z[near][:, None, None]
    inside = (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1
    part[inside] = LIVER.label
    part[inside & (y**2 + (z + 5) ** 2 < 16)] = PORTAL_VEIN.label
    part[inside & ((x - 10) ** 2 + (y - 20) ** 2 < 16)] = HEPATIC_VEINS.label
    for (i, j, k), radius in TUMOURS:
        part[(x - i) ** 2 + (y - j) ** 2 + (z - k) ** 2 < radius**2] = LIVER_TUMOUR.label
    array[near] = part
    segments = (LIVER, LIVER_TUMOUR, PORTAL_VEIN, HEPATIC_VEINS)
    return LabelMap(array=array, geometry=geometry, segments=segments)


def grown(system: VesselSystem, root: tuple[float, float, float], levels: int) -> VesselTree:
    """A tree that forks evenly through the liver, ``2**levels - 1`` branches."""
    rng = np.random.default_rng(len(system))
    branches = [
        VesselBranch(points_mm=np.array([root, np.zeros(3)]), radius_mm=np.full(2, 5.0), order=1)
    ]
    for place in range(2 ** (levels - 1) - 1):
        stem = branches[place]
        for _ in range(2):
            aim = rng.normal(size=3)
            end = 0.9 * np.array(HALF_AXES_MM) * aim / np.linalg.norm(aim)
            stop = stem.points_mm[-1] + (end - stem.points_mm[-1]) * 0.45
            branches.append(
                VesselBranch(
                    parent=place,
                    order=stem.order + 1,
                    points_mm=np.array([stem.points_mm[-1], stop]),
                    radius_mm=0.8 * stem.radius_mm,
                )
            )
    return VesselTree(system=system, branches=tuple(branches))


def trees() -> tuple[VesselTree, ...]:
    """Both systems, 63 branches each."""
    return grown("portal", (0.0, -60.0, -60.0), 6), grown("hepatic", (0.0, 60.0, 60.0), 6)


def waves(rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Control points of a patch across the liver that bends by some centimetres."""
    b, c = np.linspace(-90, 90, rows), np.linspace(-90, 90, columns)
    b, c = np.meshgrid(b, c, indexing="ij")
    a = -20 + 25 * np.sin(b / 35) + 15 * np.cos(c / 30)
    return np.stack([a, b, c], axis=-1)


def dragged(count: int) -> list[np.ndarray[Any, Any]]:
    """Control points with one of the inner four moved by up to a centimetre."""
    rng = np.random.default_rng(0)
    grids = []
    for _ in range(count):
        points = waves(4, 4)
        points[rng.integers(1, 3), rng.integers(1, 3)] += rng.uniform(-10, 10, 3)
        grids.append(points)
    return grids


def whole_grid_maps(label_map: LabelMap) -> dict[str, np.ndarray[Any, Any]]:
    """Four signed distance maps on the whole grid; kept is that of the tumours."""
    kept = {}
    for segment in (LIVER, PORTAL_VEIN, HEPATIC_VEINS, LIVER_TUMOUR):
        image = sitk.GetImageFromArray(label_map.mask(segment).astype(np.uint8))
        image.SetSpacing(label_map.geometry.spacing_mm[::-1])
        found = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
        kept = {segment.name: sitk.GetArrayFromImage(found)}
    return kept


def nearest_one_by_one(label_map: LabelMap, prepared: PreparedLiver) -> float:
    """Seconds for the nearest centreline point of each voxel in a loop, from some of them."""
    trees_of = [cKDTree(p.nodes.points_mm) for p in prepared.perfusions.each()]
    index = np.argwhere(label_map.array > 0)[::EVERY]
    start = time.process_time()
    for voxel in index:
        point = label_map.geometry.to_lps(voxel)
        for tree in trees_of:
            tree.query(point)
    return (time.process_time() - start) * EVERY


def whole_grid_cut(
    label_map: LabelMap, away: np.ndarray[Any, Any], control_points: np.ndarray[Any, Any]
) -> tuple[float, float]:
    """Millilitres of the parts without the cut's own voxels, and the smallest margin."""
    t = np.linspace(0, 1, RASTER)
    rows = np.stack([math.comb(3, k) * t**k * (1 - t) ** (3 - k) for k in range(4)], axis=1)
    points = np.einsum("ai,ijc,bj->abc", rows, control_points, rows).reshape(-1, 3)
    index = np.rint(label_map.geometry.to_index(points)).astype(int)
    index = index[((index >= 0) & (index < label_map.geometry.shape)).all(axis=1)]
    sheet = np.zeros(label_map.geometry.shape, dtype=bool)
    sheet[tuple(index.T)] = True
    liver = label_map.array > 0
    parts, _ = ndimage.label(liver & ~sheet)
    sizes = np.bincount(parts.ravel())[1:] * label_map.geometry.voxel_volume_mm3 / 1000
    return float(np.sort(sizes)[-2:].sum()), float(away[sheet & liver].min())


def timed(words: str, call: Callable[[], Any]) -> tuple[Any, float]:
    """Result and seconds of processor time."""
    start = time.process_time()
    result = call()
    seconds = time.process_time() - start
    say(words, seconds)
    return result, seconds


ROWS: dict[str, float] = {}


def say(words: str, seconds: float) -> None:
    """A row of the table, kept for the record."""
    ROWS.setdefault(words, round(float(seconds), 3))
    print(f"{words:<66}{seconds:9.3f} s", flush=True)


def moves(prepared: PreparedLiver) -> float:
    """Median and 95th percentile of a control point's move; returns the latter."""
    seconds = []
    for points in dragged(MOVES):
        start = time.process_time()
        cut = BezierResection(control_points_mm=points, resected_side="back")
        assess_prepared(prepared, cut, margin_mm=10.0)
        seconds.append(time.process_time() - start)
    say(f"surgplan: a control point moved, all numbers, median of {MOVES}", np.median(seconds))
    slow = float(np.percentile(seconds, 95))
    say("surgplan: the same, 95th percentile", slow)
    return slow


def peak_gib() -> float:
    """Most memory that this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2 ** (30 if sys.platform == "darwin" else 20)


def main() -> None:
    """Time both ways and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    label_map = body(options.slices)
    print(f"{label_map.geometry.shape} voxels; processor time, one thread")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    prepared, outlined = timed("surgplan: prepare", lambda: prepare(label_map, trees=trees()))
    _, served = timed("surgplan: what each vessel serves", lambda: prepared.perfusions)
    moved = moves(prepared)
    plans, _ = timed("surgplan: propose eight", lambda: propose(label_map, margin_mm=10.0, count=8))
    memory_gib = round(peak_gib(), 2)
    print(f"surgplan: peak memory {memory_gib:.2f} GiB")
    maps, maps_s = timed("whole grid: four distance maps", lambda: whole_grid_maps(label_map))
    nearest = nearest_one_by_one(label_map, prepared)
    say(f"whole grid: nearest vessels in a loop ({EVERY} x every {EVERY}th voxel)", nearest)
    away = maps[LIVER_TUMOUR.name]
    cuts = [
        timed("whole grid: a control point moved", lambda p=p: whole_grid_cut(label_map, away, p))
        for p in dragged(WHOLE_GRID_MOVES)
    ]
    slow = min(seconds for _, seconds in cuts)
    print(
        f"preparation {(maps_s + nearest) / (outlined + served):.1f} times faster "
        f"(maps alone {maps_s / outlined:.1f} times), each move {slow / moved:.1f} times"
    )
    cut = BezierResection(control_points_mm=dragged(1)[0], resected_side="back")
    found = assess_prepared(prepared, cut, margin_mm=10.0)
    (both_ml, least), _ = cuts[0]
    margin = min(t.margin_mm for t in found.tumours)
    print(f"both parts: whole grid {both_ml:.2f} ml, surgplan {found.total_ml:.2f} ml")
    print(f"margin, negative through a tumour: whole grid {least:.2f} mm, surgplan {margin:.2f} mm")
    for plan in plans:
        print(f"  {plan.name}: {plan.why}")
    if options.json:
        record = {
            "grid": list(label_map.geometry.shape),
            "seconds": ROWS,
            "plans": len(plans),
            "peak_memory_gib": memory_gib,
            "times_faster": {
                "preparation": round((maps_s + nearest) / (outlined + served), 1),
                "preparation against the maps alone": round(maps_s / outlined, 1),
                "a move at the 95th percentile": round(slow / moved, 1),
            },
        }
        write_json(record, options.json)


if __name__ == "__main__":
    main()
