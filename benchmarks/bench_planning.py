"""Assessing and proposing beside the straightforward way, in one run.

The straightforward way is that of open planners today: signed distance maps of tumours, liver and
both vein systems on the whole grid of the scan (SimpleITK), a cut that is rasterised into voxels,
volumes by counting them, margins by looking the cut's voxels up in the tumours' map.

Run with ``python benchmarks/bench_planning.py [--slices 129]``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk

from surgplan.planning import PlaneResection, assess_prepared, prepare, propose
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
REPEATS = 5


def body(slices: int) -> LabelMap:
    """A liver of 1.55 l with three tumours and two tubes on a 512 x 512 grid."""
    spacing = (206.4 / slices, 0.6, 0.6)
    corner = tuple(-(n - 1) / 2 * s for n, s in zip((512, 512, slices), spacing[::-1], strict=True))
    geometry = Geometry.from_spacing(
        shape=(slices, 512, 512), spacing_mm=spacing, origin_mm=(corner[0], corner[1], corner[2])
    )
    array = np.zeros(geometry.shape, dtype=np.uint8)
    z, y, x = (corner[2 - a] + np.arange(n) * spacing[a] for a, n in enumerate(geometry.shape))
    x, y, z = x[None, None, :], y[None, :, None], z[:, None, None]
    a, b, c = HALF_AXES_MM
    inside = (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1
    array[inside] = LIVER.label
    array[inside & (y**2 + (z + 5) ** 2 < 16)] = PORTAL_VEIN.label
    array[inside & ((x - 10) ** 2 + (y - 20) ** 2 < 16)] = HEPATIC_VEINS.label
    for (i, j, k), radius in TUMOURS:
        array[(x - i) ** 2 + (y - j) ** 2 + (z - k) ** 2 < radius**2] = LIVER_TUMOUR.label
    segments = (LIVER, LIVER_TUMOUR, PORTAL_VEIN, HEPATIC_VEINS)
    return LabelMap(array=array, geometry=geometry, segments=segments)


def whole_grid_maps(label_map: LabelMap) -> dict[str, np.ndarray[Any, Any]]:
    """Four signed distance maps on the whole grid."""
    maps = {}
    for segment in (LIVER_TUMOUR, LIVER, PORTAL_VEIN, HEPATIC_VEINS):
        image = sitk.GetImageFromArray(label_map.mask(segment).astype(np.uint8))
        image.SetSpacing(label_map.geometry.spacing_mm[::-1])
        distance = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
        maps[segment.name] = sitk.GetArrayFromImage(distance)
    return maps


def whole_grid_cut(
    label_map: LabelMap, maps: dict[str, np.ndarray[Any, Any]]
) -> tuple[float, float]:
    """Resected millilitres and smallest margin, by voxels."""
    index = np.moveaxis(np.indices(label_map.geometry.shape, dtype=np.float32), 0, -1)
    distance = CUT.distance_mm(label_map.geometry.to_lps(index))
    liver = label_map.array > 0
    resected = (liver & (distance < 0)).sum() * label_map.geometry.voxel_volume_mm3 / 1000
    sheet = liver & (np.abs(distance) < max(label_map.geometry.spacing_mm) / 2)
    return float(resected), float(maps[LIVER_TUMOUR.name][sheet].min())


def timed(words: str, call: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    """Result and seconds of processor time, the least of some repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    print(f"{words:<58}{min(seconds):9.3f} s")
    return result, min(seconds)


def main() -> None:
    """Time both ways and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=129)
    slices = parser.parse_args().slices
    label_map = body(slices)
    print(f"512 x 512 x {slices}; processor time, one thread")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    maps, maps_s = timed(
        "whole grid: four signed distance maps", lambda: whole_grid_maps(label_map)
    )
    slow, slow_s = timed("whole grid: one plane", lambda: whole_grid_cut(label_map, maps))
    prepared, prepare_s = timed("surgplan: prepare", lambda: prepare(label_map))
    found, fast_s = timed(
        "surgplan: one plane, all numbers",
        lambda: assess_prepared(prepared, CUT, margin_mm=10.0),
        REPEATS,
    )
    plans, _ = timed("surgplan: propose three", lambda: propose(label_map, margin_mm=10.0))
    margin = min(abs(t.margin_mm) for t in found.tumours)
    print(
        f"preparation {maps_s / prepare_s:.1f} times, each plane {slow_s / fast_s:.0f} times faster"
    )
    print(f"resected: whole grid {slow[0]:.2f} ml, surgplan {found.resected_ml:.2f} ml")
    print(f"smallest margin: whole grid {slow[1]:.2f} mm, surgplan {margin:.2f} mm")
    for plan in plans:
        print(f"  {plan.name}: {plan.why}")


if __name__ == "__main__":
    main()
