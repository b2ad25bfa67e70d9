"""Synthetic scans with exact labels, for training: the same as `surgplan synthesize`.

Usage: python scripts/generate_volumes.py OUT_DIR [COUNT] [WORKERS]

Read on for how to ask for what the command line has no word for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from surgplan.synthesis import LesionWish, PersonSettings, VolumeSettings
from surgplan.training import DatasetSettings, generate_volumes

VOLUMES = VolumeSettings(
    modality="CT",
    look="portal",
    person=PersonSettings(condition="cirrhosis"),
    lesions=(
        LesionWish(kind="hcc", diameter_mm=35.0, contact="abut"),
        LesionWish(kind="hcc", diameter_mm=12.0, contact="avoid"),
    ),
    spacing_mm=3.0,
    slice_mm=5.0,
)


def main(folder: Path, count: int, workers: int) -> None:
    """Write the data set, or what is missing of it."""
    settings = DatasetSettings(count=count, seed=1, volumes=VOLUMES, workers=workers)
    manifest = generate_volumes(
        settings, folder, progress=lambda done, word: print(f"{done:4.0%} {word}", flush=True)
    )
    print(f"{manifest['count']} scans in {folder}; look at {folder / 'preview.png'}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    numbers = [int(word) for word in sys.argv[2:4]]
    main(Path(sys.argv[1]), *(numbers + [4, 1][len(numbers) :]))
