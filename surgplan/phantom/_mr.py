"""Magnetic resonance of a phantom: T1 or T2 weighted, with bias field and Rician noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.phantom._individual import random_stream
from surgplan.phantom._phantom import Phantom
from surgplan.phantom._tissue import Canvas, Image, Look, blurred
from surgplan.volume import Geometry, Volume

Weighting = Literal["t1", "t2"]
MR_WEIGHTINGS: tuple[Weighting, ...] = ("t1", "t2")

# tissue: T1 intensity, T2 intensity, grain, strands (T1, T2)
_LOOKS: dict[str, tuple[float, float, float, float, float]] = {
    "liver": (420, 210, 9, 0, 0),
    "portal vein": (270, 120, 5, 0, 0),
    "hepatic vein": (265, 125, 5, 0, 0),
    "cava": (250, 130, 8, 0, 0),
    "renal vein": (260, 130, 5, 0, 0),
    "artery": (170, 60, 5, 0, 0),
    "heart": (260, 200, 12, 0, 0),
    "spleen": (290, 390, 8, 0, 0),
    "kidney cortex": (340, 380, 8, 0, 0),
    "kidney medulla": (260, 430, 8, 0, 0),
    "pancreas": (440, 260, 22, 0, 0),
    "stomach wall": (300, 240, 10, 0, 0),
    "bowel wall": (300, 240, 10, 0, 0),
    "gallbladder wall": (280, 220, 5, 0, 0),
    "myocardium": (320, 210, 10, 0, 0),
    "muscle": (300, 150, 14, 0, 0),
    "skin": (350, 200, 12, 0, 0),
    "metastasis rim": (300, 330, 8, 0, 0),
    "metastasis core": (250, 380, 12, 0, 0),
    "capsule": (300, 220, 5, 0, 0),
    "hcc": (330, 320, 16, 0, 0),
    "haemangioma rim": (240, 560, 8, 0, 0),
    "haemangioma core": (235, 590, 8, 0, 0),
    "fat": (620, 480, 14, -120, -90),
    "visceral fat": (600, 470, 18, -260, -220),
    "lung": (25, 18, 6, 60, 50),
    "disc": (260, 330, 12, 0, 0),
    "cortex": (40, 30, 6, 0, 0),
    "marrow": (390, 260, 22, 0, 0),
    "cartilage": (260, 200, 12, 0, 0),
    "canal fat": (300, 640, 15, 0, 0),
    "sinus": (420, 450, 40, 0, 0),
    "cord": (320, 300, 8, 0, 0),
    "bile": (200, 850, 8, 0, 0),
    "cyst": (130, 880, 6, 0, 0),
    "chyme": (240, 560, 40, 0, 0),
    "meal": (250, 560, 40, 0, 0),
    "stool": (280, 300, 70, 0, 0),
    "gas": (6, 6, 2, 0, 0),
}


@dataclass(frozen=True, kw_only=True)
class MrSettings:
    """How an MR is taken.

    Attributes
    ----------
    sequence
        ``'t1'`` or ``'t2'``.
    noise
        Standard deviation of either channel; liver is about 420 (T1) or 210 (T2).
    bias
        Standard deviation of the logarithm of the coil's brightness over the field of view.
    psf_mm
        Standard deviation of the point spread.
    """

    sequence: Weighting = "t1"
    noise: float = 14.0
    bias: float = 0.14
    psf_mm: float = 0.9

    def __post_init__(self) -> None:
        if self.sequence not in MR_WEIGHTINGS:
            msg = f"`sequence` must be one of {', '.join(MR_WEIGHTINGS)}, got {self.sequence!r}"
            raise UsageError(msg)
        if min(self.noise, self.bias, self.psf_mm) < 0:
            msg = f"`noise`, `bias` and `psf_mm` must be 0 or more, got {self}"
            raise UsageError(msg)


def render_mr(
    phantom: Phantom, *, seed: int, sequence: Weighting = "t1", settings: MrSettings | None = None
) -> Volume:
    """An MR of a phantom on its own grid.

    Parameters
    ----------
    phantom
        What lies in the scanner.
    seed
        Seeds texture, bias field and noise; same seed, same voxels.
    sequence
        Weighting, where no settings are given.
    settings
        All of it.

    Returns
    -------
    Volume
        int16, arbitrary units, 0 and up; Rician noise (Gudbjartsson 1995,
        doi:10.1002/mrm.1910340618).
    """
    how = settings or MrSettings(sequence=sequence)
    random = random_stream(seed, 21)
    canvas = Canvas.blank(phantom.label_map.geometry, 0.0)
    column = MR_WEIGHTINGS.index(how.sequence)
    table = {
        tissue: Look(value=row[column], grain=row[2], strands=row[3 + column])
        for tissue, row in _LOOKS.items()
    }
    canvas.paint(phantom.parts, table)
    picture = blurred(np.maximum(canvas.textured(random), 0), canvas.geometry, how.psf_mm)
    picture *= bias_field(canvas.geometry, how.bias, random)
    real, imaginary = (
        how.noise * random.standard_normal(picture.shape, dtype=np.float32) for _ in range(2)
    )
    magnitude = np.sqrt((picture + real) ** 2 + imaginary**2)
    array = np.clip(np.rint(magnitude), 0, 32767).astype(np.int16)
    return Volume(
        array=array,
        geometry=canvas.geometry,
        modality="MR",
        identity=f"synthetic phantom {phantom.settings.seed} {how.sequence} MR seed {seed}",
    )


def bias_field(geometry: Geometry, strength: float, random: np.random.Generator) -> Image:
    """Smooth brightness of the coils: the exponential of a random quadratic, mean about 1."""
    axes: list[npt.NDArray[np.float32]] = [
        np.linspace(-1, 1, n, dtype=np.float32).reshape([-1 if i == a else 1 for i in range(3)])
        for a, n in enumerate(geometry.shape)
    ]
    k, r, c = axes
    terms = (k, r, c, k * r, r * c, k * c, k * k - 1 / 3, r * r - 1 / 3, c * c - 1 / 3)
    field = np.zeros(geometry.shape, dtype=np.float32)
    for term, weight in zip(terms, random.normal(0, 1, len(terms)), strict=True):
        field += np.float32(weight) * term
    spread = max(float(field.std()), 1e-6)
    bright: Image = np.exp(strength * field / spread).astype(np.float32)
    return bright
