"""Measure anew the noise that a generator puts back into its images; the weights stay.

    python scripts/measure_noise.py BUNDLE --config FILE.toml [--data FOLDER]

The config is the one that the generator was trained with.

Research and education only. Not a medical device.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from surgplan.synthesis import LOOKS, find_generator
from surgplan.training import measure_generator_noise


def main() -> int:
    """Read the call, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("bundle", help="name or folder")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=None, help="that the config's paths start in")
    options = parser.parse_args()
    bundle = find_generator(options.bundle)
    lost = measure_generator_noise(options.config, bundle, data=options.data)
    for look, noise, shape in zip(LOOKS, lost.noise, lost.shape, strict=True):
        print(f"{look}: median {float(noise[1:].median()):.1f} HU, {shape.to_dict()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
