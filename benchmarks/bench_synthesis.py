"""How real synthetic CT is, how fast it is made, and whether training scans come back out of it.

Usage: python benchmarks/bench_synthesis.py [--cases FOLDER] [--training FOLDER] [--generator NAME]
       [--others BUNDLE ...] [--out docs/synthesis.json] [--doc docs/synthesis.md]
       [--sheet FILE.png] [--look-sheet FILE.png] [--examples FILE.png] [--keep FOLDER] [--card]
       [--slow]

Every method paints the same labels with the same mean brightness: those of real portal-phase CTs
that no network here was trained on (3D-IRCADb-01), their unlabelled tissue told apart by density.
The sheet shows real slices beside made ones and stays out of the repository; the examples are
made of phantoms alone. Images kept in a folder are not painted again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _doc_tables import put
from _real_scans import SPACING_MM, TABLES, Image, Real
from _synthesis_sheets import LOOK_STRENGTH, as_mr, examples, look_sheet, sheet

import surgplan
from surgplan.io import write_json
from surgplan.segmentation import SegmentSettings, segment
from surgplan.synthesis import (
    CLASSES,
    MR_WEIGHTINGS,
    Person,
    SampleSettings,
    Scanner,
    Scene,
    audit_copies,
    change_look,
    class_index,
    class_means,
    descriptors,
    edge_profile,
    feature_distance,
    find_generator,
    generate,
    histogram_distance,
    hu_as_mr,
    load_generator,
    mean_image,
    membership_auc,
    network_features,
    noise_power,
    pack,
    randomised_picture,
    remainder,
    unpack,
    with_tissue,
)
from surgplan.volume import (
    LIVER,
    Modality,
    Volume,
)

SIDE = 48
FAT = CLASSES.index(201)
FLOW_10 = "flow, 10 steps"
AUDIT = "## Realism and privacy"
OTHERS = ("runs/ddpm-3mm/bundle", "runs/adversarial-3mm/bundle")

Painter = Callable[[Real, int], Image]


def by_generator(name: str | Path | None, settings: SampleSettings) -> Painter:
    """The way of a generator."""
    generator = load_generator(find_generator(name))

    def paint(real: Real, seed: int) -> Image:
        chance = torch.Generator().manual_seed(seed)
        return generate(generator, real.scene, settings, chance).numpy()

    return paint


def randomised(real: Real, seed: int) -> Image:
    """The way of domain randomisation."""
    chance = torch.Generator().manual_seed(seed)
    scanner = Scanner.draw("CT", np.random.default_rng(seed))
    person = Person(sex="male", size=1, liver_ml=1500, condition="normal", bends_mm=0)
    return randomised_picture(real.scene.ideal, real.index, person, scanner, chance).numpy()


def painters(name: str | None, others: list[Path]) -> dict[str, Painter]:
    """Ways to make an image of a scene; other bundles are called by how they sample."""
    ways = {
        "domain randomisation": randomised,
        "decoder alone": by_generator(name, SampleSettings(use_flow=False)),
        "flow, 4 steps": by_generator(name, SampleSettings(steps=4)),
        FLOW_10: by_generator(name, SampleSettings(steps=10)),
    }
    words = {"ddpm": "DDPM, 1000 steps", "adversarial": "adversarial, 1 pass", "flow": "flow"}
    for folder in others:
        if (folder / "configs/metadata.json").is_file():
            how = load_generator(find_generator(folder)).settings.sampler
            ways[words[how]] = by_generator(folder, SampleSettings(steps=10))
    return ways


def painted(
    way: str, paint: Painter, reals: list[Real], keep: Path | None
) -> tuple[list[Image], float]:
    """An image of every scene, and the seconds of processor time that one takes."""
    images, spent = [], []
    for seed, real in enumerate(reals):
        path = None if keep is None else keep / f"{way.replace(' ', '-')}-{real.name}.npz"
        if path is not None and path.exists():
            kept = np.load(path)
            image, seconds = kept["image"], float(kept["seconds"])
        else:
            start = time.process_time()
            image = paint(real, seed)
            seconds = time.process_time() - start
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, image=image, seconds=seconds)
        images.append(image)
        spent.append(seconds)
    return images, round(float(np.mean(spent)), 1)


def patches(image: Image, step: int = 24, side: int = SIDE) -> list[Image]:
    """Overlapping cubes whose middle lies in the body."""
    found = []
    for z in range(0, max(1, image.shape[0] - side + 1), step):
        for y in range(0, image.shape[1] - side + 1, step):
            for x in range(0, image.shape[2] - side + 1, step):
                patch = image[z : z + side, y : y + side, x : x + side]
                if patch.shape == (side,) * 3 and np.median(patch) > -300:
                    found.append(patch)
    return found


def realism(reals: list[Real], made: dict[str, list[Image]]) -> dict[str, dict[str, Any]]:
    """One row per method: features, noise, edges, histograms, and fidelity to the labels."""
    real_features = network_features([p for r in reals for p in patches(r.image)])
    rows = {}
    for name, images in made.items():
        features = network_features([p for i in images for p in patches(i)])
        rows[name] = {
            "feature_distance": round(feature_distance(features, real_features), 4),
            **{
                key: round(float(np.mean(values)), 3)
                for key, values in _against_real(reals, images).items()
            },
        }
    half = len(patches(reals[0].image))
    rows["real against real (the two scans)"] = {
        "feature_distance": round(feature_distance(real_features[:half], real_features[half:]), 4)
    }
    return rows


def _against_real(reals: list[Real], images: list[Image]) -> dict[str, list[float]]:
    keys = ("noise_power_log2_error", "edge_error", "liver_histogram_hu", "body_histogram_hu",
            "liver_std_hu", "real_liver_std_hu")  # fmt: skip
    found: dict[str, list[float]] = {key: [] for key in keys}
    for real, image in zip(reals, images, strict=True):
        liver = real.label_map.mask(LIVER)
        whole = real.label_map.whole_liver()
        _, wanted = noise_power(real.image, whole, SPACING_MM)
        _, power = noise_power(image, whole, SPACING_MM)
        found["noise_power_log2_error"].append(float(np.abs(np.log2(power / wanted)).mean()))
        fat = (real.index == FAT).numpy()
        edges = [edge_profile(i, whole, fat, real.geometry)[1] for i in (real.image, image)]
        found["edge_error"].append(float(np.abs(edges[1] - edges[0]).max()))
        found["liver_histogram_hu"].append(histogram_distance(image[liver], real.image[liver]))
        body = real.image > -300
        found["body_histogram_hu"].append(histogram_distance(image[body], real.image[body]))
        found["liver_std_hu"].append(float(image[liver].std()))
        found["real_liver_std_hu"].append(float(real.image[liver].std()))
    return found


def fidelity(reals: list[Real], images: list[Image]) -> float:
    """Mean Dice of the whole liver: the shipped network on the image, against its labels."""
    values = [whole_liver_dice(r, i, "CT") for r, i in zip(reals, images, strict=True)]
    return round(float(np.mean(values)), 3)


def whole_liver_dice(real: Real, image: Image, modality: Modality) -> float:
    """The shipped network on one image."""
    scan = Volume(array=image, geometry=real.geometry, modality=modality)
    seen = segment(scan, settings=SegmentSettings()).label_map.whole_liver()
    wanted = real.label_map.whole_liver()
    return 2 * float((seen & wanted).sum()) / float(seen.sum() + wanted.sum())


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


def speed(name: str | None, *, slow: bool) -> dict[str, Any]:
    """Seconds for 96 x 128 x 128 voxels at 3 mm; the 1000-step figure is measured on 20 of them."""
    generator = load_generator(find_generator(name))
    index = torch.ones((96, 128, 128), dtype=torch.long)
    scene = Scene(
        ideal=torch.full(index.shape, 100.0), index=index, look="portal",
        voxel_mm=SPACING_MM, thickness_mm=SPACING_MM,
    )  # fmt: skip

    processor: list[float] = []

    def seconds(run: Callable[[], object]) -> float:
        start, busy = time.perf_counter(), time.process_time()
        run()
        processor.append(time.process_time() - busy)
        return time.perf_counter() - start

    chance = torch.Generator().manual_seed(0)
    person = Person(sex="male", size=1, liver_ml=1500, condition="normal", bends_mm=0)
    scanner = Scanner(noise=12.0, psf_voxels=0.5, bias=0.0)
    drawn = seconds(lambda: randomised_picture(scene.ideal, index, person, scanner, chance))
    ten = seconds(lambda: generate(generator, scene, SampleSettings(steps=10), chance))
    one = seconds(lambda: generate(generator, scene, SampleSettings(steps=1), chance))
    step = (ten - one) / 9
    thousand = one + 999 * step
    if slow:
        thousand = seconds(lambda: generate(generator, scene, SampleSettings(steps=1000), chance))
    return {
        "threads": torch.get_num_threads(),
        "shape": [96, 128, 128],
        "randomised_picture_s": round(drawn, 2),
        "flow_10_steps_s": round(ten, 1),
        "randomised_picture_processor_s": round(processor[0], 2),
        "flow_10_steps_processor_s": round(processor[1], 1),
        "flow_1000_steps_s": round(thousand, 0),
        "flow_1000_steps_measured": slow,
        "times_faster": round(thousand / ten, 1),
    }


def looks(reals: list[Real], name: str | None) -> dict[str, Any]:
    """CT turned into MR and back: whether the liver is still found, and the CT the same again."""
    generator = load_generator(find_generator(name))
    settings = SampleSettings(steps=10, strength=LOOK_STRENGTH, noise=False)
    found: dict[str, list[float]] = {}
    for real in reals:
        scan = torch.from_numpy(real.image)
        images = {"CT": scan}
        for look in MR_WEIGHTINGS:
            there = as_mr(real, look, generator, settings)
            chance = torch.Generator().manual_seed(1)
            back = change_look(generator, there, real.scene, settings, chance)
            images |= {f"MR {look}": hu_as_mr(there), f"CT from MR {look}": back}
            body = scan > -300
            liver = torch.from_numpy(real.label_map.mask(LIVER))
            for where, mask in (("body", body), ("liver", liver)):
                error = float((back - scan)[mask].abs().mean())
                found.setdefault(f"{where} error after {look} and back, HU", []).append(error)
            rest = torch.from_numpy(real.rest(there.numpy()))[body]
            pair = torch.stack([rest, torch.from_numpy(real.rest(real.image))[body]])
            found.setdefault(f"texture kept in {look}, correlation", []).append(
                float(pair.corrcoef()[0, 1])
            )
        for way, image in images.items():
            modality = "MR" if way.startswith("MR") else "CT"
            found.setdefault(f"whole liver Dice, {way}", []).append(
                whole_liver_dice(real, image.numpy(), modality)
            )
    return {"strength": LOOK_STRENGTH, **{k: round(float(np.mean(v)), 3) for k, v in found.items()}}


def realism_table(found: dict[str, Any]) -> str:
    """The ways to paint as rows of Markdown."""
    heads = ("feature distance", "noise power, octaves", "edge", "liver histogram, HU",
             "body histogram, HU", "liver Dice", "s")  # fmt: skip
    keys = ("feature_distance", "noise_power_log2_error", "edge_error", "liver_histogram_hu",
            "body_histogram_hu", "whole_liver_dice", "processor_s")  # fmt: skip
    lines = ["| image | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    for name, row in found["realism"].items():
        lines.append(f"| {name} | " + " | ".join(str(row.get(k, "")) for k in keys) + " |")
    return "\n".join(lines)


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


def main() -> None:
    """Measure, print, and write what was measured."""
    shared = Path(__file__).parents[2] / "shared"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, default=shared / "cases")
    parser.add_argument("--training", type=Path, default=shared)
    parser.add_argument("--generator", default=None)
    parser.add_argument("--out", type=Path, default=Path("docs/synthesis.json"))
    parser.add_argument("--doc", type=Path, default=Path("docs/synthesis.md"))
    parser.add_argument("--sheet", type=Path, default=None)
    parser.add_argument(
        "--others", type=Path, nargs="*", default=[Path(p) for p in OTHERS],
        help="bundles to compare with; those that are missing are left out",
    )  # fmt: skip
    parser.add_argument("--keep", type=Path, default=None, help="folder for painted images")
    parser.add_argument("--examples", type=Path, default=None)
    parser.add_argument("--look-sheet", type=Path, default=None)
    parser.add_argument("--slow", action="store_true", help="run all 1000 steps")
    parser.add_argument("--card", action="store_true", help="write figures into the model card")
    args = parser.parse_args()
    found: dict[str, Any] = {"schema": 1, "notice": surgplan.NOT_A_MEDICAL_DEVICE}
    found["generator"] = load_generator(find_generator(args.generator)).name
    if args.examples:
        examples(args.generator, args.examples)
    found["speed"] = speed(args.generator, slow=args.slow)
    print(found["speed"], flush=True)
    if args.cases.is_dir():
        reals = [Real(args.cases, name) for name in TABLES]
        made: dict[str, list[Image]] = {}
        seconds: dict[str, float] = {}
        for name, paint in painters(args.generator, args.others).items():
            made[name], seconds[name] = painted(name, paint, reals, args.keep)
            print(name, seconds[name], flush=True)
        if args.sheet:
            sheet(reals, made, args.sheet)
        found["scans"] = list(TABLES)
        found["realism"] = realism(reals, made)
        for name, images in made.items():
            found["realism"][name]["whole_liver_dice"] = fidelity(reals, images)
            found["realism"][name]["processor_s"] = seconds[name]
        found["realism"]["real against real (the two scans)"]["whole_liver_dice"] = fidelity(
            reals, [r.image for r in reals]
        )
        for name, row in found["realism"].items():
            print(name, row, flush=True)
        found["privacy"] = privacy(reals, made[FLOW_10], args.training, args.generator)
        print(found["privacy"], flush=True)
        found["looks"] = looks(reals, args.generator)
        print(found["looks"], flush=True)
        if args.look_sheet:
            look_sheet(reals, args.generator, args.look_sheet)
        put(args.doc, "realism", realism_table(found))
        if args.card:
            write_audit(found, find_generator(args.generator))
    else:
        print(f"no real cases in {args.cases}: speed alone")
    write_json(found, args.out)


if __name__ == "__main__":
    main()
