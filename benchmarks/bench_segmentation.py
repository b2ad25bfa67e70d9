"""Seconds and memory of a segmentation, beside MONAI's inferer and the raw forward passes.

    python benchmarks/bench_segmentation.py [--scan ../shared/cases/ircadb-01/ct.nii.gz]
                                            [--slices 129 685] [--threads 2] [--max-memory-gb 3]
                                            [--model NAME]

Every figure comes from a process of its own, so that peaks of memory do not mix. A scan with more
slices than there are is made of the scan repeated, 1 mm apart. `processor` is the processor time
over all threads, which other programs on the machine disturb least. Where there is no scan, noise.

* surgplan: reading aside, `segment` from the scan to labels on its own grid
* scores: the windows of the first network alone, with our slabs and the engine that we choose
* MONAI: `SlidingWindowInferer` with the same network, windows and overlap, torch float32
* forward: the same number of windows through the network alone, on the engine that we choose
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from surgplan.io import read_volume
from surgplan.segmentation import SegmentSettings, find_model, load_network, segment
from surgplan.segmentation._engine import start
from surgplan.segmentation._probe import fastest, timings_for
from surgplan.segmentation._window import sliding_logits, window_count
from surgplan.volume import Geometry, Volume

OVERLAP = SegmentSettings().overlap
WAYS = ("surgplan", "scores", "MONAI", "forward")


def main() -> None:
    """Run every way on every size, each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    real = Path(__file__).parents[2] / "shared" / "cases" / "ircadb-01" / "ct.nii.gz"
    parser.add_argument("--scan", type=Path, default=real if real.is_file() else None)
    parser.add_argument("--slices", type=int, nargs="+", default=[129, 685])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-memory-gb", type=float, default=None)
    parser.add_argument("--model", default=None)
    parser.add_argument("--way", choices=WAYS, default=None, help="one way here, as JSON")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(one(options)))
        return
    print("| scan | way | seconds | processor s | peak GB | note |")
    print("|---|---|---|---|---|---|")
    for slices in options.slices:
        for way in WAYS:
            words = [sys.executable, __file__, *sys.argv[1:], "--way", way]
            done = subprocess.run(
                [*words, "--slices", str(slices)], check=True, capture_output=True, text=True
            )
            row = json.loads(done.stdout.splitlines()[-1])
            figures = f"{row['seconds']:.1f} | {row['processor']:.1f} | {row['peak_gb']:.2f}"
            print(f"| 512x512x{slices} | {way} | {figures} | {row['note']} |", flush=True)


def one(options: argparse.Namespace) -> dict[str, object]:
    """Measure one way on one size."""
    torch.set_num_threads(options.threads)
    volume = scan_of(options.scan, options.slices[0])
    info = find_model(options.model)
    network = load_network(info)
    shape = (1, info.network.channels, *info.window)
    timings = timings_for(network, info.sha256, shape)  # measured before the clock starts
    grid = volume.geometry.with_spacing((info.spacing_mm,) * 3)
    windows = window_count(grid.shape, info.window, OVERLAP)
    engine = fastest(timings, windows).engine
    if options.way == "surgplan":
        limit = options.max_memory_gb and int(options.max_memory_gb * 1e9)
        settings = SegmentSettings(
            model=options.model, threads=options.threads, max_memory_bytes=limit
        )
        return measured(lambda: segment(volume, settings=settings), f"{windows} windows, {engine}")
    image = torch.rand((1, *grid.shape), generator=torch.Generator().manual_seed(0)) * 2 - 1
    if options.way == "MONAI":
        from monai.inferers import SlidingWindowInferer

        inferer = SlidingWindowInferer(info.window, overlap=OVERLAP, mode="gaussian")
        note = f"{windows} windows, torch float32"
        return measured(lambda: inferer(image[None], network), note)
    forward = start(network, engine, shape)
    if options.way == "scores":
        words = {"window": info.window, "overlap": OVERLAP}
        work: Callable[[], object] = lambda: sliding_logits(image, forward, **words)  # noqa: E731
    else:
        part = torch.rand(shape)
        work = lambda: [forward(part) for _ in range(windows)]  # noqa: E731
    return measured(work, f"{windows} windows, {engine}")


def measured(work: Callable[[], object], note: str) -> dict[str, object]:
    """Seconds, processor time and peak memory of the process."""
    begin, processor = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        work()
    return {
        "seconds": time.perf_counter() - begin,
        "processor": time.process_time() - processor,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "note": note,
    }


def scan_of(path: Path | None, slices: int) -> Volume:
    """A scan of so many slices of 512 x 512."""
    if path is None:
        array = np.random.default_rng(0).integers(-200, 300, (slices, 512, 512), dtype=np.int16)
        grid = Geometry.from_spacing(shape=array.shape, spacing_mm=(1.0, 0.7, 0.7))
        return Volume(array=array, geometry=grid, modality="CT")
    volume = read_volume(path, modality="CT")
    if slices == volume.geometry.shape[0]:
        return volume
    count = volume.geometry.shape[0]
    array = volume.array[np.arange(slices) % count]
    spacing = (1.0, *volume.geometry.spacing_mm[1:])
    grid = Geometry.from_spacing(shape=array.shape, spacing_mm=spacing)
    return Volume(array=array, geometry=grid, modality="CT")


if __name__ == "__main__":
    main()
