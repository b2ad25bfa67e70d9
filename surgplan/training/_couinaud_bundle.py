"""A finished run for Couinaud's segments as a MONAI bundle with its model card."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.io import atomic_file, write_json
from surgplan.segmentation import COUINAUD_CHANNELS, METADATA, WEIGHTS
from surgplan.training._bundle_out import LICENCE, network_words, write_weights
from surgplan.training._checkpoint import RunState
from surgplan.training._couinaud_settings import CouinaudSettings
from surgplan.volume import COUINAUD


def write_couinaud_bundle(settings: CouinaudSettings, state: RunState, folder: Path) -> None:
    """Weights (the running average), metadata, MONAI config and model card, in this order."""
    for part in (WEIGHTS.parent, METADATA.parent, Path("docs")):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sha256 = write_weights(state.averaged, folder / WEIGHTS)
    write_json(_metadata(settings, sha256), folder / METADATA)
    write_json(network_words(settings.network), folder / METADATA.parent / "inference.json")
    for name, text in (
        ("docs/README.md", _card(settings, state, sha256)),
        ("LICENSE", LICENCE + "\n"),
    ):
        with atomic_file(folder / name) as path:
            path.write_text(text)


def _metadata(settings: CouinaudSettings, sha256: str) -> dict[str, Any]:
    shape = list(settings.shape)
    channels = {str(n): name for n, name in enumerate(COUINAUD_CHANNELS)}
    segments = {str(s.label - 1): s.name for s in COUINAUD}
    return {
        "version": __version__,
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"safetensors": "0.5"},
        "name": settings.name,
        "task": "Couinaud segments of a liver from masks",
        "description": "U-Net on the box of a liver: segments I to VIII from its shape and what is "
        f"known of its vessels. {NOT_A_MEDICAL_DEVICE}",
        "authors": "the surgplan developers",
        "copyright": "the surgplan developers",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image", "format": "segmentation", "modality": "any",
                    "num_channels": len(channels), "spatial_shape": shape, "dtype": "float32",
                    "value_range": [-1, 1], "is_patch_data": False, "channel_def": channels,
                }
            },
            "outputs": {
                "pred": {
                    "type": "image", "format": "segmentation", "num_channels": len(segments),
                    "spatial_shape": shape, "dtype": "float32", "value_range": [],
                    "is_patch_data": False, "channel_def": segments,
                }
            },
        },
        "surgplan": {
            "name": settings.name,
            "sha256": sha256,
            "network": settings.network.to_dict(),
            "spacing_mm": 4.0,
            "window": shape,
            "temperature": 1.0,
            "stage": "couinaud",
        },
    }  # fmt: skip


def _card(settings: CouinaudSettings, state: RunState, sha256: str) -> str:
    parameters = sum(p.numel() for p in state.averaged.parameters())
    last = state.history[-1] if state.history else {}
    ways = [key for key in last if key != "step"]
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{last[way][name]:.2f}" for way in ways) + " |"
        for name in (*(s.name for s in COUINAUD), "mean")
        if ways
    )
    head = " | ".join(ways)
    return f"""# {settings.name}

**{NOT_A_MEDICAL_DEVICE}**

A U-Net (MONAI `DynUNet`, filters {list(settings.network.filters)}, {parameters / 1e6:.1f} million
parameters) that parts a liver into Couinaud's segments I to VIII. It sees no image: only masks of
the liver and, where they are known, of portal vein, hepatic veins, vena cava and gallbladder, on a
grid of {" x ".join(map(str, settings.shape))} voxels that always spans the box of the liver.
Weights: sha256 `{sha256}`, written {datetime.now(UTC):%Y-%m-%d} by surgplan {__version__} after
{state.step} of {settings.steps} steps, seed {settings.seed}. {settings.note}

## Trained on

{settings.licence}. Every {settings.hold_out}th map was kept for validation. Vessels of most of
these livers are not known; they were drawn to fit the segments, with the faults of real masks:
gaps, missing branches, missing systems, systems taken for each other. The boundaries of the maps
are planes, as radiologists draw them: borders that follow the vessels' true territories differ.

## Dice on the livers held out

| segment | {head} |
|---|{"---|" * len(ways)}
{rows}

Vessels of the livers held out are drawn to fit the answer too where no real ones are known, so
that the figures with vessels flatter. `benchmarks/bench_couinaud.py` measures with experts'
vessels, on livers that had no part in training.

## Use

Whole livers of adults in their natural shape. After a resection, with a large part outside the
scan, or where a tumour fills a lobe, the answer can be wrong: compare with the vessels.
"""
