"""How real synthetic MR is, by the only MR there is: one that the generator was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from _real_scans import SPACING_MM, Image
from _synthesis_privacy import index_of
from _synthesis_realism import patches

from surgplan.synthesis import (
    Person,
    SampleSettings,
    Scanner,
    Scene,
    class_means,
    feature_distance,
    find_generator,
    generate,
    histogram_distance,
    hu_as_mr,
    load_generator,
    mr_as_hu,
    network_features,
    noise_power,
    randomised_picture,
    texture_features,
)
from surgplan.volume import LIVER

SLICES = 16
NOTE = "judged by the MR that the generator was trained on: how well it is learned, no more"


def mr_realism(folder: Path, name: str | None) -> dict[str, Any]:
    """Domain randomisation and the flow on the labels of the MR, against it."""
    from surgplan.training import read_generator_settings
    from surgplan.training._generator_samples import load_scans

    config = Path(__file__).parents[1] / "scripts/configs/synthesis_abdomen.toml"
    sources = read_generator_settings(config).sources
    (source,) = [s for s in sources if s.source.image is not None and s.look == "MR"]
    (scan,) = load_scans(source, folder, SPACING_MM)
    index = torch.from_numpy(index_of(scan))
    means = class_means(index, scan.image)
    scene = Scene(
        ideal=means[index], index=index, look="MR", voxel_mm=SPACING_MM, thickness_mm=SPACING_MM
    )
    scanner = Scanner.draw("MR", np.random.default_rng(0))
    person = Person(sex="male", size=1, liver_ml=1500, condition="normal", bends_mm=0)
    chance = torch.Generator().manual_seed(0)
    drawn = mr_as_hu(randomised_picture(hu_as_mr(scene.ideal), index, person, scanner, chance))
    generator = load_generator(find_generator(name))
    flow = generate(generator, scene, SampleSettings(steps=10), chance)
    real, liver = scan.image.numpy(), (scan.labels == LIVER.label).numpy()
    rows = {
        way: _row(image.numpy(), real, liver)
        for way, image in (("domain randomisation", drawn), ("flow, 10 steps", flow))
    }
    return {"scan": source.source.name, "note": NOTE, "rows": rows}


def mr_table(found: dict[str, Any]) -> str:
    """As Markdown."""
    heads = ("network features", "texture features", "noise power, octaves",
             "liver histogram", "body histogram")  # fmt: skip
    keys = ("network_distance", "texture_distance", "noise_power_log2_error",
            "liver_histogram", "body_histogram")  # fmt: skip
    lines = ["| MR | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    for way, row in found["rows"].items():
        lines.append(f"| {way} | " + " | ".join(str(row[k]) for k in keys) + " |")
    return "\n".join(lines)


def _row(made: Image, real: Image, liver: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, float]:
    """Distances on the scale of generators, on which fat is about 270 and liver 100 (T1)."""
    slabs = [patches(image, SLICES) for image in (made, real)]
    network = [np.hstack(network_features(c, "MR")) for c in slabs]
    texture = [texture_features(c) for c in slabs]
    _, power = noise_power(made, liver, SPACING_MM)
    _, wanted = noise_power(real, liver, SPACING_MM)
    body = real > -120
    return {
        "network_distance": round(feature_distance(*network), 4),
        "texture_distance": round(feature_distance(*texture), 4),
        "noise_power_log2_error": round(float(np.abs(np.log2(power / wanted)).mean()), 3),
        "liver_histogram": round(histogram_distance(made[liver], real[liver]), 2),
        "body_histogram": round(histogram_distance(made[body], real[body]), 2),
    }
