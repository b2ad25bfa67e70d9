"""Whether training scans come back out of a generator, and its audit in the model card."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from _real_scans import SPACING_MM, Image, Real
from _synthesis_realism import realism_table
from scipy import ndimage

from surgplan.synthesis import (
    FACTOR,
    LOOKS,
    PATCH_SIDE,
    REMAINDER_HU,
    Gallery,
    Generator,
    audit_copies,
    class_index,
    class_means,
    condition,
    find_generator,
    load_generator,
    mean_image,
    membership_auc,
    one_hot,
    pack,
    remainder,
    texture_of,
    training_scheduler,
    unpack,
    with_tissue,
)

if TYPE_CHECKING:
    from surgplan.training._generator_samples import Scan

AUDIT = "## Realism and privacy"
STEP = 16
TISSUE_SHARE = 0.6
TIMES = (200, 500, 800)
"""Of the flow's thousand, that membership is asked at."""

Index = npt.NDArray[np.int64]


def privacy(reals: list[Real], made: list[Image], folder: Path, name: str | None) -> dict[str, Any]:
    """Copies of training scans among made patches, and membership by reconstruction error."""
    from surgplan.training import read_generator_settings
    from surgplan.training._generator_samples import load_scans

    config = Path(__file__).parents[1] / "scripts/configs/synthesis_abdomen.toml"
    scans = [
        s
        for one in read_generator_settings(config).sources
        if one.source.image is not None and one.look != "MR"
        for s in load_scans(one, folder, SPACING_MM)
    ]
    trained = [(scan.image.numpy(), index_of(scan)) for scan in scans]
    gallery = Gallery([texture_of(image, index) for image, index in trained])
    own = [p for r in reals for p in texture_patches(r.image, r.index.numpy())]
    found = [
        p for r, i in zip(reals, made, strict=True) for p in texture_patches(i, r.index.numpy())
    ]
    audit = audit_copies(found, gallery, own)
    generator = load_generator(find_generator(name))
    planted = {
        way: round(gallery.nearest(patch).correlation, 4)
        for way, patch in planted_copies(*trained[0], reals[0], generator).items()
    }
    inside = [v for scan in trained for v in losses(rest_of(*scan), generator)]
    outside = [v for r in reals for v in losses(r.rest(r.image), generator)]
    of_flow = [
        [v for image, index, look in given for v in flow_losses(image, index, look, generator)]
        for given in (
            [(*scan, source.look) for scan, source in zip(trained, scans, strict=True)],
            [(r.image, r.index.numpy(), LOOKS.index(r.scene.look)) for r in reals],
        )
    ]
    return {
        "copies": audit.to_dict(),
        "made_patches": len(found),
        "held_out_patches": len(own),
        "training_scans": len(trained),
        "planted_copies": planted,
        "planted_copies_found": all(v > audit.threshold for v in planted.values()),
        "membership_auc": round(membership_auc(inside, outside), 3),
        "membership_auc_flow": round(membership_auc(*of_flow), 3),
        "membership_note": "reconstruction error, and error of the flow's velocity, against two "
        "scans of another hospital; another scanner alone can move them away from 0.5",
    }


def index_of(scan: Scan) -> Index:
    """Place in `CLASSES` of every voxel of a training scan."""
    labels = with_tissue(scan.labels.numpy().astype(np.uint8), scan.image.numpy())
    return class_index(torch.from_numpy(labels)).numpy()


def rest_of(image: Image, index: Index) -> Image:
    """What an image has beyond the means of its classes."""
    values, place = torch.from_numpy(image), torch.from_numpy(index)
    return (values - mean_image(place, class_means(place, values))).numpy()


def texture_patches(image: Image, index: Index) -> list[Image]:
    """Overlapping patches of texture, those that show tissue for the most part."""
    texture = texture_of(image, index)
    starts = [range(0, n - PATCH_SIDE + 1, STEP) for n in texture.shape]
    boxes = [tuple(slice(n, n + PATCH_SIDE) for n in start) for start in product(*starts)]
    return [texture[box] for box in boxes if (texture[box] != 0).mean() > TISSUE_SHARE]


def planted_copies(
    image: Image, index: Index, other: Real, generator: Generator
) -> dict[str, Image]:
    """The middle of a training scan as it might come back, noise of 15 HU on it; texture alone."""
    rng = np.random.default_rng(0)
    box = _middle(image.shape)
    rest = rest_of(image, index)
    elsewhere = other.scene.means.numpy().copy()
    there = _middle(elsewhere.shape)
    elsewhere[there] += np.clip(rest[box], -240, 240)
    larger = [ndimage.zoom(a, 1.05, order=o)[_whole(a)] for a, o in ((image, 1), (index, 0))]
    ways = {
        "noisy": (image, index, box),
        "blurred": (ndimage.gaussian_filter(image, 1.0), index, box),
        "brightened": (1.4 * image + 60, index, box),
        "moved by half a voxel": (ndimage.shift(image, 0.5, order=1), index, box),
        "larger by 5 %": (larger[0], larger[1], box),
        "through the autoencoder": (image - rest + kept(rest, generator), index, box),
        "in another person": (elsewhere, other.index.numpy(), there),
    }
    return {
        way: texture_of(copy + rng.normal(0, 15, copy.shape).astype(np.float32), labels)[at]
        for way, (copy, labels, at) in ways.items()
    }


