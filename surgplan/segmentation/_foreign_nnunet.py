"""Model folders of nnU-Net v2: plans, data set and one fold's weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surgplan.errors import InputRefusedError
from surgplan.segmentation._architecture import Architecture
from surgplan.segmentation._foreign import ForeignModel, read_config
from surgplan.segmentation._preparation import Preparation

_AXES = "SPL"  # how nnU-Net sees a straight axial scan: slice, row, column
_CHECKPOINT = "checkpoint_final.pth"


def read_nnunet_folder(folder: Path) -> ForeignModel:
    """What an nnU-Net v2 model folder says of its network; the first fold's weights are taken.

    Raises
    ------
    InputRefusedError
        If it is a cascade, 2D, has several inputs or region-based labels.
    """
    plans, data = read_config(folder / "plans.json"), read_config(folder / "dataset.json")
    trainer, *rest = folder.resolve().name.split("__")
    name = rest[-1] if rest else "3d_fullres"
    configurations = plans.get("configurations", {})
    if name not in configurations:
        msg = f"{folder.name} has no configuration {name!r}; known are {sorted(configurations)}"
        raise InputRefusedError(msg)
    setup = dict(configurations[name])
    while "inherits_from" in setup:
        setup = {**configurations[setup.pop("inherits_from")], **setup}
    names = _names(data)
    weights = next((p for p in sorted(folder.glob(f"fold_*/{_CHECKPOINT}"))), None)
    if weights is None:
        msg = f"{folder} has no fold_*/{_CHECKPOINT}; train or download it first"
        raise InputRefusedError(msg)
    return ForeignModel(
        name=f"{plans.get('dataset_name', folder.name)}-{name}",
        version=str(plans.get("plans_name", "")),
        description=f"nnU-Net v2, {trainer}, {name}, {weights.parent.name}",
        origin="nnunet",
        architecture=_architecture(setup, channels=1, classes=len(names)),
        preparation=_preparation(plans, setup, data),
        window=_patch(setup),
        names=names,
        weights=weights,
    )


def _architecture(setup: Mapping[str, Any], *, channels: int, classes: int) -> Architecture:
    told = setup.get("architecture") or _older(setup)
    return Architecture(
        target=str(told.get("network_class_name")),
        arguments={
            **told.get("arch_kwargs", {}),
            "input_channels": channels,
            "num_classes": classes,
            "deep_supervision": False,
        },
    )


def _older(setup: Mapping[str, Any]) -> Mapping[str, Any]:
    """The network as plans before nnU-Net 2.4 describe it, those of TotalSegmentator too."""
    try:
        kernels = setup["conv_kernel_sizes"]
        features = [
            min(setup["UNet_base_num_features"] * 2**level, setup["unet_max_num_features"])
            for level in range(len(kernels))
        ]
        kind = str(setup["UNet_class_name"])
        blocks = "n_blocks_per_stage" if kind == "ResidualEncoderUNet" else "n_conv_per_stage"
        return {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
            "arch_kwargs": {
                "n_stages": len(kernels),
                "features_per_stage": features,
                "conv_op": "torch.nn.modules.conv.Conv3d",
                "kernel_sizes": kernels,
                "strides": setup["pool_op_kernel_sizes"],
                blocks: setup["n_conv_per_stage_encoder"],
                "n_conv_per_stage_decoder": setup["n_conv_per_stage_decoder"],
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
        }
    except (KeyError, TypeError) as e:
        msg = f"the plans do not describe their network: {e!r} is missing; plan again"
        raise InputRefusedError(msg) from e


def _preparation(
    plans: Mapping[str, Any], setup: Mapping[str, Any], data: Mapping[str, Any]
) -> Preparation:
    channels = data.get("channel_names") or data.get("modality") or {}
    if len(channels) != 1:
        msg = f"models with one input image can be added, this one has {len(channels)}"
        raise InputRefusedError(msg)
    forward = plans.get("transpose_forward", [0, 1, 2])
    common: dict[str, Any] = {
        "modality": "CT" if str(next(iter(channels.values()))).upper() == "CT" else "MR",
        "axes": "".join(_AXES[n] for n in forward),
        "spacing_mm": tuple(setup["spacing"]),
    }
    scheme = next(iter(setup.get("normalization_schemes", ["?"])))
    if scheme == "CTNormalization":
        told = plans["foreground_intensity_properties_per_channel"]["0"]
        clip = (float(told["percentile_00_5"]), float(told["percentile_99_5"]))
        return Preparation(**common, clip=clip, shift=told["mean"], factor=max(told["std"], 1e-8))
    if scheme == "ZScoreNormalization":
        masked = bool(next(iter(setup.get("use_mask_for_norm", [False]))))
        return Preparation(**common, nonzero=masked)
    if scheme == "NoNormalization":
        return Preparation(**common, shift=0.0, factor=1.0)
    msg = f"the normalisation {scheme!r} is not known; this model cannot be added"
    raise InputRefusedError(msg)


def _patch(setup: Mapping[str, Any]) -> tuple[int, int, int]:
    patch = setup.get("patch_size", [])
    if len(patch) != 3 or setup.get("previous_stage"):
        msg = "only 3D configurations that need no earlier stage can be added"
        raise InputRefusedError(msg)
    return int(patch[0]), int(patch[1]), int(patch[2])


def _names(data: Mapping[str, Any]) -> dict[int, str]:
    labels = data.get("labels", {})
    if not labels or any(isinstance(v, list) for v in labels.values()):
        msg = "models with region-based labels cannot be added; train with plain labels"
        raise InputRefusedError(msg)
    names = {int(number): str(name) for name, number in labels.items() if name != "ignore"}
    if sorted(names) != list(range(len(names))):
        msg = f"label numbers must run from 0 without gaps, got {sorted(names)}"
        raise InputRefusedError(msg)
    return names
