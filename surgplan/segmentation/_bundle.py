"""A network on disk: a MONAI bundle with safetensors weights, verified before it is loaded.

Layout::

    NAME/LICENSE
         configs/metadata.json    MONAI's fields, and under "surgplan" what inference needs
         configs/inference.json   the network for `monai.bundle`
         models/model.safetensors
         docs/README.md           the model card
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model

from surgplan.errors import ModelIntegrityError, NothingToDoError
from surgplan.segmentation._network import NetworkSettings, build_network
from surgplan.segmentation._reliability import Reliability

WEIGHTS = Path("models/model.safetensors")
METADATA = Path("configs/metadata.json")
DEFAULT_MODEL = "abdomen-3mm"

Stage = Literal["whole", "liver", "couinaud"]


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is known of a bundle without loading its weights.

    Attributes
    ----------
    name, version, description
        For people.
    folder
        Where it lies.
    sha256
        Of the weights, as the bundle states it.
    network
        How to build it; class ``n`` is label ``n`` of the anatomy vocabulary.
    spacing_mm
        Isotropic spacing that it works at.
    window
        Voxels per pass along (slice, row, column).
    temperature
        Divides the scores before they become probabilities.
    stage
        `'whole'`: a scan is enough; `'liver'`: looks where a first network found the liver;
        `'couinaud'`: parts a liver, given as masks in the grid of `liver_frame`.
    reliability
        By structure name, how far it was off on unseen cases; empty where that was not measured.
    refined_by
        Name of the shipped model that looks once more inside the liver, or None.
    settles_outlines
        Whether its kidneys and spleen are right to a voxel in MR, so that their outlines may follow
        the edges of the image.
    """

    name: str
    version: str
    description: str
    folder: Path
    sha256: str
    network: NetworkSettings
    spacing_mm: float
    window: tuple[int, int, int]
    temperature: float
    stage: Stage = "whole"
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    refined_by: str | None = None
    settles_outlines: bool = False

    def verify(self) -> None:
        """Raise `ModelIntegrityError` unless the weights have the stated checksum."""
        path = self.folder / WEIGHTS
        try:
            actual = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as e:
            msg = f"model {self.name!r} has no readable weights at {path}; reinstall surgplan"
            raise ModelIntegrityError(msg) from e
        if actual != self.sha256:
            msg = (
                f"weights of model {self.name!r} have sha256 {actual[:12]}..., its card says "
                f"{self.sha256[:12]}...; reinstall or retrain"
            )
            raise ModelIntegrityError(msg)


def shipped_models() -> tuple[ModelInfo, ...]:
    """The models that come with surgplan, by name."""
    root = Path(str(files("surgplan.models")))
    folders = sorted(p.parent.parent for p in root.glob(f"*/{METADATA}"))
    return tuple(read_model_info(folder) for folder in folders)


def find_model(name: str | Path | None = None) -> ModelInfo:
    """A shipped model by name, a bundle by its folder, or the default one.

    Raises
    ------
    NothingToDoError
        If there is none; lists the names.
    """
    wanted = str(name or DEFAULT_MODEL)
    shipped = {m.name: m for m in shipped_models()}
    if wanted in shipped:
        return shipped[wanted]
    if (Path(wanted) / METADATA).is_file():
        return read_model_info(Path(wanted))
    msg = f"no model {wanted!r}: give a bundle's folder or one of {sorted(shipped)}"
    raise NothingToDoError(msg)


def read_model_info(folder: Path) -> ModelInfo:
    """What the bundle's metadata says.

    Raises
    ------
    ModelIntegrityError
        If the metadata cannot be read or lacks what inference needs.
    """
    try:
        metadata: dict[str, Any] = json.loads((folder / METADATA).read_text())
        own = metadata["surgplan"]
        return ModelInfo(
            name=str(own["name"]),
            version=str(metadata["version"]),
            description=str(metadata["description"]),
            folder=folder,
            sha256=str(own["sha256"]),
            network=NetworkSettings(**own["network"]),
            spacing_mm=float(own["spacing_mm"]),
            window=(int(own["window"][0]), int(own["window"][1]), int(own["window"][2])),
            temperature=float(own["temperature"]),
            stage=_stage(own.get("stage", "whole")),
            reliability={
                name: Reliability(**bounds) for name, bounds in own.get("reliability", {}).items()
            },
            refined_by=own.get("refined_by"),
            settles_outlines=bool(own.get("settles_outlines", False)),
        )
    except (OSError, KeyError, TypeError, ValueError, IndexError) as e:
        msg = f"bundle {folder} has no usable {METADATA}: {e!r}; retrain or reinstall it"
        raise ModelIntegrityError(msg) from e


def _stage(word: str) -> Stage:
    for known in get_args(Stage):
        if word == known:
            return known  # type: ignore[no-any-return]
    msg = f"stage {word!r} is none of {get_args(Stage)}"
    raise ValueError(msg)


def load_network(info: ModelInfo) -> torch.nn.Module:
    """The network with its weights, checksum verified, in evaluation mode on the CPU."""
    info.verify()
    network = build_network(info.network)
    try:
        load_model(network, info.folder / WEIGHTS)
    except (SafetensorError, RuntimeError, KeyError) as e:
        msg = f"weights of model {info.name!r} do not fit its network: {e}"
        raise ModelIntegrityError(msg) from e
    return network.eval()
