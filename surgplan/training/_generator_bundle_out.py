"""A finished generator as a bundle with its model card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from safetensors.torch import save_file

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.io import atomic_file, write_json
from surgplan.synthesis import (
    AUTOENCODER,
    CLASSES,
    FLOW,
    GENERATOR_METADATA,
    GENERATOR_SCHEMA,
    LOOKS,
)
from surgplan.training._checkpoint import RunState
from surgplan.training._generator_lost import Lost
from surgplan.training._generator_settings import GeneratorTrainingSettings

PARTS = ("autoencoder", "flow")
MAKERS = {
    "flow": "a rectified flow draws",
    "ddpm": "a diffusion of 1000 steps draws",
    "adversarial": "a network trained against a critic draws in one pass",
}
LICENCE = "Apache-2.0 for the code; the weights carry the terms of the data named in the card."


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One of the two networks, as it is shipped.

    Attributes
    ----------
    network
        Its weights.
    steps, loss
        How it was trained, in words.
    """

    network: torch.nn.Module
    steps: str
    loss: str


def trained_part(network: torch.nn.Module, state: RunState, steps: int, *, private: bool) -> Part:
    """What a stage made; a loss is a figure of the scans, so a private one is not told."""
    losses = [row["loss"] for row in state.history[-5:]]
    last = f"{sum(losses) / len(losses):.3f}" if losses else "none"
    return Part(
        network=network,
        steps=f"{state.step} of {steps}",
        loss="not told" if private else last,
    )


def write_generator_bundle(
    settings: GeneratorTrainingSettings,
    parts: tuple[Part, Part],
    scale: float,
    lost: Lost,
    folder: Path,
) -> None:
    """Weights (half precision), metadata and model card, in this order.

    ``parts`` are the autoencoder and what makes its latents.
    """
    for part in (AUTOENCODER.parent, GENERATOR_METADATA.parent, Path("docs")):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sums = {}
    for name, path, trained in zip(PARTS, (AUTOENCODER, FLOW), parts, strict=True):
        weights = {
            k: v.detach().to("cpu", torch.float16).contiguous()
            for k, v in trained.network.state_dict().items()
        }
        with atomic_file(folder / path) as temporary:
            save_file(weights, temporary, metadata={"notice": NOT_A_MEDICAL_DEVICE})
        sums[name] = hashlib.sha256((folder / path).read_bytes()).hexdigest()
    write_json(_metadata(settings, sums, scale, lost), folder / GENERATOR_METADATA)
    for name, text in (
        ("docs/README.md", _card(settings, parts, sums)),
        ("LICENSE", LICENCE + "\n"),
    ):
        with atomic_file(folder / name) as temporary:
            temporary.write_text(text)


def _metadata(
    settings: GeneratorTrainingSettings, sums: dict[str, str], scale: float, lost: Lost
) -> dict[str, Any]:
    return {
        "version": __version__,
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"safetensors": "0.5", "einops": "0.8"},
        "name": settings.name,
        "task": "synthesis of CT and MR of the upper abdomen from label maps",
        "description": f"Autoencoder and {settings.network.sampler} at {settings.spacing_mm:g} mm. "
        f"{NOT_A_MEDICAL_DEVICE}",
        "authors": "the surgplan developers",
        "copyright": "the surgplan developers",
        "surgplan": {
            "schema": GENERATOR_SCHEMA,
            "name": settings.name,
            "sha256": sums,
            "network": settings.network.to_dict(),
            "classes": list(CLASSES),
            "looks": list(LOOKS),
            "spacing_mm": settings.spacing_mm,
            "scale": round(scale, 6),
            **lost.to_dict(),
            "privacy": _promise(settings),
        },
    }


def rewrite_noise(folder: Path, lost: Lost) -> None:
    """Put newly measured noise into a bundle's metadata, in the schema of today."""
    metadata: dict[str, Any] = json.loads((folder / GENERATOR_METADATA).read_text())
    own = {k: v for k, v in metadata["surgplan"].items() if k != "noise_blur"}
    metadata["surgplan"] = {**own, "schema": GENERATOR_SCHEMA, **lost.to_dict()}
    write_json(metadata, folder / GENERATOR_METADATA)


def _promise(settings: GeneratorTrainingSettings) -> dict[str, Any] | None:
    """What differential privacy promises; None where training was not private."""
    if settings.privacy is None:
        return None
    return {
        **asdict(settings.privacy),
        "epsilon": round(settings.promised_epsilon, 2),
        "unit": "scan",
        "covers": "weights of the flow" if settings.start else "weights of both networks",
    }


def _privacy_words(settings: GeneratorTrainingSettings) -> str:
    promise = _promise(settings)
    if promise is None:
        return "Training was not differentially private: weights may remember single scans."
    given = f"; the autoencoder is that of {settings.start}, as it is" if settings.start else ""
    large = (
        " An epsilon above 10 or so promises next to nothing." if promise["epsilon"] > 10 else ""
    )
    return (
        f"Training was differentially private: epsilon {promise['epsilon']:g} at delta "
        f"{promise['delta']:g}, for a whole scan, over the {promise['covers']}{given} (gradients "
        f"clipped at {promise['clip']:g}, noise {promise['noise']:g}, chance of a scan to take "
        f"part in a step {promise['rate']:g}).{large} The scale of latents and the table of noise "
        "in the metadata are plain statistics of the scans and are not covered."
    )


def _card(
    settings: GeneratorTrainingSettings, parts: tuple[Part, Part], sums: dict[str, str]
) -> str:
    rows = "\n".join(
        f"| {s.source.name} | {s.look or 'in turn'} | {s.source.weight:g} | {s.source.licence} |"
        for s in settings.sources
    )
    told = "\n".join(
        f"| {name} | {sum(p.numel() for p in part.network.parameters()) / 1e6:.2f} | "
        f"{part.steps} | {part.loss} | `{sums[name]}` |"
        for name, part in zip(PARTS, parts, strict=True)
    )
    return f"""# {settings.name}

**{NOT_A_MEDICAL_DEVICE}**

Makes CT- and MR-like images of the upper abdomen from a label map at {settings.spacing_mm:g} mm.
An image is the mean brightness of each structure, as asked for, plus a remainder (texture, noise,
what labels do not say) that {MAKERS[settings.network.sampler]} in the latent space of an
autoencoder. After
decoding, the mean of the remainder over every structure is set to 0, and the noise that the
autoencoder cannot carry is put back with its measured spread; so a structure has exactly the
Hounsfield units that it was given, and the networks give it texture. Written
{datetime.now(UTC):%Y-%m-%d} by surgplan {__version__}, seed {settings.seed}. {settings.note}

| part | million parameters | steps | last loss | sha256 |
|---|---|---|---|---|
{told}

## Trained on

| source | look | weight | licence |
|---|---|---|---|
{rows}

These are very few people. The generator knows their texture and little of anybody else's; it is a
small model that shows the way, trained in minutes on one processor core, no substitute for scans.
Contrast phases other than native and portal were learned from rendered phantoms alone, MR from one
slab. What it draws inside hollow organs and around organs is not anatomy.

## Privacy

{_privacy_words(settings)}

## Use

Training data, with `surgplan synthesize --method flow`; every image is marked synthetic. How real
it looks in numbers, and whether it copies its training scans, stands in `docs/synthesis.json`,
written by `benchmarks/bench_synthesis.py`.
"""
