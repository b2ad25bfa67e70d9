"""Another people's model as its files tell it, before it is added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from surgplan.errors import InputRefusedError, ModelIntegrityError
from surgplan.segmentation._architecture import Architecture
from surgplan.segmentation._preparation import Preparation

Origin = Literal["monai", "nnunet"]

# What nnU-Net stores beside its weights: numbers and arrays of numpy, nothing that runs code.
_NUMPY = [
    np.float64().__reduce__()[0],  # how a number is stored
    np.zeros(1).__reduce__()[0],  # how an array is
    np.dtype,
    np.ndarray,
    *(type(np.dtype(t)) for t in ("f4", "f8", "i4", "i8", "?")),
]
_NOT_PLAIN = torch.serialization.pickle.UnpicklingError


@dataclass(frozen=True, kw_only=True, eq=False)
class ForeignModel:
    """What can be read of a model without running anything of it.

    Attributes
    ----------
    name, version, description
        For people.
    origin
        Which kind of folder it came in.
    architecture, preparation
        How to build it, and what it wants to see.
    window
        Voxels per pass, along the axes of the preparation.
    names
        Name of each output channel.
    weights
        Path of the file.
    """

    name: str
    version: str
    description: str
    origin: Origin
    architecture: Architecture
    preparation: Preparation
    window: tuple[int, int, int]
    names: Mapping[int, str]
    weights: Path


def read_weights(path: Path, *, within: str | None = None) -> dict[str, torch.Tensor]:
    """Tensors by name: safetensors, or a torch file that holds nothing but data.

    Parameters
    ----------
    path
        The file.
    within
        Key of the dictionary in the file that holds the tensors.

    Raises
    ------
    ModelIntegrityError
        If the file is damaged or would run code.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with torch.serialization.safe_globals(_NUMPY):
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, _NOT_PLAIN, RuntimeError, EOFError) as e:
        first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        msg = f"weights {path.name} cannot be read as plain data: {first}; export safetensors"
        raise ModelIntegrityError(msg) from e
    found = found[within] if within and isinstance(found, dict) and within in found else found
    for key in ("model", "state_dict"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(t, torch.Tensor) for t in found.values()):
        msg = f"weights {path.name} are no table of tensors; export safetensors"
        raise ModelIntegrityError(msg)
    return {str(name): tensor for name, tensor in found.items()}


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object. Raises `InputRefusedError` where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        msg = f"cannot read {path}: {e}; give the folder of a MONAI bundle or an nnU-Net model"
        raise InputRefusedError(msg) from e
    if not isinstance(content, dict):
        msg = f"{path} must hold a JSON object"
        raise InputRefusedError(msg)
    return content
