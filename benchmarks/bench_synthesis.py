"""How real synthetic CT is, how fast it is made, and whether training scans come back out of it.

Usage: python benchmarks/bench_synthesis.py [--cases FOLDER] [--training FOLDER] [--generator NAME]
       [--others BUNDLE ...] [--out docs/synthesis.json] [--doc docs/synthesis.md]
       [--sheet FILE.png] [--look-sheet FILE.png] [--examples FILE.png] [--keep FOLDER] [--card]
       [--gates N] [--slow]

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
from _synthesis_gates import gates, gates_table
from _synthesis_looks import looks
from _synthesis_privacy import privacy, write_audit
from _synthesis_realism import REAL, fidelity, realism, realism_table
from _synthesis_sheets import examples, look_sheet, sheet
from _synthesis_speed import speed

import surgplan
from surgplan.io import write_json
from surgplan.synthesis import (
    Person,
    SampleSettings,
    Scanner,
    find_generator,
    generate,
    load_generator,
    randomised_picture,
)

FLOW_10 = "flow, 10 steps"
FLOW_1000 = "flow, 1000 steps"
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


def painters(name: str | None, others: list[Path], *, slow: bool = False) -> dict[str, Painter]:
    """Ways to make an image of a scene; other bundles are called by how they sample.

    The slow one takes as many steps of the flow as a diffusion does.
    """
    ways = {
        "domain randomisation": randomised,
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


def judged(args: argparse.Namespace) -> dict[str, Any]:
    """Realism, fidelity, privacy and changes of look on the real scans."""
    reals = [Real(args.cases, name) for name in TABLES]
    made: dict[str, list[Image]] = {}
    seconds: dict[str, float] = {}
    for name, paint in painters(args.generator, args.others, slow=args.slow).items():
        made[name], seconds[name] = painted(name, paint, reals, args.keep)
        print(name, seconds[name], flush=True)
    if args.sheet:
        sheet(reals, made, args.sheet)
    found: dict[str, Any] = {"scans": list(TABLES)}
    found["realism"] = realism(reals, made)
    for name, images in made.items():
        found["realism"][name]["whole_liver_dice"] = fidelity(name, reals, images, args.keep)
        found["realism"][name]["processor_s"] = seconds[name]
    own = [r.image for r in reals]
    found["realism"][REAL]["whole_liver_dice"] = fidelity("real", reals, own, args.keep)
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
    return found


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
    args = parser.parse_args()
    found: dict[str, Any] = {"schema": 1, "notice": surgplan.NOT_A_MEDICAL_DEVICE}
    found["generator"] = load_generator(find_generator(args.generator)).name
    if args.examples:
        examples(args.generator, args.examples)
    found["speed"] = speed(args.generator, SPACING_MM)
    print(found["speed"], flush=True)
    if args.cases.is_dir():
        found |= judged(args)
    else:
        print(f"no real cases in {args.cases}: speed alone")
    if args.gates:
        found["gates"] = gates(args.gates)
        put(args.doc, "gates", gates_table(found["gates"]))
    write_json(found, args.out)


if __name__ == "__main__":
    main()
