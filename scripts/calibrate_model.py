"""Measure how sure a model may be, on phantoms it was not trained on, and write it into its bundle.

    python scripts/calibrate_model.py BUNDLE [--seeds 401-420] [--json FILE] [--write]

Phantoms are drawn figures: on patients a model is less sure than this says.

Research and education only. Not a medical device.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from surgplan.io import write_json
from surgplan.segmentation import find_model
from surgplan.training import calibrate


def main() -> int:
    """Read the call, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("bundle", help="name or folder")
    parser.add_argument("--seeds", default="401-420", help="first and last phantom")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="into the bundle's metadata")
    options = parser.parse_args()
    first, last = (int(word) for word in options.seeds.split("-"))
    info = find_model(options.bundle)
    found = calibrate(
        options.bundle, range(first, last + 1), threads=options.threads, progress=show
    )
    print(f"temperature {found.temperature:.2f}")
    print(f"expected calibration error {found.ece_before:.3f}, after it {found.ece_after:.3f}")
    for name, bound in found.structures.items():
        print(f"{name}: volume x/÷ {bound.volume_factor:.2f}, boundary {bound.boundary_mm:.1f} mm")
    if options.json:
        write_json({"model": info.name, "sha256": info.sha256, **asdict(found)}, options.json)
    if options.write:
        found.write_into(info.folder)
    return 0


def show(fraction: float, word: str) -> None:
    """How far it is."""
    print(f"{100 * fraction:3.0f} % {word}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
