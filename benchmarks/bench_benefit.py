"""Whether synthetic images help a segmentation network, at the same budget of steps.

    python benchmarks/bench_benefit.py [--shared ../shared] [--work runs/benefit]
                                       [--out docs/benefit.json] [--doc docs/synthesis.md]
                                       [--steps 1000] [--seeds 3]

The same small network is trained on, one after the other,

* `real`: real CTs and rendered phantoms as they are (turned, bent and disturbed as always)
* `drawn`: and images drawn from their label maps (domain randomisation)
* `lesions`: and painted lesions
* `diffusion`: and scans of the label bank's livers, painted by the shipped generator's flow
* `control`: the same labels as `diffusion`, painted by domain randomisation

and judged on two patients of 3D-IRCADb-01 that took part in no training. Every run leaves a JSON in
the folder of the work; run again to go on where it stopped, or to see how far it is.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from _doc_tables import put
from _real_scans import TABLES, Real
from scipy.stats import bootstrap

import surgplan
from surgplan.evaluation import detect_lesions
from surgplan.io import write_json
from surgplan.segmentation import NetworkSettings, normalise
from surgplan.segmentation._window import sliding_logits
from surgplan.synthesis import VolumeSettings
from surgplan.training import (
    DatasetSettings,
    SourceSettings,
    TrainingSettings,
    generate_volumes,
    read_training_settings,
    train,
)
from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, LabelMap

ARMS = ("real", "drawn", "lesions", "diffusion", "control")
COMPARED = (
    ("drawn", "real"),
    ("lesions", "drawn"),
    ("diffusion", "lesions"),
    ("control", "lesions"),
    ("diffusion", "control"),
)
FIGURES = ("liver_dice", "tumour_dice", "lesion_sensitivity", "false_lesions")
CONFIG = Path(__file__).parents[1] / "scripts/configs/liver_first.toml"
FILTERS = (8, 16, 32, 48)
SPACING_MM = 4.0
PATCH = (48, 48, 48)
PHANTOMS = 3
VOLUMES = 12
EVERY = 9
"""Label maps of the bank that are taken: this one and so on."""

SHARE = 0.25
"""Of the samples, for the synthetic scans."""

Mask = npt.NDArray[np.bool_]


def main() -> None:
    """Train what is missing, one seed after the other, and write down what is there."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=root.parent / "shared")
    parser.add_argument("--work", type=Path, default=root / "runs/benefit")
    parser.add_argument("--out", type=Path, default=root / "docs/benefit.json")
    parser.add_argument("--doc", type=Path, default=root / "docs/synthesis.md")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not (options.shared / "cases").is_dir():
        print(f"no real cases in {options.shared}: nothing to do")
        return
    reals = [Real(options.shared / "cases", name, SPACING_MM) for name in TABLES]
    for seed in range(options.seeds):
        for arm in ARMS:
            path = options.work / f"{arm}-{seed}.json"
            if not path.exists():
                write_json(one_run(arm, seed, options, reals), path)
                print(path.name, json.loads(path.read_text())["scans"], flush=True)
    found = summary(options)
    write_json(found, options.out)
    put(options.doc, "benefit", f"{table(found)}\n\n{verdicts(found)}")
    print(options.doc.read_text())


def one_run(arm: str, seed: int, options: argparse.Namespace, reals: list[Real]) -> dict[str, Any]:
    """Train one arm with one seed, and judge it on the scans held out."""
    settings = settings_of(arm, seed, options)
    start = time.process_time()
    state = train(settings, options.shared, options.work / f"{arm}-{seed}")
    spent = time.process_time() - start
    network = state.averaged.eval()
    return {
        "arm": arm,
        "seed": seed,
        "steps": state.step,
        "processor_s": round(spent, 1),
        "last_loss": state.history[-1]["loss"],
        "scans": {real.name: judged(real, network) for real in reals},
    }


def settings_of(arm: str, seed: int, options: argparse.Namespace) -> TrainingSettings:
    """The shipped network's config made small, and with what the arm adds."""
    config = read_training_settings(CONFIG)
    sources = []
    for given in config.sources:
        if given.modality == "CT":
            sources.append(
                replace(
                    given,
                    phantom_seeds=given.phantom_seeds[:PHANTOMS],
                    draw=0.0 if arm == "real" else given.draw,
                    lesions=0.0 if arm in ("real", "drawn") else given.lesions,
                )
            )
    weight = SHARE / (1 - SHARE) * sum(s.weight for s in sources)
    if arm in ("diffusion", "control"):
        sources += list(synthetic(arm, weight, options))
    return replace(
        config,
        name=f"benefit-{arm}-{seed}",
        sources=tuple(sources),
        network=NetworkSettings(classes=config.network.classes, filters=FILTERS),
        steps=options.steps,
        patch=PATCH,
        spacing_mm=SPACING_MM,
        seed=seed,
        threads=1,
        refined_by=None,
        note="",
        average=0.98,  # of few steps
    )