def _middle(shape: tuple[int, ...]) -> tuple[slice, ...]:
    starts = [n // 2 - PATCH_SIDE // 2 + 3 for n in shape]
    return tuple(slice(m, m + PATCH_SIDE) for m in starts)


def _whole(image: npt.NDArray[Any]) -> tuple[slice, ...]:
    return tuple(slice(0, n) for n in image.shape)


def kept(rest: Image, generator: Generator) -> Image:
    """What the autoencoder keeps of a remainder, in Hounsfield units."""
    whole = tuple(slice(0, n - n % 8) for n in rest.shape)
    given = torch.from_numpy(np.ascontiguousarray(rest[whole]))
    given = remainder(given, torch.zeros_like(given))
    with torch.inference_mode():
        latent = generator.autoencoder.encode(pack(given))[0]
        found = unpack(generator.autoencoder.decode(latent)).numpy() * REMAINDER_HU
    result = np.zeros_like(rest)
    result[whole] = found
    return result


def losses(rest: Image, generator: Generator) -> list[float]:
    """Relative error of the autoencoder in cubes of 32 voxels with something in them."""
    values = []
    starts = [range(0, n - 31, 32) for n in rest.shape]
    for start in product(*starts):
        cube = np.clip(rest[tuple(slice(n, n + 32) for n in start)], -240, 240)
        if cube.std() > 8:
            error = np.abs(np.clip(kept(cube, generator), -240, 240) - cube).mean()
            values.append(float(error / max(float(np.abs(cube).mean()), 0.06)))
    return values


def flow_losses(image: Image, index: Index, look: int, generator: Generator) -> list[float]:
    """Squared error of the flow's velocity in cubes of 48 voxels, the noise the same for all."""
    rest = rest_of(image, index)
    scheduler = training_scheduler(generator.settings)
    values = []
    for start in product(*[range(0, n - 47, 48) for n in image.shape]):
        box = tuple(slice(n, n + 48) for n in start)
        if rest[box].std() <= 8:
            continue
        means = torch.from_numpy(np.ascontiguousarray((image - rest)[box]))
        shares = one_hot(torch.from_numpy(np.ascontiguousarray(index[box])), FACTOR)
        given = condition(shares, means, SPACING_MM, SPACING_MM)
        left = torch.from_numpy(np.ascontiguousarray(rest[box]))
        errors = []
        with torch.inference_mode():
            coded = generator.autoencoder.encode(pack(remainder(left, torch.zeros_like(left))))[0]
            latent = generator.scale * coded
            for number, at in enumerate(TIMES):
                noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(number))
                time = torch.tensor([at])
                noisy = scheduler.add_noise(original_samples=latent, noise=noise, timesteps=time)
                found = generator.flow(
                    torch.cat([noisy, given], dim=1), time, class_labels=torch.tensor([look])
                )
                errors.append(float((found - (latent - noise)).square().mean()))
        values.append(float(np.mean(errors)))
    return values


def write_audit(found: dict[str, Any], bundle: Path) -> None:
    """The figures as the last section of the bundle's model card, in place of older ones."""
    card = bundle / "docs/README.md"
    audit, copies = found["privacy"], found["privacy"]["copies"]
    planted = ", ".join(f"{way} {value}" for way, value in audit["planted_copies"].items())
    section = f"""{AUDIT}

Painted from the labels of two real portal-phase CTs that no network here was trained on; lower is
more real, except for the Dice of the whole liver seen by the segmentation network; the last column
is processor time for one scan.

{realism_table(found)}

Copies, looked for at every place of {audit["training_scans"]} training scans in the texture that is
left when each structure's own mean is taken away: {copies["copied"]:.1%} of {audit["made_patches"]}
made patches are more like a training scan than 95 percent of {audit["held_out_patches"]} held-out
real patches are (threshold {copies["threshold"]}, the largest {copies["largest"]}, of the held-out
ones {copies["largest_held_out"]}); 5 percent is what other people's scans would give. Planted
copies were {"all found" if audit["planted_copies_found"] else "NOT ALL FOUND"} ({planted}).
Membership by reconstruction error: AUC {audit["membership_auc"]}, by the error of the flow:
{audit["membership_auc_flow"]}, against another hospital, whose scanner alone moves them.
"""
    text = card.read_text().split(AUDIT)[0].rstrip()
    card.write_text(f"{text}\n\n{section}")
