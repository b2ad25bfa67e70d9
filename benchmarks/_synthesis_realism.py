"""How real painted images are, and whether they still show what their labels say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _real_scans import SPACING_MM, Image, Real

from surgplan.io import read_json, write_json
from surgplan.segmentation import SegmentSettings, segment
from surgplan.synthesis import (
    CLASSES,
    edge_profile,
    feature_distance,
    histogram_distance,
    network_features,
    noise_power,
    texture_features,
)
from surgplan.volume import LIVER, Modality, Volume

SIDE, STEP = 48, 16
FAT = CLASSES.index(201)
REAL = "real against real (the two scans)"

Features = dict[str, np.ndarray[Any, np.dtype[np.float64]]]


def patches(image: Image, slices: int = SIDE) -> list[Image]:
    """Overlapping cubes, or slabs of fewer slices, that show more body than air."""
    sides = (slices, SIDE, SIDE)
    starts = [range(0, n - side + 1, STEP) for n, side in zip(image.shape, sides, strict=True)]
    cubes = [
        image[z : z + slices, y : y + SIDE, x : x + SIDE]
        for z in starts[0]
        for y in starts[1]
        for x in starts[2]
    ]
    return [cube for cube in cubes if np.median(cube) > -300]


def features_of(images: list[Image]) -> Features:
    """Of the network, all levels together and the deepest alone; and texture without a network."""
    found = [p for image in images for p in patches(image)]
    levels = network_features(found)
    return {
        "network": np.hstack(levels),
        "network_deepest": levels[-1],
        "texture": texture_features(found),
    }


def realism(reals: list[Real], made: dict[str, list[Image]]) -> dict[str, dict[str, Any]]:
    """One row per method: features, noise, edges and histograms."""
    wanted = features_of([r.image for r in reals])
    rows: dict[str, dict[str, Any]] = {
        name: {
            **_distances(features_of(images), wanted),
            **{
                key: round(float(np.mean(values)), 3)
                for key, values in _against_real(reals, images).items()
            },
        }
        for name, images in made.items()
    }
    half = len(patches(reals[0].image))
    rows[REAL] = _distances(
        {k: v[:half] for k, v in wanted.items()}, {k: v[half:] for k, v in wanted.items()}
    )
    return rows


def _distances(made: Features, wanted: Features) -> dict[str, float]:
    return {f"{key}_distance": round(feature_distance(made[key], wanted[key]), 4) for key in wanted}


def noise_error(real: Real, image: Image) -> float:
    """Mean of how far the noise power inside the liver lies off, in octaves, over frequencies."""
    whole = real.label_map.whole_liver()
    _, wanted = noise_power(real.image, whole, SPACING_MM)
    _, power = noise_power(image, whole, SPACING_MM)
    return float(np.abs(np.log2(power / wanted)).mean())


def _against_real(reals: list[Real], images: list[Image]) -> dict[str, list[float]]:
    keys = ("noise_power_log2_error", "edge_error", "liver_histogram_hu", "body_histogram_hu",
            "liver_std_hu", "real_liver_std_hu")  # fmt: skip
    found: dict[str, list[float]] = {key: [] for key in keys}
    for real, image in zip(reals, images, strict=True):
        liver = real.label_map.mask(LIVER)
        whole = real.label_map.whole_liver()
        found["noise_power_log2_error"].append(noise_error(real, image))
        fat = (real.index == FAT).numpy()
        edges = [edge_profile(i, whole, fat, real.geometry)[1] for i in (real.image, image)]
        found["edge_error"].append(float(np.abs(edges[1] - edges[0]).max()))
        found["liver_histogram_hu"].append(histogram_distance(image[liver], real.image[liver]))
        body = real.image > -300
        found["body_histogram_hu"].append(histogram_distance(image[body], real.image[body]))
        found["liver_std_hu"].append(float(image[liver].std()))
        found["real_liver_std_hu"].append(float(real.image[liver].std()))
    return found


def fidelity(name: str, reals: list[Real], images: list[Image], keep: Path | None) -> float:
    """Mean Dice of the whole liver: the shipped network on the image, against its labels."""
    values = []
    for real, image in zip(reals, images, strict=True):
        path = None if keep is None else keep / f"{name.replace(' ', '-')}-{real.name}.json"
        if path is not None and path.exists():
            values.append(float(read_json(path)["whole_liver_dice"]))
            continue
        values.append(whole_liver_dice(real, image, "CT"))
        if path is not None:
            write_json({"whole_liver_dice": values[-1]}, path)
    return round(float(np.mean(values)), 3)


def whole_liver_dice(real: Real, image: Image, modality: Modality) -> float:
    """The shipped network on one image."""
    scan = Volume(array=image, geometry=real.geometry, modality=modality)
    seen = segment(scan, settings=SegmentSettings()).label_map.whole_liver()
    wanted = real.label_map.whole_liver()
    return 2 * float((seen & wanted).sum()) / float(seen.sum() + wanted.sum())


def realism_table(found: dict[str, Any]) -> str:
    """The ways to paint as rows of Markdown."""
    heads = ("network features", "deepest level alone", "texture features", "noise power, octaves",
             "edge", "liver histogram, HU", "body histogram, HU", "liver Dice", "s")  # fmt: skip
    keys = ("network_distance", "network_deepest_distance", "texture_distance",
            "noise_power_log2_error", "edge_error", "liver_histogram_hu",
            "body_histogram_hu", "whole_liver_dice", "processor_s")  # fmt: skip
    lines = ["| image | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    for name, row in found["realism"].items():
        cells = {key: str(row.get(key, "")) for key in keys}
        if "noise_power_log2_error_range" in row:
            low, high = row["noise_power_log2_error_range"]
            cells["noise_power_log2_error"] += f" ({low} to {high})"
        lines.append(f"| {name} | " + " | ".join(cells.values()) + " |")
    return "\n".join(lines)
