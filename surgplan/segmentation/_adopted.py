"""Other people's models once they are added: plain data and safetensors in the user's folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_data_path
from safetensors.torch import load_file, save_file

from surgplan.errors import (
    InputRefusedError,
    LabelError,
    ModelIntegrityError,
    NothingToDoError,
    UnsafeFileError,
)
from surgplan.segmentation._architecture import Architecture
from surgplan.segmentation._foreign import ForeignModel, Origin, read_weights
from surgplan.segmentation._foreign_monai import read_monai_bundle
from surgplan.segmentation._foreign_nnunet import read_nnunet_folder
from surgplan.segmentation._preparation import Preparation
from surgplan.segmentation._totalsegmentator import TOTALSEGMENTATOR_TASKS, totalsegmentator_folder
from surgplan.volume import ANATOMY, Segment

CARD = "model.json"
TENSORS = "model.safetensors"
MOST_BYTES = 4_000_000_000
MOST_FILES = 10_000


@dataclass(frozen=True, kw_only=True)
class AdoptedModel:
    """A model that somebody else made, ready to be used.

    Attributes
    ----------
    name, version, description, origin
        For people.
    folder
        Where it lies.
    sha256, source_sha256
        Of its weights as they are stored here, and as they came.
    architecture, preparation, window
        See `ForeignModel`.
    names
        What it calls its output channels.
    labels
        Channel to label of the anatomy vocabulary; the others are background.
    """

    name: str
    version: str
    description: str
    origin: Origin
    folder: Path
    sha256: str
    source_sha256: str
    architecture: Architecture
    preparation: Preparation
    window: tuple[int, int, int]
    names: Mapping[int, str]
    labels: Mapping[int, int]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The structures that it can find."""
        return tuple(s for s in ANATOMY if s.label in set(self.labels.values()))

    def verify(self) -> None:
        """Raise `ModelIntegrityError` unless the weights have the stored checksum."""
        actual = _sha256(self.folder / TENSORS)
        if actual != self.sha256:
            msg = (
                f"weights of model {self.name!r} have sha256 {actual[:12]}..., stored was "
                f"{self.sha256[:12]}...; add the model again"
            )
            raise ModelIntegrityError(msg)

    def load(self) -> torch.nn.Module:
        """The network with its weights, checksum verified, in evaluation mode."""
        self.verify()
        return _filled(self.architecture, load_file(self.folder / TENSORS), self.name)


def added_models() -> tuple[AdoptedModel, ...]:
    """The models that the user has added, by name."""
    return tuple(_read(path.parent) for path in sorted(_root().glob(f"*/{CARD}")))


def find_added(name: str | Path | None) -> AdoptedModel | None:
    """An added model by name, or None."""
    folder = _root() / str(name)
    plain = name is not None and re.fullmatch(r"[\w.-]+", str(name))
    return _read(folder) if plain and (folder / CARD).is_file() else None


@contextmanager
def look_into(path: Path) -> Iterator[ForeignModel]:
    """Read a MONAI bundle or nnU-Net v2 model folder, or a zip of one; nothing of it is run.

    The names in `TOTALSEGMENTATOR_TASKS` stand for the weights of an installed TotalSegmentator.

    Raises
    ------
    NothingToDoError
        If nothing is there.
    InputRefusedError
        If it is neither, or can only be understood by running it.
    UnsafeFileError
        If a zip holds too much.
    """
    if str(path) in TOTALSEGMENTATOR_TASKS and not path.exists():
        yield _foreign(totalsegmentator_folder(str(path)))
        return
    if not path.exists():
        msg = f"no model at {path}: give a folder or zip of a MONAI bundle or nnU-Net model"
        raise NothingToDoError(msg)
    if path.is_dir():
        yield _foreign(path)
        return
    with tempfile.TemporaryDirectory(prefix="surgplan-model-") as temporary:
        try:
            with zipfile.ZipFile(path) as packed:
                _check_size(packed, path.name)
                for member in packed.infolist():  # `extract` keeps every member below the folder
                    packed.extract(member, temporary)
        except zipfile.BadZipFile as e:
            msg = f"{path.name} is neither a folder nor a zip; unpack it and give the folder"
            raise InputRefusedError(msg) from e
        yield _foreign(Path(temporary))


