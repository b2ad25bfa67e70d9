"""How real synthetic CT is, how fast it is made, and whether training scans come back out of it.

Usage: python benchmarks/bench_synthesis.py [--cases FOLDER] [--training FOLDER] [--generator NAME]
       [--others BUNDLE ...] [--out docs/synthesis.json] [--doc docs/synthesis.md]
       [--sheet FILE.png] [--look-sheet FILE.png] [--examples FILE.png] [--keep FOLDER] [--card]
       [--gates N] [--slow] [--only PART ...]

Every method paints the same labels with the same mean brightness: those of real portal-phase CTs
that no network here was trained on (3D-IRCADb-01), their unlabelled tissue told apart by density.
The sheet shows real slices beside made ones and stays out of the repository; the examples are
made of phantoms alone. Images kept in a folder are not painted again. Parts and rows that are not
measured this time stay as they stand in the file of figures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _doc_tables import put
from _real_scans import SPACING_MM, TABLES, Image, Real
from _synthesis_gates import gates, gates_table, tumours, tumours_table
from _synthesis_looks import looks
from _synthesis_mr import mr_realism, mr_table
from _synthesis_privacy import privacy, write_audit
from _synthesis_realism import (
    REAL,
    fidelity,
    noise_error,
    realism,
    realism_table,
)
from _synthesis_sheets import examples, look_sheet, sheet
from _synthesis_speed import speed

import surgplan
from surgplan.io import read_json, write_json
from surgplan.synthesis import (
    Person,
    SampleSettings,
    Scanner,
    find_generator,
    generate,
    load_generator,
    randomised_picture,
)

DRAWN = "domain randomisation"
SCANNERS = 8
FLOW_10 = "flow, 10 steps"
FLOW_1000 = "flow, 1000 steps"
PARTS = ("speed", "realism", "privacy", "looks", "mr")
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


def noise_of_many_scanners(reals: list[Real]) -> dict[str, Any]:
    """Error of the noise by domain randomisation, which draws a scanner for each image.

    One draw is a matter of luck, so the mean of `SCANNERS` stands for it.
    """
    numbered = list(enumerate(reals))
    errors = [
        float(np.mean([noise_error(r, randomised(r, len(reals) * n + k)) for k, r in numbered]))
        for n in range(SCANNERS)
    ]
    return {
        "noise_power_log2_error": round(float(np.mean(errors)), 3),
        "noise_power_log2_error_range": [round(min(errors), 3), round(max(errors), 3)],
        "noise_power_scanners": SCANNERS,
    }


def painters(name: str | None, others: list[Path], *, slow: bool = False) -> dict[str, Painter]:
    """Ways to make an image of a scene; other bundles are called by how they sample.

    The slow one takes as many steps of the flow as a diffusion does.
    """
    ways = {
        DRAWN: randomised,
        "decoder alone": by_generator(name, SampleSettings(use_flow=False)),
        "flow, 4 steps": by_generator(name, SampleSettings(steps=4)),
        FLOW_10: by_generator(name, SampleSettings(steps=10)),
    }
    if slow:
        ways[FLOW_1000] = by_generator(name, SampleSettings(steps=1000))
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


def judge(args: argparse.Namespace, found: dict[str, Any]) -> None:
    """Add realism, fidelity, privacy and changes of look, written down part by part."""
    reals = [Real(args.cases, name) for name in TABLES]
    found["scans"] = list(TABLES)
    if {"realism", "privacy"} & set(args.only):
        made, seconds = all_painted(args, reals)
    if "realism" in args.only:
        rows = realism_rows(args, reals, made, seconds)
        found["realism"] = found.get("realism", {}) | rows
        put(args.doc, "realism", realism_table(found))
        write_json(found, args.out)
    if "privacy" in args.only:
        found["privacy"] = privacy(reals, made[FLOW_10], args.training, args.generator)
        print(found["privacy"], flush=True)
        write_json(found, args.out)
    if "looks" in args.only:
        found["looks"] = looks(reals, args.generator)
        print(found["looks"], flush=True)
        write_json(found, args.out)
    if "mr" in args.only:
        found["mr"] = mr_realism(args.training, args.generator)
        print(found["mr"], flush=True)
        put(args.doc, "mr", mr_table(found["mr"]))
    if args.look_sheet:
        look_sheet(reals, args.generator, args.look_sheet)


def all_painted(
    args: argparse.Namespace, reals: list[Real]
) -> tuple[dict[str, list[Image]], dict[str, float]]:
    """Images of every way, and the seconds of processor time that one takes."""
    made: dict[str, list[Image]] = {}
    seconds: dict[str, float] = {}
    for name, paint in painters(args.generator, args.others, slow=args.slow).items():
        made[name], seconds[name] = painted(name, paint, reals, args.keep)
        print(name, seconds[name], flush=True)
    if args.sheet:
        sheet(reals, made, args.sheet)
    return made, seconds


def realism_rows(
    args: argparse.Namespace,
    reals: list[Real],
    made: dict[str, list[Image]],
    seconds: dict[str, float],
) -> dict[str, dict[str, Any]]:
    """One row for each way, and one for the scans against each other."""
    rows = realism(reals, made)
    rows[DRAWN] |= noise_of_many_scanners(reals)
    for name, images in made.items():
        rows[name]["whole_liver_dice"] = fidelity(name, reals, images, args.keep)
        rows[name]["processor_s"] = seconds[name]
    own = [r.image for r in reals]
    rows[REAL]["whole_liver_dice"] = fidelity("real", reals, own, args.keep)
    for name, row in rows.items():
        row["measured"] = f"{date.today():%Y-%m-%d}"
        print(name, row, flush=True)
    return rows


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
    parser.add_argument("--gates", type=int, default=0, help="scans of each look to be gated")
    parser.add_argument("--slow", action="store_true", help="also 1000 steps of the flow")
    parser.add_argument("--card", action="store_true", help="write figures into the model card")
    parser.add_argument(
        "--only", nargs="*", choices=PARTS, default=PARTS, help="parts to be measured this time"
    )
    args = parser.parse_args()
    found: dict[str, Any] = read_json(args.out) if args.out.exists() else {}
    found |= {"schema": 1, "notice": surgplan.NOT_A_MEDICAL_DEVICE}
    found["generator"] = load_generator(find_generator(args.generator)).name
    if args.examples:
        examples(args.generator, args.examples)
    if "speed" in args.only:
        found["speed"] = speed(args.generator, SPACING_MM)
        print(found["speed"], flush=True)
    if args.cases.is_dir():
        judge(args, found)
    else:
        print(f"no real cases in {args.cases}: no realism, privacy and looks")
    if args.gates:
        found["gates"] = gates(args.gates)
        put(args.doc, "gates", gates_table(found["gates"]))
        found["gate_tumours"] = tumours(args.gates)
        put(args.doc, "gate tumours", tumours_table(found["gate_tumours"]))
    if args.card:
        write_audit(found, find_generator(args.generator))
    write_json(found, args.out)


if __name__ == "__main__":
    main()
