"""A generator on disk: a bundle with safetensors weights, verified before it is loaded.

Layout::

    NAME/LICENSE
         configs/metadata.json           MONAI's fields, and under "surgplan" what sampling needs
         models/autoencoder.safetensors  half precision
         models/flow.safetensors
         docs/README.md                  the model card with its privacy audit
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from surgplan.errors import ModelIntegrityError, NothingToDoError
from surgplan.synthesis._classes import CLASSES
from surgplan.synthesis._generator import (
    LOOKS,
    GeneratorSettings,
    build_autoencoder,
    build_flow,
)
from surgplan.synthesis._noise import NoiseShape

GENERATOR_METADATA = Path("configs/metadata.json")
AUTOENCODER = Path("models/autoencoder.safetensors")
FLOW = Path("models/flow.safetensors")
DEFAULT_GENERATOR = "generator-3mm"

GENERATOR_SCHEMA = 2
"""Of what stands under "surgplan" in the metadata; 1 knew a blur of the noise and no white part."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Generator:
    """The networks of a bundle, ready to sample.

    Attributes
    ----------
    name
        For people.
    settings
        How the networks are built.
    autoencoder, flow
        In evaluation mode, on the CPU.
    scale
        One over the spread of latents in training.
    noise
        ``(looks, classes)``: spread of what the autoencoder cannot carry, in Hounsfield units.
    noise_shape
        How that noise goes together in neighbours, for each look.
    spacing_mm
        Of the training.
    sha256
        Of autoencoder and flow, as the bundle states them.
    """

    name: str
    settings: GeneratorSettings
    autoencoder: torch.nn.Module
    flow: torch.nn.Module
    scale: float
    noise: torch.Tensor
    noise_shape: tuple[NoiseShape, ...]
    spacing_mm: float
    sha256: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class GeneratorInfo:
    """What is known of a generator's bundle without loading its weights.

    Attributes
    ----------
    name, version, description
        For people.
    folder
        Where it lies.
    sums
        sha256 of autoencoder and flow, as the bundle states them.
    spacing_mm
        Of the training.
    """

    name: str
    version: str
    description: str
    folder: Path
    sums: tuple[str, str]
    spacing_mm: float

    @property
    def sha256(self) -> str:
        """Of the flow, which no other generator shares."""
        return self.sums[1]

    def verify(self) -> None:
        """Raise `ModelIntegrityError` unless both networks have the stated checksums."""
        for path, stated in zip((AUTOENCODER, FLOW), self.sums, strict=True):
            _verified(self.folder / path, stated)


def shipped_generators() -> tuple[GeneratorInfo, ...]:
    """The generators that come with surgplan, by name."""
    found = sorted(_shipped().glob(f"*/{GENERATOR_METADATA}"))
    return tuple(read_generator_info(path.parents[1]) for path in found)


def read_generator_info(folder: Path) -> GeneratorInfo:
    """What the bundle's metadata says.

    Raises
    ------
    ModelIntegrityError
        If the metadata cannot be read or is no generator's.
    """
    try:
        metadata: dict[str, Any] = json.loads((folder / GENERATOR_METADATA).read_text())
        own = metadata["surgplan"]
        return GeneratorInfo(
            name=str(own["name"]),
            version=str(metadata["version"]),
            description=str(metadata["description"]),
            folder=folder,
            sums=(str(own["sha256"]["autoencoder"]), str(own["sha256"]["flow"])),
            spacing_mm=float(own["spacing_mm"]),
        )
    except (OSError, KeyError, TypeError, ValueError) as e:
        msg = f"generator {folder} cannot be read: {e!r}; retrain or reinstall it"
        raise ModelIntegrityError(msg) from e


def _shipped() -> Path:
    return Path(str(files("surgplan.models"))) / "generators"


def find_generator(name: str | Path | None = None) -> Path:
    """Folder of a shipped generator by name, or of a bundle.

    Raises
    ------
    NothingToDoError
        If there is none.
    """
    wanted = str(name or DEFAULT_GENERATOR)
    for folder in (_shipped() / wanted, Path(wanted)):
        if (folder / FLOW).is_file():
            return folder
    known = [g.name for g in shipped_generators()]
    msg = f"no generator {wanted!r}: give a bundle's folder or one of {known}"
    raise NothingToDoError(msg)


@lru_cache(maxsize=2)
def load_generator(folder: Path) -> Generator:
    """The networks of a bundle, checksums verified.

    Raises
    ------
    ModelIntegrityError
        If weights or metadata are damaged or do not fit each other.
    """
    try:
        own: dict[str, Any] = json.loads((folder / GENERATOR_METADATA).read_text())["surgplan"]
        settings = GeneratorSettings(**own["network"])
        if tuple(own["classes"]) != CLASSES or tuple(own["looks"]) != LOOKS:
            msg = f"generator {folder} was made for other classes or looks; retrain it"
            raise ModelIntegrityError(msg)
        autoencoder, flow = build_autoencoder(settings), build_flow(settings)
        _load(autoencoder, folder / AUTOENCODER, own["sha256"]["autoencoder"])
        _load(flow, folder / FLOW, own["sha256"]["flow"])
        return Generator(
            name=str(own["name"]),
            settings=settings,
            autoencoder=autoencoder.eval(),
            flow=flow.eval(),
            scale=float(own["scale"]),
            noise=torch.tensor(own["noise"]),
            noise_shape=_noise_shapes(own, folder),
            spacing_mm=float(own["spacing_mm"]),
            sha256=(own["sha256"]["autoencoder"], own["sha256"]["flow"]),
        )
    except (OSError, KeyError, TypeError, ValueError) as e:
        if isinstance(e, ModelIntegrityError):
            raise
        msg = f"generator {folder} cannot be read: {e!r}; retrain or reinstall it"
        raise ModelIntegrityError(msg) from e


def _noise_shapes(own: dict[str, Any], folder: Path) -> tuple[NoiseShape, ...]:
    """The shape of the noise for each look, from metadata of any schema so far."""
    schema = int(own.get("schema", 1))
    if schema > GENERATOR_SCHEMA:
        msg = (
            f"generator {folder} has metadata of schema {schema}, this surgplan knows "
            f"{GENERATOR_SCHEMA} and before; use a newer surgplan"
        )
        raise ModelIntegrityError(msg)
    if schema == 1:
        given = own["noise_blur"]
        blurs = given if isinstance(given, list) else [given] * len(LOOKS)
        shapes = [NoiseShape(across_voxels=float(b), in_plane_voxels=float(b)) for b in blurs]
    else:
        shapes = [NoiseShape(**raw) for raw in own["noise_shape"]]
    if len(shapes) != len(LOOKS):
        msg = f"generator {folder} states the noise of {len(shapes)} looks, not of {len(LOOKS)}"
        raise ModelIntegrityError(msg)
    return tuple(shapes)


def _load(network: torch.nn.Module, path: Path, sha256: str) -> None:
    _verified(path, sha256)
    try:
        weights = {k: v.float() for k, v in load_file(path).items()}
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as e:
        msg = f"weights {path} do not fit the network: {e}"
        raise ModelIntegrityError(msg) from e


def _verified(path: Path, sha256: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as e:
        msg = f"no readable weights at {path}; reinstall or retrain"
        raise ModelIntegrityError(msg) from e
    if found != sha256:
        msg = f"{path} does not have the checksum that its card states; reinstall or retrain"
        raise ModelIntegrityError(msg)
