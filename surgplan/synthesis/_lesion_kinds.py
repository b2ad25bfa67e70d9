"""Kinds of lesions: outline, how they push, and how each layer differs from the liver by phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, Segment

CONTACTS = ("avoid", "abut", "infiltrate")

PHASE_COLUMNS = ("native", "arterial", "portal", "delayed", "t1", "t2")


@dataclass(frozen=True, kw_only=True)
class LesionLayer:
    """A shell of a lesion.

    Attributes
    ----------
    depth
        Where it begins, as a share of the way from the surface (0) to the middle (1).
    change
        Difference to the liver parenchyma: Hounsfield units in the four contrast phases, and
        percent of the liver's intensity in T1 and T2 weighted MR (columns `PHASE_COLUMNS`).
    patchy
        Whether it is broken into nodules, as the rim of a haemangioma is.
    """

    depth: float
    change: tuple[float, float, float, float, float, float]
    patchy: bool = False


@dataclass(frozen=True, kw_only=True)
class LesionKind:
    """What a kind of lesion looks like.

    Attributes
    ----------
    layers
        From the surface inwards.
    bumps
        Spread of the logarithm of the radius over directions.
    stretch
        Largest elongation of the underlying ellipsoid.
    push
        Mass effect: how far tissue at the surface was pushed, as a share of the radius.
    capsule_mm
        Thickness of the first layer where it is a capsule; 0 where there is none.
    grain_hu
        Spread of its own texture.
    absolute_hu
        Mean Hounsfield units where they do not depend on the liver, as in a cyst.
    """

    layers: tuple[LesionLayer, ...]
    bumps: float
    stretch: float = 1.15
    push: float = 0.2
    capsule_mm: float = 0.0
    grain_hu: float = 5.0
    absolute_hu: float | None = None
    segment: Segment = LIVER_TUMOUR


# What is usual on imaging, after the LI-RADS lexicon (American College of Radiology, 2018) and
# textbooks; the figures are typical, not measured from patients.
KINDS: Mapping[str, LesionKind] = MappingProxyType(
    {
        "metastasis": LesionKind(
            layers=(
                LesionLayer(depth=0.0, change=(-12, 12, -28, -18, -26, 45)),
                LesionLayer(depth=0.16, change=(-18, -20, -48, -36, -32, 60)),
                LesionLayer(depth=0.5, change=(-24, -34, -62, -50, -38, 85)),
            ),
            bumps=0.07,
            push=0.25,
        ),
        "hcc": LesionKind(
            layers=(
                LesionLayer(depth=0.0, change=(-4, -4, 12, 24, -22, 10)),  # capsule
                LesionLayer(depth=0.05, change=(-8, 55, -20, -32, -20, 40)),  # wash-out
            ),
            bumps=0.05,
            push=0.3,
            capsule_mm=1.6,
            grain_hu=12.0,
        ),
        "cholangiocarcinoma": LesionKind(
            layers=(
                LesionLayer(depth=0.0, change=(-12, 18, -8, -14, -26, 40)),
                LesionLayer(depth=0.18, change=(-18, -22, -38, -4, -34, 55)),
                LesionLayer(depth=0.5, change=(-20, -30, -42, 18, -36, 35)),  # late in the middle
            ),
            bumps=0.14,
            stretch=1.3,
            push=0.05,
            grain_hu=8.0,
        ),
        "cyst": LesionKind(
            layers=(LesionLayer(depth=0.0, change=(-50, -64, -102, -89, -66, 300)),),
            bumps=0.015,
            stretch=1.08,
            push=0.3,
            grain_hu=1.0,
            absolute_hu=6.0,
            segment=LIVER_CYST,
        ),
        "haemangioma": LesionKind(
            layers=(
                LesionLayer(depth=0.0, change=(-13, 115, 52, 22, -38, 150), patchy=True),
                LesionLayer(depth=0.22, change=(-14, -26, -30, 8, -40, 165)),
            ),
            bumps=0.1,
            push=0.15,
        ),
        "ablation": LesionKind(
            layers=(
                LesionLayer(depth=0.0, change=(-4, 14, 8, 6, 8, 12)),  # hyperaemic rim
                LesionLayer(depth=0.1, change=(-22, -40, -64, -52, 14, -25)),
                LesionLayer(depth=0.7, change=(8, -22, -42, -34, 30, -35)),  # needle track
            ),
            bumps=0.03,
            stretch=1.4,
            push=0.0,
        ),
    }
)
"""Every kind by name."""
