"""What a training run is made of, read from a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surgplan.errors import InputRefusedError, NothingToDoError, UsageError
from surgplan.segmentation import LIVER_CHANNELS, NetworkSettings, Stage
from surgplan.synthesis import DrawSettings, LesionSettings, WarpSettings
from surgplan.training._config import build, read_config
from surgplan.volume import ANATOMY


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """One labelled scan, label maps alone, or phantoms and synthetic scans made on the spot.

    Attributes
    ----------
    name
        Stands in the log and in the model card.
    labels
        Path of the label map, or a pattern (``*``) of many without scans; relative to the data
        folder. None where phantoms are made. With ``synthetic``, maps to make bodies of.
    image
        Path of the scan, or None to train on drawn images alone.
    phantom_seeds
        Phantoms to make instead of reading files, one per seed, their contrast phases (MR: their
        weightings) in turn.
    synthetic
        How many scans to make as `surgplan synthesize` does, by domain randomisation, each with
        its person, look and lesions; of phantoms, or around the livers that ``labels`` names.
    synthetic_lesions
        The most lesions in one of them, see `VolumeSettings`.
    modality
        ``'CT'`` or ``'MR'``.
    weight
        Share of the samples, relative to the other sources; divided among its label maps.
    draw
        How many of its samples are drawn from the labels instead of read from the scan.
    lesions
        How many of its samples get painted lesions.
    masses
        How many of its samples get a mass beside the liver that is not liver.
    vessels
        A second label map per label map, named alike but for this pattern's ``*``: what is not 0
        in it is a liver vessel of either kind.
    cut_out
        The label maps show an organ and nothing around it; drawn images get random surroundings.
    contrast_labels
        Label dark lesions and bright vessels of the scan by their contrast to the parenchyma,
        see `label_by_contrast`.
    vein_seeds
        Structure name to points (LPS, mm) in vessels of that kind; tells apart the veins that
        were found by contrast.
    strokes
        Structure name, or ``background``, to lines through points (LPS, mm) drawn into the scan:
        structures without a label are grown from them, see `grow_strokes`.
    drawn_vessels
        The label map holds Couinaud's segments (1 to 8): draw portal and hepatic veins that fit.
    table
        Structure name to the numbers it has in the label map; None where the numbers are ours.
    merge
        Structures that the label map counts as part of another: ``{"hepatic veins":
        "liver parenchyma"}``. The loss does not tell them apart on this source.
    licence
        Stands in the model card.
    """

    name: str
    labels: str | None = None
    image: str | None = None
    phantom_seeds: tuple[int, ...] = ()
    synthetic: int = 0
    synthetic_lesions: int = 4
    modality: str = "CT"
    weight: float = 1.0
    draw: float = 0.5
    lesions: float = 0.4
    masses: float = 0.0
    vessels: str | None = None
    cut_out: bool = False
    contrast_labels: bool = False
    vein_seeds: Mapping[str, list[list[float]]] = field(default_factory=dict)
    strokes: Mapping[str, list[list[list[float]]]] = field(default_factory=dict)
    drawn_vessels: bool = False
    table: Mapping[str, list[int]] | None = None
    merge: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""

    def __post_init__(self) -> None:
        known = {s.name for s in ANATOMY} | {"background"}
        named = {*(self.table or {}), *self.merge, *self.merge.values()}
        named |= {*self.vein_seeds, *self.strokes}
        if named - known:
            msg = f"source {self.name!r} names unknown structures {sorted(named - known)}"
            raise InputRefusedError(msg)
        read = self.labels is not None and not self.synthetic
        if read + bool(self.phantom_seeds) + (self.synthetic > 0) != 1:
            msg = f"source {self.name!r} needs one of `labels`, `phantom_seeds` and `synthetic`"
            raise InputRefusedError(msg)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """One run, reproducible from this alone and the data it names.

    Attributes
    ----------
    name
        Name of the model.
    stage
        ``'whole'``: a scan is enough; ``'liver'``: looks where a first network found the liver.
    start
        Name or folder of a model to start from; None starts from fresh weights.
    sources
        What it learns from.
    refined_by
        Name of the model that is to look once more inside the liver, for the bundle.
    settles_outlines
        Whether outlines of kidneys and spleen may follow the edges of an MR, for the bundle.
    steps
        Optimiser steps in all.
    batch
        Samples per step; processes started by torchrun share them.
    patch
        Voxels per sample along (slice, row, column).
    spacing_mm
        Isotropic spacing of the samples.
    emphasis
        Structure name to how much more than the others it counts in the loss.
    balance
        At the start, see `grouped_loss`; falls to 0 with the steps, so that boundaries end true.
    learning_rate
        At the start; falls to 0 as (1 - step / steps) ** 0.9.
    average
        Decay of the running average of weights, which is what gets shipped.
    seed
        The only source of chance.
    threads
        Torch threads; None leaves torch's choice.
    checkpoint_minutes
        How often the state is saved.
    purpose
        What the network is for, where it is not scans of patients.
    note
        What else the model card should say of the run.
    """

    name: str
    sources: tuple[SourceSettings, ...]
    stage: Stage = "whole"
    start: str | None = None
    refined_by: str | None = None
    settles_outlines: bool = False
    steps: int = 2400
    batch: int = 1
    patch: tuple[int, int, int] = (80, 96, 96)
    spacing_mm: float = 3.0
    emphasis: Mapping[str, float] = field(default_factory=dict)
    balance: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    average: float = 0.995
    seed: int = 0
    threads: int | None = None
    checkpoint_minutes: float = 4.0
    purpose: str = ""
    note: str = ""
    network: NetworkSettings = field(
        default_factory=lambda: NetworkSettings(classes=1 + len(ANATOMY))
    )
    warp: WarpSettings = field(default_factory=WarpSettings)
    draw: DrawSettings = field(default_factory=DrawSettings)
    lesion: LesionSettings = field(default_factory=LesionSettings)

    def __post_init__(self) -> None:
        if not self.sources:
            msg = f"training {self.name!r} needs one source at least"
            raise NothingToDoError(msg)
        unknown = set(self.emphasis) - {s.name for s in ANATOMY}
        if unknown:
            msg = f"`emphasis` names unknown structures {sorted(unknown)}"
            raise InputRefusedError(msg)
        channels = LIVER_CHANNELS if self.stage == "liver" else 1
        if self.network.channels != channels:
            msg = f"a network for stage {self.stage!r} has {channels} channels"
            raise UsageError(msg)
        multiple = self.network.multiple
        if any(n % multiple for n in self.patch):
            msg = f"`patch` must be multiples of {multiple} for this network, got {self.patch}"
            raise UsageError(msg)


def read_training_settings(path: Path) -> TrainingSettings:
    """The settings in a TOML file; unknown keys are refused.

    Raises
    ------
    InputRefusedError
        If the file is no TOML or has a key that means nothing.
    """
    data = read_config(path)
    tables = data.pop("table", {})
    sources = tuple(read_source(raw, tables, path) for raw in data.pop("source", []))
    kinds = {"warp": WarpSettings, "draw": DrawSettings, "lesion": LesionSettings}
    parts: dict[str, Any] = {
        key: build(kind, data.pop(key), f"{path}: {key}")
        for key, kind in kinds.items()
        if key in data
    }
    if "network" in data:
        liver = data.get("stage") == "liver"
        channels = LIVER_CHANNELS if liver else 1
        raw = {"classes": 1 + len(ANATOMY), "channels": channels, **data.pop("network")}
        parts["network"] = build(NetworkSettings, raw, f"{path}: network")
    return build(TrainingSettings, {**data, **parts, "sources": sources}, str(path))


def read_source(raw: dict[str, Any], tables: dict[str, Any], path: Path) -> SourceSettings:
    """One ``[[source]]`` of the config at ``path``.

    Its ``table`` may name one of ``tables``, and its ``marks`` a file beside the config with the
    ``vein_seeds`` and ``strokes`` that were set by hand.
    """
    if isinstance(raw.get("table"), str):
        raw = {**raw, "table": tables[raw["table"]]}
    if "marks" in raw:
        raw = {**read_config(path.parent / raw["marks"]), **raw}
        del raw["marks"]
    return build(SourceSettings, raw, f"{path}: source")
