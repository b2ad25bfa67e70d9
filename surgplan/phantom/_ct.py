"""Computed tomography of a phantom, native or in one of three contrast phases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from surgplan.errors import UsageError
from surgplan.phantom._individual import random_stream
from surgplan.phantom._parts import Part, layers
from surgplan.phantom._phantom import Phantom
from surgplan.phantom._shapes import Array, Blob
from surgplan.phantom._tissue import Canvas, Look, blurred, scanner_noise
from surgplan.volume import HOUNSFIELD_AIR, Volume

Phase = Literal["native", "arterial", "portal", "delayed"]
PHASES: tuple[Phase, ...] = ("native", "arterial", "portal", "delayed")

# tissue: HU native, arterial, portal, delayed; grain; strands
_ENHANCING: dict[str, tuple[float, float, float, float, float, float]] = {
    "liver": (58, 72, 108, 92, 4, 0),
    "portal vein": (42, 95, 172, 120, 2, 0),
    "hepatic vein": (42, 50, 166, 120, 2, 0),
    "cava": (42, 85, 142, 120, 6, 0),
    "renal vein": (42, 150, 165, 125, 2, 0),
    "artery": (42, 310, 165, 120, 2, 0),
    "heart": (42, 230, 150, 115, 4, 0),
    "spleen": (48, 125, 122, 95, 4, 0),
    "kidney cortex": (33, 185, 195, 150, 5, 0),
    "kidney medulla": (33, 75, 172, 155, 6, 0),
    "pancreas": (40, 110, 92, 75, 16, 0),
    "stomach wall": (40, 85, 80, 70, 5, 0),
    "bowel wall": (40, 90, 92, 75, 6, 0),
    "gallbladder wall": (25, 45, 50, 45, 0, 0),
    "myocardium": (45, 105, 112, 95, 6, 0),
    "muscle": (52, 56, 62, 62, 9, 0),
    "skin": (10, 15, 20, 20, 10, 0),
    "metastasis rim": (45, 78, 84, 76, 6, 0),
    "metastasis core": (36, 42, 52, 55, 7, 0),
    "capsule": (52, 62, 100, 112, 3, 0),
    "hcc": (48, 122, 84, 68, 10, 0),
    "haemangioma rim": (42, 190, 150, 115, 8, 0),
    "haemangioma core": (40, 50, 82, 110, 8, 0),
}
# tissue: HU, grain, strands
_STEADY: dict[str, tuple[float, float, float]] = {
    "fat": (-104, 7, 45),
    "visceral fat": (-98, 9, 130),
    "lung": (-860, 35, 640),
    "disc": (82, 8, 0),
    "cortex": (520, 60, 0),
    "marrow": (165, 38, 0),
    "cartilage": (110, 25, 0),
    "canal fat": (-20, 15, 0),
    "sinus": (-45, 35, 0),
    "cord": (32, 5, 0),
    "bile": (8, 2, 0),
    "cyst": (6, 2, 0),
    "chyme": (28, 16, 0),
    "meal": (34, 14, 0),
    "stool": (-15, 55, 0),
    "gas": (-960, 10, 0),
    "table": (-880, 10, 0),
    "table shell": (-250, 20, 0),
}

_SPREAD_HU = {"liver": 7.0, "spleen": 7.0, "muscle": 4.0, "fat": 4.0}


@dataclass(frozen=True, kw_only=True)
class CtSettings:
    """How a CT is taken.

    Attributes
    ----------
    phase
        ``'native'``, ``'arterial'``, ``'portal'`` or ``'delayed'``.
    noise_hu
        Standard deviation of the noise in soft tissue.
    psf_mm
        Standard deviation of the point spread.
    table
        Whether the patient table is in the picture.
    """

    phase: Phase = "portal"
    noise_hu: float = 11.0
    psf_mm: float = 0.75
    table: bool = True

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            msg = f"`phase` must be one of {', '.join(PHASES)}, got {self.phase!r}"
            raise UsageError(msg)
        if self.noise_hu < 0 or self.psf_mm < 0:
            msg = f"`noise_hu` and `psf_mm` must be 0 or more, got {self.noise_hu}, {self.psf_mm}"
            raise UsageError(msg)


def render_ct(
    phantom: Phantom, *, seed: int, phase: Phase = "portal", settings: CtSettings | None = None
) -> Volume:
    """A CT of a phantom on its own grid.

    Parameters
    ----------
    phantom
        What lies in the scanner.
    seed
        Seeds texture, noise and the patient's own attenuation; same seed, same voxels.
    phase
        Time after contrast, where no settings are given.
    settings
        All of it.

    Returns
    -------
    Volume
        int16 Hounsfield units, -1024 and up.
    """
    how = settings or CtSettings(phase=phase)
    random = random_stream(seed, 20)
    canvas = Canvas.blank(phantom.label_map.geometry, HOUNSFIELD_AIR)
    table = [_table()] if how.table else []
    canvas.paint([*table, *phantom.parts], looks(how.phase, random))
    picture = blurred(canvas.textured(random), canvas.geometry, how.psf_mm)
    thin = np.clip((picture + 1000) / 900, 0.35, 1.0)  # fewer photons are lost in air
    picture += how.noise_hu * thin * scanner_noise(picture.shape, random)
    array = np.clip(np.rint(picture), -1024, 3071).astype(np.int16)
    return Volume(
        array=array,
        geometry=canvas.geometry,
        modality="CT",
        identity=f"synthetic phantom {phantom.settings.seed} {how.phase} CT seed {seed}",
    )


def looks(phase: Phase, random: np.random.Generator) -> dict[str, Look]:
    """How each tissue looks in a phase, with seeded differences between patients."""
    at = PHASES.index(phase)
    table = {
        tissue: Look(value=row[at], grain=row[4], strands=row[5])
        for tissue, row in _ENHANCING.items()
    }
    table |= {
        tissue: Look(value=value, grain=grain, strands=strands)
        for tissue, (value, grain, strands) in _STEADY.items()
    }
    for tissue, spread in _SPREAD_HU.items():
        shift = float(np.clip(random.normal(0, spread), -1.8 * spread, 1.8 * spread))
        table[tissue] = replace(table[tissue], value=table[tissue].value + shift)
    return table


def _table() -> Part:
    """A curved patient table under the back."""

    def distance(p: Array) -> Array:
        ring = np.abs(np.hypot(p[0], p[1] + 520) - 645.0) - 9.0
        signed: Array = np.maximum(ring, np.abs(p[0]) - 190)
        return signed

    box = np.array([[-195.0, 80.0, -1e4], [195.0, 140.0, 1e4]])
    return Part(
        shape=Blob(distance=distance, box_mm=box), layers=layers((0, "table shell"), (1.5, "table"))
    )
