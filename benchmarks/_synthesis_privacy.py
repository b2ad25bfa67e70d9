"""Whether training scans come back out of a generator, and its audit in the model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from _real_scans import SPACING_MM, Image, Real
from _synthesis_realism import realism_table

from surgplan.synthesis import (
    audit_copies,
    class_index,
    class_means,
    descriptors,
    find_generator,
    load_generator,
    mean_image,
    membership_auc,
    pack,
    remainder,
    unpack,
    with_tissue,
)

AUDIT = "## Realism and privacy"


def privacy(reals: list[Real], made: list[Image], folder: Path, name: str | None) -> dict[str, Any]:
    """Copies of training scans among made patches, and membership by reconstruction error."""
    from surgplan.training import GeneratorTrainingSettings, read_generator_settings
    from surgplan.training._generator_samples import load_scans

    config = Path(__file__).parents[1] / "scripts/configs/synthesis_abdomen.toml"
    settings: GeneratorTrainingSettings = read_generator_settings(config)
    scans = [
        s for one in settings.sources if one.source.image is not None and one.look != "MR"
        for s in load_scans(one, folder, SPACING_MM)
    ]  # fmt: skip
    rests = []
    for scan in scans:
        index = class_index(
            torch.from_numpy(with_tissue(scan.labels.numpy().astype(np.uint8), scan.image.numpy()))
        )
        means = mean_image(index, class_means(index, scan.image))
        rests.append((scan.image - means).clamp(-240, 240).numpy())
    side = 24
    training = descriptors([p for r in rests for p in _rest_patches(r, 6, side)])
    held_out = descriptors([p for r in reals for p in _rest_patches(r.rest(r.image), 24, side)])
    found = [
        p for r, i in zip(reals, made, strict=True) for p in _rest_patches(r.rest(i), 24, side)
    ]
    audit = audit_copies(descriptors(found), training, held_out)
    planted = rests[0][30 : 30 + side, 31 : 31 + side, 43 : 43 + side]
    planted = planted + np.random.default_rng(0).normal(0, 0.3 * planted.std(), planted.shape)
    with_copy = audit_copies(descriptors([*found, planted]), training, held_out)
    generator = load_generator(find_generator(name))

    def losses(rest: Image) -> list[float]:
        values = []
        for patch in patches_of_rest(rest):
            given = remainder(patch, torch.zeros_like(patch))
            with torch.inference_mode():
                kept = unpack(generator.autoencoder.decode(
                    generator.autoencoder.encode(pack(given))[0]
                ))  # fmt: skip
            values.append(float((kept - given).abs().mean() / given.abs().mean().clamp_min(1e-3)))
        return values

    inside = [v for r in rests for v in losses(r)]
    outside = [v for r in reals for v in losses(np.clip(r.rest(r.image), -240, 240))]
    return {
        "copies": audit.to_dict(),
        "training_patches": len(training),
        "made_patches": len(found),
        "planted_copy_found": any(i == len(found) for i, _ in with_copy.suspects),
        "membership_auc": round(membership_auc(inside, outside), 3),
        "membership_note": "reconstruction error against two scans of another hospital; another "
        "scanner alone can move it away from 0.5",
    }


def _rest_patches(rest: Image, step: int, side: int) -> list[Image]:
    shape = rest.shape
    return [
        rest[z : z + side, y : y + side, x : x + side]
        for z in range(0, max(1, shape[0] - side + 1), step)
        for y in range(0, shape[1] - side + 1, step)
        for x in range(0, shape[2] - side + 1, step)
        if rest[z : z + side, y : y + side, x : x + side].shape == (side,) * 3
        and rest[z : z + side, y : y + side, x : x + side].std() > 8
    ]


def patches_of_rest(rest: Image) -> list[torch.Tensor]:
    """Non-overlapping cubes of 32 voxels with something in them."""
    return [torch.from_numpy(np.ascontiguousarray(p)) for p in _rest_patches(rest, 32, 32)]


def write_audit(found: dict[str, Any], bundle: Path) -> None:
    """The figures as the last section of the bundle's model card, in place of older ones."""
    card = bundle / "docs/README.md"
    audit, copies = found["privacy"], found["privacy"]["copies"]
    section = f"""{AUDIT}

Painted from the labels of two real portal-phase CTs that no network here was trained on; lower is
more real, except for the Dice of the whole liver seen by the segmentation network; the last column
is processor time for one scan.

{realism_table(found)}

Copies: {copies["copied"]:.1%} of {audit["made_patches"]} made patches are more like a training
patch than 95 percent of held-out real patches are (largest correlation {copies["largest"]},
threshold {copies["threshold"]}); 5 percent is what other people's scans would give. A planted noisy
copy was {"found" if audit["planted_copy_found"] else "NOT FOUND"}. Membership by reconstruction
error: AUC {audit["membership_auc"]}, against another hospital, whose scanner alone moves it.
"""
    text = card.read_text().split(AUDIT)[0].rstrip()
    card.write_text(f"{text}\n\n{section}")