def add_model(
    foreign: ForeignModel, structures: Mapping[str, Segment | None], *, name: str | None = None
) -> AdoptedModel:
    """Store a model in the user's folder, its weights as safetensors with their checksum.

    Parameters
    ----------
    foreign
        What `look_into` read.
    structures
        For each name of a channel but the first, background: the structure that it is, or None
        where it is none of ours.
    name
        To call it by; its own where None.

    Raises
    ------
    LabelError
        If a channel is not in the table, or none is a structure of ours.
    ModelIntegrityError
        If the weights do not fit the network.
    """
    unknown = sorted(n for c, n in foreign.names.items() if c and n not in structures)
    labels = {c: s.label for c, n in foreign.names.items() if c and (s := structures.get(n))}
    if unknown or not labels:
        msg = f"model {foreign.name!r} names {unknown or 'no structure'} that surgplan knows not"
        raise LabelError(msg)
    tensors = read_weights(foreign.weights, within="network_weights")
    network = _filled(foreign.architecture, tensors, foreign.name)
    folder = _root() / re.sub(r"[^\w.-]+", "-", name or foreign.name).strip(".-")
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    fresh.mkdir(parents=True)
    try:
        state = {k: v.clone().contiguous() for k, v in network.state_dict().items()}
        save_file(state, fresh / TENSORS)
        card = {
            "name": folder.name,
            "version": foreign.version,
            "description": foreign.description,
            "origin": foreign.origin,
            "sha256": _sha256(fresh / TENSORS),
            "source_sha256": _sha256(foreign.weights),
            "architecture": asdict(foreign.architecture),
            "preparation": asdict(foreign.preparation),
            "window": foreign.window,
            "names": foreign.names,
            "labels": labels,
        }
        (fresh / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return _read(folder)


def _foreign(folder: Path) -> ForeignModel:
    inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__"))]
    for place in (folder, *(p for p in inside if p.is_dir())):  # zips often hold one folder
        if (place / "configs" / "metadata.json").is_file():
            return read_monai_bundle(place)
        if (place / "plans.json").is_file():
            return read_nnunet_folder(place)
    msg = f"{folder.name} is no MONAI bundle (configs/metadata.json) nor nnU-Net model (plans.json)"
    raise InputRefusedError(msg)


def _filled(
    architecture: Architecture, tensors: Mapping[str, torch.Tensor], name: str
) -> torch.nn.Module:
    network = architecture.build()
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as e:
        msg = f"weights of model {name!r} do not fit its network: {str(e).splitlines()[0]}"
        raise ModelIntegrityError(msg) from e
    return network


def _read(folder: Path) -> AdoptedModel:
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
        labels = {int(k): int(v) for k, v in card["labels"].items()}
        if not set(labels.values()) <= {s.label for s in ANATOMY}:
            msg = f"labels {sorted(set(labels.values()))} are not all of the anatomy vocabulary"
            raise ValueError(msg)
        window = card["window"]
        return AdoptedModel(
            **{
                **card,
                "folder": folder,
                "architecture": Architecture(**card["architecture"]),
                "preparation": Preparation(**card["preparation"]),
                "window": (int(window[0]), int(window[1]), int(window[2])),
                "names": {int(k): str(v) for k, v in card["names"].items()},
                "labels": labels,
            }
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as e:
        msg = f"the card of model {folder.name!r} cannot be used: {e!r}; add the model again"
        raise ModelIntegrityError(msg) from e


def _root() -> Path:
    return user_data_path("surgplan") / "models"


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as e:
        msg = f"weights {path} cannot be read: {e.strerror}; add the model again"
        raise ModelIntegrityError(msg) from e


def _check_size(packed: zipfile.ZipFile, name: str) -> None:
    members = packed.infolist()
    size = sum(m.file_size for m in members)
    if size > MOST_BYTES or len(members) > MOST_FILES:
        msg = (
            f"{name} would unpack to {len(members)} files, {size / 1e9:.1f} GB; unpack it yourself"
        )
        raise UnsafeFileError(msg)
