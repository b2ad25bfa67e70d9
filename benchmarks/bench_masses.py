"""What a large mass beside the liver costs the liver.

    python benchmarks/bench_masses.py [--cases ../shared/cases] [--model NAME] [--seeds 4]
                                      [--json docs/masses.json] [--threads 2]

Into a scan with a labelled liver a ball as bright as a tumour or as the liver itself, 50 to 90 mm
wide, is painted against the liver's surface, only outside the liver. The Dice of the whole liver
with the mass is compared with the one without. Scans: phantoms, and TotalSegmentator's example CT
(its liver was trained on, its masses were not).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.io import read_numbers, read_volume, write_json
from surgplan.phantom import PhantomSettings, make_phantom, render_ct
from surgplan.segmentation import SegmentSettings, find_model, segment
from surgplan.volume import Volume

Mask = npt.NDArray[np.bool_]
LIVER_OF_TOTALSEGMENTATOR = 5
PHANTOM_SEEDS = (501, 502)


def main() -> None:
    """Segment every scan with and without masses and print one row per mass."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    shared = Path(__file__).parents[2] / "shared" / "cases"
    parser.add_argument("--cases", type=Path, default=shared)
    parser.add_argument("--model", default=None)
    parser.add_argument("--seeds", type=int, default=4, help="masses per scan")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    settings = SegmentSettings(model=options.model, threads=options.threads)
    rows = []
    print("| scan | mass | ml | HU to liver | Dice without | with | loss |")
    print("|---|---|---|---|---|---|---|")
    for name, scan, liver in scans(options.cases):
        without = dice(scan, liver, settings)
        for seed in range(options.seeds):
            changed, volume_ml, contrast_hu = with_mass(scan, liver, np.random.default_rng(seed))
            loss = without - dice(changed, liver, settings)
            row = {
                "scan": name,
                "mass": seed,
                "volume_ml": round(volume_ml, 1),
                "contrast_hu": round(contrast_hu, 1),
                "dice_without": round(without, 4),
                "dice_with": round(without - loss, 4),
                "loss": round(loss, 4),
            }
            rows.append(row)
            print("| " + " | ".join(str(v) for v in row.values()) + " |", flush=True)
    losses = [row["loss"] for row in rows]
    print(f"loss: mean {np.mean(losses):.4f}, worst {np.max(losses):.4f}")
    if options.json:
        model = find_model(options.model)
        write_json({"model": model.name, "sha256": model.sha256, "rows": rows}, options.json)


def scans(cases: Path) -> Iterator[tuple[str, Volume, Mask]]:
    """Scans and their whole livers."""
    for seed in PHANTOM_SEEDS:
        phantom = make_phantom(PhantomSettings(seed=seed, spacing_mm=(2.0, 1.5, 1.5)))
        scan = render_ct(phantom, seed=seed, phase="portal")
        yield f"phantom {seed}", scan, phantom.label_map.whole_liver()
    folder = cases / "totalseg-ct"
    if folder.is_dir():
        numbers, _ = read_numbers(folder / "labels.nii.gz")
        scan = read_volume(folder / "ct.nii.gz", modality="CT")
        yield "totalseg-ct", scan, numbers == LIVER_OF_TOTALSEGMENTATOR


def with_mass(scan: Volume, liver: Mask, rng: np.random.Generator) -> tuple[Volume, float, float]:
    """The scan with a ball against its liver, the ball's ml and its contrast to the liver."""
    image = scan.array.astype(np.float32)
    body = ndimage.binary_fill_holes(ndimage.binary_opening(image > -250, iterations=2))
    spacing = np.array(scan.geometry.spacing_mm)
    radius_mm = float(rng.uniform(25, 45))
    outside = ndimage.distance_transform_edt(~liver, sampling=spacing)
    to_air = ndimage.distance_transform_edt(body, sampling=spacing)
    shell = np.abs(outside - 0.7 * radius_mm) < spacing.max()
    places = np.argwhere(shell & (to_air > 0.8 * radius_mm))
    centre = places[rng.integers(len(places))]
    away = np.sqrt(
        sum(
            (step * (np.arange(n) - c).reshape([-1 if k == axis else 1 for k in range(3)])) ** 2
            for axis, (n, c, step) in enumerate(zip(liver.shape, centre, spacing, strict=True))
        )
    )
    ball = (away < radius_mm) & ~liver & body
    contrast_hu = float(rng.uniform(-45, 10))
    inside = ndimage.binary_erosion(liver, iterations=3)
    noise = rng.permutation(image[inside])[: int(ball.sum())] - np.median(image[inside])
    noise = np.resize(noise, int(ball.sum()))
    painted = image.copy()
    painted[ball] = np.median(image[inside]) + contrast_hu + noise
    soft = ndimage.gaussian_filter(ball.astype(np.float32), 0.7)
    mixed = np.where(liver, image, image + soft * (painted - image))
    array = np.rint(mixed).astype(np.int16)
    changed = Volume(array=array, geometry=scan.geometry, modality=scan.modality)
    return changed, float(ball.sum()) * scan.geometry.voxel_volume_mm3 / 1000, contrast_hu


def dice(scan: Volume, liver: Mask, settings: SegmentSettings) -> float:
    """Of the whole liver that the model finds."""
    found = segment(scan, settings=settings).label_map.whole_liver()
    return float(2 * (found & liver).sum() / (found.sum() + liver.sum()))


if __name__ == "__main__":
    main()
