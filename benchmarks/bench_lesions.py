"""How sure a network must be of a lesion to label it, for any weights.

    python benchmarks/bench_lesions.py [--model NAME_OR_BUNDLE] [--scans 4] [--threads 2]
                                       [--clean-ct SCAN ...] [--clean-mr SCAN ...]
                                       [--json docs/lesions.json]

Lists every place that the network takes for a lesion, labelled or taken back, and whether there is
one. Of each CT phase and MR weighting `--scans` synthetic scans without a lesion and as many with
up to four are made; of each CT phase half as many with treated tumours, which hold dense clumps.
`--clean-ct` and `--clean-mr` name real scans without a lesion.

A lesion is labelled from the confidence, in steps of 0.05, at which most lesions less mistakes are
labelled (the highest of equals), so that of places as sure as that more are lesions than not. It is
labelled without a doubt from the lowest at which there is no mistake. `LEAST_LESION_CONFIDENCE` and
`SURE_LESION_CONFIDENCE` in surgplan/segmentation/_settle.py are to be what it prints.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.evaluation._lesions import LEAST_COVER
from surgplan.io import read_volume, write_json
from surgplan.segmentation import Segmentation, SegmentSettings, find_model, segment
from surgplan.synthesis import (
    MR_WEIGHTINGS,
    PHASES,
    LesionSettings,
    VolumeSettings,
    paint_lesions,
    synthesise,
)
from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, Geometry, Modality, Volume

SEED = 70
SPACING_MM = 2.0
STEPS = np.round(np.arange(0.4, 1.0, 0.05), 2)
LEAST_ML = 0.3
SIZES_ML = (0.0, 5.0, np.inf)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A scan whose lesions are known.

    Attributes
    ----------
    name
        For the table.
    image
        As a user would have it.
    lesions
        ``(slice, row, column)``, on its grid.
    """

    name: str
    image: Volume
    lesions: Mask


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place that the network takes for a lesion.

    Attributes
    ----------
    scan
        Where.
    volume_ml, confidence
        Its size, and the mean probability of a lesion.
    share
        How much of it is lesion; of a ball of its size, where it was taken back.
    """

    scan: str
    volume_ml: float
    confidence: float
    share: float

    @property
    def is_real(self) -> bool:
        """Whether it is no mistake, as `surgplan evaluate` counts them."""
        return self.share >= LEAST_COVER


def main() -> None:
    """Segment every scan, print what each confidence lets pass, and what follows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=None)
    parser.add_argument("--scans", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clean-ct", type=Path, nargs="*", default=[])
    parser.add_argument("--clean-mr", type=Path, nargs="*", default=[])
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    settings = SegmentSettings(model=options.model, threads=options.threads)
    places: list[Place] = []
    names = []
    real = chain(clean(options.clean_ct, "CT"), clean(options.clean_mr, "MR"))
    for scan in chain(synthetic(options.scans), real):
        found = places_of(scan, segment(scan.image, settings=settings))
        names.append(scan.name)
        places += found
        told = [f"{p.volume_ml:.1f} ml {p.confidence:.2f} {p.share:.0%}" for p in found]
        print(f"{scan.name}: {'; '.join(told) or 'nothing'}", flush=True)
    chosen = {"labelled": labelled_from(places), "without_doubt": sure_from(places)}
    print(f"\n{table(places, len(names))}\n{chosen}")
    if options.json:
        model = find_model(options.model)
        facts = {"model": model.name, "sha256": model.sha256, "from": chosen, "scans": names}
        write_json({**facts, "places": [asdict(place) for place in places]}, options.json)


def synthetic(count: int) -> Iterator[Scan]:
    """Drawn scans of every look: without a lesion, with some, with treated ones."""
    number = 0
    for modality, looks in (("CT", PHASES), ("MR", MR_WEIGHTINGS)):
        for look in looks:
            for most in (0, 4):
                settings = VolumeSettings(
                    modality=modality, look=look, lesions=most, spacing_mm=SPACING_MM
                )
                for _ in range(count):
                    made = synthesise(settings, seed=SEED, number=number)
                    kind = "lesions" if most else "clean"
                    lesions = made.label_map.mask(LIVER_TUMOUR, LIVER_CYST)
                    yield Scan(
                        name=f"{look} {modality}, {kind}, {number}",
                        image=made.image, lesions=lesions,
                    )  # fmt: skip
                    number += 1
    for look in PHASES:
        for _ in range(count // 2):
            yield treated(look, number)
            number += 1


def treated(look: str, number: int) -> Scan:
    """A CT whose tumours hold dense clumps."""
    settings = VolumeSettings(look=look, lesions=0, spacing_mm=SPACING_MM)
    made = synthesise(settings, seed=SEED, number=number)
    image, labels = paint_lesions(
        torch.tensor(made.image.array.astype(np.float32)),
        torch.tensor(made.label_map.array),
        LesionSettings(radius_mm=20.0, cyst_share=0, dense_share=1.0),
        SPACING_MM,
        np.random.default_rng([SEED, number]),
        torch.Generator().manual_seed(1000 * SEED + number),
    )
    return Scan(
        name=f"{look} CT, treated, {number}",
        image=Volume(array=image.numpy(), geometry=made.image.geometry, modality="CT"),
        lesions=labels.numpy() == LIVER_TUMOUR.label,
    )


def clean(files: list[Path], modality: Modality) -> Iterator[Scan]:
    """Real scans in which everything that is called a lesion is a mistake."""
    for file in files:
        image = read_volume(file, modality=modality)
        lesions = np.zeros(image.geometry.shape, dtype=bool)
        yield Scan(name=f"{file.parent.name}/{file.name}", image=image, lesions=lesions)


def places_of(scan: Scan, found: Segmentation) -> list[Place]:
    """What is labelled as a lesion, and what was taken back."""
    geometry = scan.image.geometry
    voxel_ml = geometry.voxel_volume_mm3 / 1000
    pieces, _ = ndimage.label(
        found.label_map.mask(LIVER_TUMOUR, LIVER_CYST), structure=np.ones((3, 3, 3))
    )
    places = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        piece = pieces[box] == number
        places.append(
            Place(
                scan=scan.name,
                volume_ml=float(piece.sum()) * voxel_ml,
                confidence=float(found.confidence[box][piece].mean()),
                share=float(scan.lesions[box][piece].mean()),
            )
        )
    for lesion in found.unsure_lesions:
        ball = ball_mask(geometry, lesion.centre_mm, lesion.volume_ml)
        places.append(
            Place(
                scan=scan.name,
                volume_ml=lesion.volume_ml,
                confidence=lesion.confidence,
                share=float(scan.lesions[ball].mean()) if ball.any() else 0.0,
            )
        )
    return [place for place in places if place.volume_ml >= LEAST_ML]


def ball_mask(geometry: Geometry, centre_mm: tuple[float, float, float], volume_ml: float) -> Mask:
    """Voxels within a ball of that volume."""
    middle = geometry.to_index(centre_mm)
    radius_mm = (750 * volume_ml / np.pi) ** (1 / 3)
    steps = [
        (np.arange(n) - at) * step
        for n, at, step in zip(geometry.shape, middle, geometry.spacing_mm, strict=True)
    ]
    z, y, x = np.meshgrid(*steps, indexing="ij", sparse=True)
    inside: Mask = z**2 + y**2 + x**2 <= radius_mm**2
    return inside


def passed(places: list[Place], least: float) -> tuple[int, int]:
    """Lesions and mistakes as sure as that."""
    real = [place.is_real for place in places if place.confidence >= least]
    return sum(real), len(real) - sum(real)


def labelled_from(places: list[Place]) -> float:
    """Where most lesions less mistakes pass; of equals the highest."""
    gain = {float(step): np.subtract(*passed(places, step)) for step in STEPS}
    return max(step for step, value in gain.items() if value == max(gain.values()))


def sure_from(places: list[Place]) -> float:
    """The lowest at which no mistake passes."""
    return min((float(step) for step in STEPS if passed(places, step)[1] == 0), default=1.0)


def table(places: list[Place], scans: int) -> str:
    """What passes at each confidence, by size."""
    groups = [
        [place for place in places if low <= place.volume_ml < high]
        for low, high in pairwise(SIZES_ML)
    ]
    heads = [f"from {low:g} ml: lesions | mistakes in {scans} scans" for low in SIZES_ML[:-1]]
    lines = ["| confidence | " + " | ".join(heads) + " |", "|---" * (2 * len(heads) + 1) + "|"]
    for step in STEPS:
        counts = [passed(group, step) for group in groups]
        cells = [
            f"{real} of {passed(group, 0)[0]} | {mistakes}"
            for group, (real, mistakes) in zip(groups, counts, strict=True)
        ]
        lines.append(f"| {step:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
