"""A finished run as a MONAI bundle with its model card."""

from __future__ import annotations

import copy
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from safetensors.torch import save_model

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.io import atomic_file, write_json
from surgplan.segmentation import CT_WINDOW_HU, METADATA, WEIGHTS, NetworkSettings
from surgplan.training._checkpoint import RunState
from surgplan.training._settings import TrainingSettings
from surgplan.volume import ANATOMY

CHANNELS = {
    "whole": {"0": "image"},
    "liver": {"0": "image", "1": "difference to the parenchyma", "2": "whole liver"},
}
STAGES = {
    "whole": "It sees the scan alone.",
    "liver": "It looks where another network has found the liver: it sees the scan, its difference "
    "to the parenchyma, and that liver.",
}
PATIENTS = "Portal-phase CT of the upper abdomen first; other phases and MR are less sure."
LICENCE = "Apache-2.0 for the code; the weights carry the terms of the data named in the card."


def write_bundle(settings: TrainingSettings, state: RunState, folder: Path) -> None:
    """Weights (the running average), metadata, MONAI config and model card, in this order."""
    for part in (WEIGHTS.parent, METADATA.parent, Path("docs")):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sha256 = write_weights(state.averaged, folder / WEIGHTS)
    write_json(_metadata(settings, sha256), folder / METADATA)
    write_json(_inference(settings), folder / METADATA.parent / "inference.json")
    parameters = sum(p.numel() for p in state.averaged.parameters())
    for path_in, text in (
        ("docs/README.md", _card(settings, state, sha256, parameters)),
        ("LICENSE", LICENCE + "\n"),
    ):
        with atomic_file(folder / path_in) as path:
            path.write_text(text)


def write_weights(network: torch.nn.Module, path: Path) -> str:
    """Store weights at half precision, which changes next to no label; their sha256."""
    halved = copy.deepcopy(network).cpu().half()
    with atomic_file(path) as temporary:
        save_model(halved, str(temporary), metadata={"notice": NOT_A_MEDICAL_DEVICE})
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _metadata(settings: TrainingSettings, sha256: str) -> dict[str, Any]:
    channels = {"0": "background"} | {str(s.label): s.name for s in ANATOMY}
    shape = list(settings.patch)
    return {
        "version": __version__,
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"safetensors": "0.5"},
        "name": settings.name,
        "task": "segmentation of the upper abdomen in CT and MR",
        "description": _description(settings),
        "authors": "the surgplan developers",
        "copyright": "the surgplan developers",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image", "format": "hounsfield", "modality": "CT",
                    "num_channels": settings.network.channels,
                    "spatial_shape": shape, "dtype": "float32", "value_range": [-1, 1],
                    "is_patch_data": True, "channel_def": CHANNELS[settings.stage],
                }
            },
            "outputs": {
                "pred": {
                    "type": "image", "format": "segmentation", "num_channels": len(channels),
                    "spatial_shape": shape, "dtype": "float32", "value_range": [],
                    "is_patch_data": True, "channel_def": channels,
                }
            },
        },
        "surgplan": {
            "name": settings.name,
            "sha256": sha256,
            "network": settings.network.to_dict(),
            "spacing_mm": settings.spacing_mm,
            "window": shape,
            "temperature": 1.0,
            "stage": settings.stage,
            "refined_by": settings.refined_by,
            "settles_outlines": settings.settles_outlines,
        },
    }  # fmt: skip


def _description(settings: TrainingSettings) -> str:
    what = f"U-Net at {settings.spacing_mm:g} mm, {len(ANATOMY)} structures around the liver"
    return ". ".join(filter(None, (what, settings.purpose.rstrip("."), NOT_A_MEDICAL_DEVICE)))


def network_words(network: NetworkSettings) -> dict[str, Any]:
    """A network and the loading of its weights in MONAI's own words."""
    levels = len(network.filters)
    return {
        "load_model": "$from safetensors.torch import load_model",
        "bundle_root": ".",
        "network_def": {
            "_target_": "monai.networks.nets.DynUNet",
            "spatial_dims": 3,
            "in_channels": network.channels,
            "out_channels": network.classes,
            "kernel_size": [3] * levels,
            "strides": [1] + [2] * (levels - 1),
            "upsample_kernel_size": [2] * (levels - 1),
            "filters": list(network.filters),
            "norm_name": ["INSTANCE", {"affine": True}],
            "act_name": ["leakyrelu", {"negative_slope": 0.01}],
        },
        "load_weights": f"$@load_model(@network_def, @bundle_root + '/{WEIGHTS.as_posix()}')",
    }


def _inference(settings: TrainingSettings) -> dict[str, Any]:
    """The same network and preprocessing in MONAI's own words, for `monai.bundle`.

    What a network sees that looks inside the liver, `surgplan.segmentation.liver_view` makes.
    """
    words: dict[str, Any] = {
        **network_words(settings.network),
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(settings.patch),
            "overlap": 0.5,
            "mode": "gaussian",
            "padding_mode": "constant",
            "cval": -1.0,
        },
    }
    if settings.stage == "whole":
        words["preprocessing"] = _preprocessing(settings)
    return words


def _preprocessing(settings: TrainingSettings) -> dict[str, Any]:
    low, high = CT_WINDOW_HU
    return {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "SPL", "labels": None},
            {"_target_": "Spacingd", "keys": "image", "pixdim": [settings.spacing_mm] * 3},
            {
                "_target_": "ScaleIntensityRanged", "keys": "image", "a_min": low,
                "a_max": high, "b_min": -1.0, "b_max": 1.0, "clip": True,
            },
        ],
    }  # fmt: skip


def _card(settings: TrainingSettings, state: RunState, sha256: str, parameters: int) -> str:
    rows = "\n".join(
        f"| {s.name} | {s.modality} | {s.weight:g} | {s.draw:.0%} | {s.lesions:.0%} | {s.licence} |"
        for s in settings.sources
    )
    last = state.history[-1] if state.history else {}
    dice = "\n".join(
        f"| {name} | {last[name]:.2f} |" for name in (s.name for s in ANATOMY) if name in last
    )
    return f"""# {settings.name}

**{NOT_A_MEDICAL_DEVICE}**

A U-Net (MONAI `DynUNet`, filters {list(settings.network.filters)}, {parameters / 1e6:.1f} million
parameters) that finds {len(ANATOMY)} structures around the liver at {settings.spacing_mm:g} mm.
{STAGES[settings.stage]}
Weights: sha256 `{sha256}`, written {datetime.now(UTC):%Y-%m-%d} by surgplan {__version__} after
{state.step} of {settings.steps} steps, seed {settings.seed}. {settings.note}

## Trained on

| source | modality | weight | drawn from labels | painted lesions | licence |
|---|---|---|---|---|---|
{rows}

Drawn images follow the recipe of SynthSeg (https://doi.org/10.1016/j.media.2023.102789) with
contrast phases of CT; lesions are painted while training. Label maps that are the output of another
model teach that model's errors too. Few people are in the data, so age, sex, scanner and disease
are not covered evenly, and nothing is known of children.

## Soft Dice on the last training samples

These are training figures, on drawn and warped images. They say nothing of new patients; for those
run `benchmarks/bench_accuracy.py`.

| structure | Dice |
|---|---|
{dice}

## Use

{settings.purpose or PATIENTS} Tumours below 1 ml and vessels thinner than
{settings.spacing_mm:g} mm are mostly missed. Every structure can be wrong or missing: look at the
contours before using a number.
"""
