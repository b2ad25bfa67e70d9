"""How bright each class is in one person's scan, and how uneven."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.phantom import MR_WEIGHTINGS, PHASES
from surgplan.synthesis._classes import CLASSES
from surgplan.synthesis._individual import Person
from surgplan.synthesis._phase import phase_means_hu
from surgplan.synthesis._tissue import UNLABELLED
from surgplan.volume import (
    ANATOMY,
    ARTERIES,
    BILIARY,
    BONE,
    HEPATIC_VEINS,
    HOUNSFIELD_AIR,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PANCREAS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    VENA_CAVA,
    Modality,
    Segment,
)

MR_WHITE = 650.0
"""MR intensity that counts as bright, of a scale on which liver is about 420 (T1), 210 (T2)."""

# Generation label: T1 and T2 intensity (typical, fat not suppressed), and their relative spread.
_MR: dict[int, tuple[float, float, float]] = {
    1: (420, 210, 0.08), 2: (290, 350, 0.12), 3: (265, 120, 0.12), 4: (260, 125, 0.12),
    5: (250, 130, 0.15), 6: (170, 65, 0.25), 7: (200, 830, 0.1), 8: (290, 390, 0.08),
    9: (320, 400, 0.08), 10: (320, 400, 0.08), 11: (250, 480, 0.2), 12: (430, 260, 0.08),
    13: (30, 20, 0.3), 14: (330, 220, 0.15), 15: (270, 420, 0.2), 16: (130, 880, 0.08),
    200: (6, 6, 0.3), 201: (610, 480, 0.06), 202: (330, 300, 0.15), 203: (310, 170, 0.1),
    204: (290, 230, 0.12), 205: (120, 90, 0.3),
}  # fmt: skip

# Generation label: spread of its own texture, in Hounsfield units (MR: per mille of white).
_GRAIN: dict[int, float] = {
    1: 4, 2: 6, 3: 3, 4: 3, 5: 5, 6: 4, 7: 3, 8: 4, 9: 16, 10: 16, 11: 18, 12: 12, 13: 40, 14: 80,
    15: 26, 16: 1, 200: 4, 201: 8, 202: 10, 203: 9, 204: 14, 205: 60,
}  # fmt: skip

USUAL_HU: dict[Segment, tuple[float, float]] = {
    LIVER: (0, 165), PORTAL_VEIN: (15, 260), HEPATIC_VEINS: (15, 260), VENA_CAVA: (15, 260),
    ARTERIES: (15, 450), BILIARY: (-20, 60), SPLEEN: (15, 190), RIGHT_KIDNEY: (-10, 280),
    LEFT_KIDNEY: (-10, 280), PANCREAS: (-30, 150), LUNGS: (-980, -500), BONE: (60, 700),
    LIVER_CYST: (-20, 35), LIVER_TUMOUR: (-30, 230),
}  # fmt: skip
"""Median over all phases, from non-contrast to arterial; wide on purpose."""

USUAL_MR: dict[Segment, tuple[float, float]] = {
    segment: (min(t1, t2) / math.exp(4 * spread + 0.2), max(t1, t2) * math.exp(4 * spread + 0.2))
    for segment in ANATOMY
    for t1, t2, spread in [_MR[segment.label]]
} | {LIVER_CYST: (40.0, 1300.0), LIVER_TUMOUR: (60.0, 1000.0)}
"""Median MR intensity over both weightings; wide on purpose."""

_WITHIN_HU = 8.0
_FATTY_HU, _CIRRHOTIC_HU = (-42.0, -22.0), (-10.0, 0.0)
Means = npt.NDArray[np.float32]


def check_look(modality: Modality, look: str) -> None:
    """Raise `UsageError` unless the modality has this phase or weighting."""
    allowed = PHASES if modality == "CT" else MR_WEIGHTINGS
    if look not in allowed:
        msg = f"a {modality} has {', '.join(allowed)}, got {look!r}"
        raise UsageError(msg)


def class_brightness(
    modality: Modality, look: str, person: Person, rng: np.random.Generator
) -> Means:
    """Mean of each of `CLASSES`: Hounsfield units, or MR intensity 0..1000.

    Lesions get the mean of parenchyma; their own look is painted over it.
    """
    check_look(modality, look)
    by_label = _ct(look, person, rng) if modality == "CT" else _mr(look, person, rng)
    for lesion in (LIVER_TUMOUR, LIVER_CYST):
        by_label[lesion.label] = by_label[LIVER.label]
    outside = HOUNSFIELD_AIR if modality == "CT" else 0.0
    return np.array([by_label.get(label, outside) for label in CLASSES], dtype=np.float32)


def grain() -> Means:
    """Spread of the texture of each of `CLASSES`."""
    return np.array([_GRAIN.get(label, 0.0) for label in CLASSES], dtype=np.float32)


def _ct(phase: str, person: Person, rng: np.random.Generator) -> dict[int, float]:
    means = phase_means_hu(phase, rng)
    for label, (low, high) in UNLABELLED.items():
        means[label] = float(rng.uniform(low, high))
    if person.condition == "steatosis":
        means[LIVER.label] += float(rng.uniform(*_FATTY_HU))
    if person.condition == "cirrhosis":
        means[LIVER.label] += float(rng.uniform(*_CIRRHOTIC_HU))
    for segment, (low, high) in USUAL_HU.items():
        kept = np.clip(means[segment.label], low + _WITHIN_HU, high - _WITHIN_HU)
        means[segment.label] = float(kept)
    return means


def _mr(weighting: str, person: Person, rng: np.random.Generator) -> dict[int, float]:
    column = MR_WEIGHTINGS.index(weighting)
    means = {
        label: float(row[column] * np.exp(rng.normal(0, row[2]))) for label, row in _MR.items()
    }
    if person.condition == "steatosis":
        means[LIVER.label] *= float(rng.uniform(1.05, 1.2))
    return means