def synthetic(arm: str, weight: float, options: argparse.Namespace) -> Iterator[SourceSettings]:
    """Scans painted on livers of the label bank, one source each; made where missing."""
    maps = sorted((options.shared / "labelbank/couinaud").glob("*.nii.gz"))
    chosen = tuple(m for m in maps if m.name != "lits-100.nii.gz")[::EVERY][:VOLUMES]
    method = "flow" if arm == "diffusion" else "randomised"
    folder = options.work / f"volumes-{method}"
    settings = DatasetSettings(
        count=len(chosen),
        labels=chosen,
        seed=5,
        volumes=VolumeSettings(method=method, spacing_mm=3.0, lesions=5),
        gate=None,  # it could refuse other labels in one arm than in the other
    )
    for row in generate_volumes(settings, folder)["scans"]:
        place = (folder / row["folder"]).resolve()
        yield SourceSettings(
            name=row["folder"],
            image=str(place / row["image"]),
            labels=str(place / row["labels"]),
            weight=weight / len(chosen),
            draw=0.0,
            lesions=0.0,
            licence="made by surgplan from the label bank",
        )


def judged(real: Real, network: torch.nn.Module) -> dict[str, Any]:
    """Dice and lesions of the plain labels of a network at its own spacing."""
    image = normalise(torch.from_numpy(real.image), "CT")[None]
    with torch.inference_mode():
        logits = sliding_logits(image, network, window=PATCH, overlap=0.5)
    seen = LabelMap(
        array=logits.argmax(dim=0).numpy().astype(np.uint8),
        geometry=real.geometry,
        segments=real.label_map.segments,
    )
    lesions = [m.mask(LIVER_TUMOUR, LIVER_CYST) for m in (seen, real.label_map)]
    detection = detect_lesions(lesions[0], lesions[1], real.geometry)
    return {
        "liver_dice": dice(seen.whole_liver(), real.label_map.whole_liver()),
        "tumour_dice": dice(seen.mask(LIVER_TUMOUR), real.label_map.mask(LIVER_TUMOUR)),
        "lesions_ml": [round(ml, 2) for ml in detection.reference_ml],
        "lesions_found": list(detection.found),
        "false_lesions": len(detection.false_positive_ml),
    }


def dice(seen: Mask, wanted: Mask) -> float:
    """Overlap of two masks."""
    return round(2 * float((seen & wanted).sum()) / float(seen.sum() + wanted.sum()), 4)


def summary(options: argparse.Namespace) -> dict[str, Any]:
    """Means and 95 % intervals of every arm, and of the differences between arms."""
    runs = {
        (arm, seed): json.loads((options.work / f"{arm}-{seed}.json").read_text())
        for seed in range(options.seeds)
        for arm in ARMS
    }
    units = {
        (arm, figure): values(runs, arm, figure, options.seeds)
        for arm in ARMS
        for figure in FIGURES
    }
    return {
        "schema": 1,
        "notice": surgplan.NOT_A_MEDICAL_DEVICE,
        "network": {"filters": list(FILTERS), "patch": list(PATCH), "spacing_mm": SPACING_MM},
        "steps": options.steps,
        "seeds": options.seeds,
        "scans": list(TABLES),
        "interval": "95 % percentile bootstrap; of Dice and false lesions over pairs of seed and "
        "scan, of sensitivity over lesions, each with its mean over the seeds",
        "arms": {arm: {f: interval(units[arm, f]) for f in FIGURES} for arm in ARMS},
        "gains": {
            f"{arm} over {other}": {f: interval(units[arm, f] - units[other, f]) for f in FIGURES}
            for arm, other in COMPARED
        },
        "runs": list(runs.values()),
    }


def values(
    runs: dict[tuple[str, int], dict[str, Any]], arm: str, figure: str, seeds: int
) -> npt.NDArray[np.float64]:
    """What is drawn from again and again: one number per seed and scan, or per lesion."""
    scans = [[runs[arm, seed]["scans"][name] for name in TABLES] for seed in range(seeds)]
    if figure == "lesion_sensitivity":
        found = [[f for scan in row for f in scan["lesions_found"]] for row in scans]
        return np.mean(found, axis=0)
    return np.array([scan[figure] for row in scans for scan in row], dtype=np.float64)


def interval(units: npt.NDArray[np.float64]) -> list[float]:
    """Mean, and its 95 % interval."""
    middle = float(units.mean())
    if np.ptp(units) == 0:
        return [round(middle, 3)] * 3
    spread = bootstrap(
        (units,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return [round(float(v), 3) for v in (middle, spread.low, spread.high)]


def table(found: dict[str, Any]) -> str:
    """Arms and gains as rows of Markdown."""
    head = f"{found['steps']} steps, {found['seeds']} seeds"
    lines = [f"| {head} | " + " | ".join(f.replace("_", " ") for f in FIGURES) + " |"]
    lines.append("|---" * (1 + len(FIGURES)) + "|")
    for part, sign in (("arms", ""), ("gains", "+")):
        for name, row in found[part].items():
            cells = [_cell(row[f], 1 if f == "false_lesions" else 2, sign) for f in FIGURES]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figure: list[float], digits: int, sign: str) -> str:
    middle, low, high = (f"{v:{sign}.{digits}f}" for v in figure)
    return f"{middle} ({low} to {high})"


def verdicts(found: dict[str, Any]) -> str:
    """What the intervals allow to say of each gain, in words."""
    lines = []
    for name, row in found["gains"].items():
        words: dict[str, list[str]] = {"helps": [], "harms": []}
        for figure in FIGURES:
            middle, low, high = row[figure]
            better = -1 if figure == "false_lesions" else 1
            if low > 0 or high < 0:
                word = "helps" if better * middle > 0 else "harms"
                words[word].append(figure.replace("_", " "))
        said = [f"{word} {', '.join(named)}" for word, named in words.items() if named]
        lines.append(f"* {name}: {'; '.join(said) or 'no difference shown'}.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
