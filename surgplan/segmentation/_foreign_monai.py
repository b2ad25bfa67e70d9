"""MONAI bundles: the network and its preprocessing, read from the config and never run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surgplan.errors import InputRefusedError
from surgplan.segmentation._architecture import Architecture
from surgplan.segmentation._foreign import ForeignModel, read_config
from surgplan.segmentation._preparation import Preparation

_CONFIGS = ("inference.json", "evaluate.json", "train.json")
_WEIGHTS = ("model.safetensors", "model.pt")
_HARMLESS = {
    "LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "CastToTyped", "CropForegroundd",
    "ToTensord", "AddChanneld",
}  # fmt: skip


def read_monai_bundle(folder: Path) -> ForeignModel:
    """What a MONAI bundle says of its network.

    Raises
    ------
    InputRefusedError
        If it cannot be told without running it: another network, an expression where a value
        should stand, a preprocessing step that is not known.
    """
    metadata = read_config(folder / "configs" / "metadata.json")
    if "surgplan" in metadata:
        msg = f"{folder} is a model of surgplan itself; name the folder with --model"
        raise InputRefusedError(msg)
    path = next((p for c in _CONFIGS if (p := folder / "configs" / c).is_file()), None)
    if path is None:
        msg = f"{folder} has no configs/inference.json; add the bundle's own"
        raise InputRefusedError(msg)
    config = read_config(path)
    network = _mapping(config.get("network_def"), "network_def")
    target = str(network.get("_target_", ""))
    if "." not in target:
        target = f"monai.networks.nets.{target}"
    weights = next((p for w in _WEIGHTS if (p := folder / "models" / w).is_file()), None)
    if weights is None:
        msg = f"{folder} has no models/model.safetensors or model.pt; download them first"
        raise InputRefusedError(msg)
    inferer = _mapping(config.get("inferer"), "inferer")
    return ForeignModel(
        name=str(metadata.get("name") or folder.resolve().name),
        version=str(metadata.get("version", "")),
        description=str(metadata.get("description", "")),
        origin="monai",
        architecture=Architecture(
            target=target, arguments={k: v for k, v in network.items() if k != "_target_"}
        ),
        preparation=_preparation(metadata, _transforms(config)),
        window=_three(inferer.get("roi_size"), "roi_size"),
        names=_names(metadata),
        weights=weights,
    )


def _preparation(metadata: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> Preparation:
    found: dict[str, Any] = {"axes": "RAS", "spacing_mm": None}
    for step in steps:
        kind = str(step.get("_target_", "")).rpartition(".")[2]
        if kind == "Orientationd":
            found["axes"] = str(step.get("axcodes"))
        elif kind == "Spacingd":
            found["spacing_mm"] = _three(step.get("pixdim"), "pixdim", float)
        elif kind == "ScaleIntensityRanged":
            found |= _range(step)
        elif kind == "NormalizeIntensityd":
            found |= _normalise(step)
        elif kind not in _HARMLESS:
            msg = f"the bundle's preprocessing step {kind!r} is not known; it cannot be added"
            raise InputRefusedError(msg)
    if found["spacing_mm"] is None:
        msg = "the bundle does not say its spacing (Spacingd); it cannot be added"
        raise InputRefusedError(msg)
    words = str(_first_tensor(metadata, "inputs").get("modality", "CT")).upper()
    return Preparation(modality="MR" if words.startswith("MR") else "CT", **found)


def _range(step: Mapping[str, Any]) -> dict[str, Any]:
    a, b = (float(step[k]) for k in ("a_min", "a_max"))
    low, high = float(step.get("b_min", 0.0) or 0.0), float(step.get("b_max", 1.0) or 1.0)
    factor = (b - a) / (high - low)
    clip = (a, b) if step.get("clip") else None
    return {"clip": clip, "shift": a - low * factor, "factor": factor}


def _normalise(step: Mapping[str, Any]) -> dict[str, Any]:
    if step.get("subtrahend") is not None and step.get("divisor") is not None:
        return {"shift": float(step["subtrahend"]), "factor": float(step["divisor"])}
    return {"shift": None, "factor": None, "nonzero": bool(step.get("nonzero", False))}


def _transforms(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    steps = _mapping(config.get("preprocessing"), "preprocessing").get("transforms")
    if not isinstance(steps, list):
        msg = "the bundle's preprocessing must be a list of transforms, written out"
        raise InputRefusedError(msg)
    return [_mapping(step, "a transform") for step in steps]


def _names(metadata: Mapping[str, Any]) -> dict[int, str]:
    channels = _first_tensor(metadata, "outputs").get("channel_def")
    if not isinstance(channels, dict) or len(channels) < 2:
        msg = "the bundle's metadata does not name its output channels (channel_def)"
        raise InputRefusedError(msg)
    return {int(number): str(name) for number, name in channels.items()}


def _first_tensor(metadata: Mapping[str, Any], which: str) -> Mapping[str, Any]:
    tensors = _mapping(metadata.get("network_data_format", {}), "network_data_format").get(which)
    return next(iter(_mapping(tensors or {}, which).values()), {})


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        msg = f"{what} of the bundle must be written out, got {value!r}"
        raise InputRefusedError(msg)
    return value


def _three(value: object, what: str, kind: type = int) -> Any:
    many = value if isinstance(value, list) else [value] * 3
    if len(many) != 3 or not all(isinstance(v, (int, float)) for v in many):
        msg = f"{what} of the bundle must be three numbers, written out, got {value!r}"
        raise InputRefusedError(msg)
    return tuple(kind(v) for v in many)
