"""What a generator's training is made of, read from a TOML file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surgplan.errors import InputRefusedError, NothingToDoError, UsageError
from surgplan.synthesis import LOOKS, GeneratorSettings
from surgplan.training._config import build, read_config
from surgplan.training._generator_private import PrivacySettings
from surgplan.training._settings import SourceSettings, read_source


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """One of the two networks.

    Attributes
    ----------
    steps
        Optimiser steps in all.
    patches
        Voxels per sample along (slice, row, column); one is drawn for each step.
    learning_rate
        At the start; falls to 0 as (1 - step / steps) ** 0.9.
    """

    steps: int
    patches: tuple[tuple[int, int, int], ...] = ((48, 48, 48), (64, 64, 64))
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        patches = tuple(tuple(p) for p in self.patches)
        if not patches or any(len(p) != 3 or any(n % 8 or n < 16 for n in p) for p in patches):
            msg = f"`patches` must be triples of multiples of 8, 16 at least, got {self.patches}"
            raise UsageError(msg)
        object.__setattr__(self, "patches", patches)


@dataclass(frozen=True, kw_only=True)
class GeneratorSource:
    """A source of scans, and what they look like.

    Attributes
    ----------
    source
        Where they are; `SourceSettings.draw` and `lesions` play no part here.
    look
        One of `LOOKS`; None for phantoms, whose contrast phases come in turn.
    """

    source: SourceSettings
    look: str | None = None

    def __post_init__(self) -> None:
        if self.look is None and not self.source.phantom_seeds:
            msg = f"source {self.source.name!r} needs a `look`, one of {', '.join(LOOKS)}"
            raise InputRefusedError(msg)
        if self.look is not None and self.look not in LOOKS:
            msg = f"`look` must be one of {', '.join(LOOKS)}, got {self.look!r}"
            raise InputRefusedError(msg)


@dataclass(frozen=True, kw_only=True)
class GeneratorTrainingSettings:
    """One run, reproducible from this alone and the data it names.

    Attributes
    ----------
    name
        Name of the model.
    sources
        What it learns from.
    autoencoder, flow
        The two stages, in this order.
    start
        Name or folder of a generator whose autoencoder is taken as it is, with its latent scale
        and noise; its stage is left out then. None trains one.
    privacy
        Train so that no single scan can be told from the weights; None does not.
    spacing_mm
        Of the samples; each is zoomed a little and told its own spacing.
    batch
        Samples per step; processes started by torchrun share them. A private step takes as many as
        take part instead.
    average
        Decay of the running average of weights, which is what gets shipped.
    seed
        The only source of chance.
    threads
        Torch threads; None leaves torch's choice.
    checkpoint_minutes
        How often the state is saved.
    half
        Whether layers compute in bfloat16: twice as fast on a CPU, but there a weight gradient is
        not a number now and then. That step is left out, so two runs may differ; without, they
        give the same weights.
    note
        What else the model card should say of the run.
    """

    name: str
    sources: tuple[GeneratorSource, ...]
    autoencoder: StageSettings
    flow: StageSettings
    start: str | None = None
    privacy: PrivacySettings | None = None
    spacing_mm: float = 3.0
    batch: int = 1
    average: float = 0.995
    seed: int = 0
    threads: int | None = None
    checkpoint_minutes: float = 3.0
    half: bool = True
    note: str = ""
    network: GeneratorSettings = field(default_factory=GeneratorSettings)

    def __post_init__(self) -> None:
        if not self.sources:
            msg = f"training {self.name!r} needs one source at least"
            raise NothingToDoError(msg)

    @property
    def promised_epsilon(self) -> float:
        """Of private training, over all steps of the stages that are trained; else infinite."""
        if self.privacy is None:
            return math.inf
        stages = (self.flow,) if self.start else (self.autoencoder, self.flow)
        return self.privacy.epsilon(sum(stage.steps for stage in stages))


def read_generator_settings(path: Path) -> GeneratorTrainingSettings:
    """The settings in a TOML file; unknown keys are refused.

    ``based_on`` names a config beside it whose keys and tables hold where this one has none.

    Raises
    ------
    InputRefusedError
        If the file is no TOML or has a key that means nothing.
    """
    data = read_config(path)
    tables = data.pop("table", {})
    sources = [_source(raw, tables, path) for raw in data.pop("source", [])]
    kinds: dict[str, type[Any]] = {
        "autoencoder": StageSettings,
        "flow": StageSettings,
        "network": GeneratorSettings,
        "privacy": PrivacySettings,
    }
    parts = {
        key: build(kind, data.pop(key), f"{path}: {key}")
        for key, kind in kinds.items()
        if key in data
    }
    return build(GeneratorTrainingSettings, {**data, **parts, "sources": tuple(sources)}, str(path))


def _source(raw: dict[str, Any], tables: dict[str, Any], path: Path) -> GeneratorSource:
    look = raw.pop("look", None)
    return GeneratorSource(source=read_source(raw, tables, path), look=look)
