"""What a run that learns Couinaud's segments is made of, read from a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surgplan.errors import UsageError
from surgplan.segmentation import COUINAUD_CHANNELS, NetworkSettings
from surgplan.training._config import build, read_config
from surgplan.volume import COUINAUD


@dataclass(frozen=True, kw_only=True)
class LiverWarp:
    """How livers are varied before the network sees them.

    Attributes
    ----------
    rotation_deg
        Standard deviation of the turn about each axis.
    shear
        Standard deviation of the shears.
    bend_mm
        Largest displacement of an elastic control point.
    control_points
        Fewest and most control points per axis.
    cap
        How often a part is missing above or below.
    """

    rotation_deg: float = 8.0
    shear: float = 0.05
    bend_mm: float = 14.0
    control_points: tuple[int, int] = (3, 6)
    cap: float = 0.12


@dataclass(frozen=True, kw_only=True)
class CouinaudSettings:
    """One run, reproducible from this alone and the data it names.

    Attributes
    ----------
    name
        Name of the model.
    segments
        Pattern of the maps of segments, relative to the data folder.
    vessels
        Folder of real vessels of the same livers, under the same file names; None without.
    hold_out
        Every so many-th map is kept for validation.
    shape
        Voxels of the box of a liver.
    real_vessels
        How often a liver with real vessels shows them instead of drawn ones.
    real_weight
        How much more often livers with real vessels are drawn.
    steps, batch, learning_rate, weight_decay, average, seed, threads, checkpoint_minutes, note
        As in `TrainingSettings`.
    licence
        Of the data; stands in the model card.
    """

    name: str
    segments: str
    vessels: str | None = None
    hold_out: int = 10
    shape: tuple[int, int, int] = (40, 48, 56)
    real_vessels: float = 0.6
    real_weight: float = 2.0
    steps: int = 3000
    batch: int = 1
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    average: float = 0.995
    validate_every: int = 250
    seed: int = 0
    threads: int | None = None
    checkpoint_minutes: float = 3.0
    licence: str = ""
    note: str = ""
    network: NetworkSettings = field(
        default_factory=lambda: NetworkSettings(
            classes=len(COUINAUD), channels=len(COUINAUD_CHANNELS), filters=(16, 32, 64, 96)
        )
    )
    warp: LiverWarp = field(default_factory=LiverWarp)

    def __post_init__(self) -> None:
        multiple = self.network.multiple
        if any(n % multiple for n in self.shape):
            msg = f"`shape` must be multiples of {multiple} for this network, got {self.shape}"
            raise UsageError(msg)
        if self.hold_out < 2:
            msg = f"`hold_out` must be 2 or more, so that maps are left to learn: {self.hold_out}"
            raise UsageError(msg)


def read_couinaud_settings(path: Path) -> CouinaudSettings:
    """The settings in a TOML file; unknown keys are refused.

    Raises
    ------
    InputRefusedError
        If the file is no TOML or has a key that means nothing.
    """
    data = read_config(path)
    parts: dict[str, Any] = {}
    if "warp" in data:
        parts["warp"] = build(LiverWarp, data.pop("warp"), f"{path}: warp")
    if "network" in data:
        raw = {"classes": len(COUINAUD), "channels": len(COUINAUD_CHANNELS), **data.pop("network")}
        parts["network"] = build(NetworkSettings, raw, f"{path}: network")
    return build(CouinaudSettings, {**data, **parts}, str(path))
