"""How bright structures are in CT, by contrast phase."""

from __future__ import annotations

import numpy as np

from surgplan.phantom import PHASES
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    BONE,
    BOWEL,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PANCREAS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    STOMACH,
    VENA_CAVA,
)

# Typical Hounsfield units (native, arterial, portal, delayed) and their spread between people.
_MEANS_HU: dict[int, tuple[tuple[float, float, float, float], float]] = {
    LIVER.label: ((55, 70, 108, 95), 16),
    LIVER_TUMOUR.label: ((40, 60, 65, 70), 20),
    PORTAL_VEIN.label: ((42, 80, 165, 125), 22),
    HEPATIC_VEINS.label: ((42, 52, 155, 125), 22),
    VENA_CAVA.label: ((42, 85, 125, 120), 25),
    ARTERIES.label: ((42, 300, 160, 130), 30),
    BILIARY.label: ((10, 10, 10, 10), 8),
    SPLEEN.label: ((48, 110, 125, 105), 15),
    RIGHT_KIDNEY.label: ((35, 140, 190, 170), 30),
    LEFT_KIDNEY.label: ((35, 140, 190, 170), 30),
    STOMACH.label: ((30, 35, 40, 40), 35),
    PANCREAS.label: ((40, 100, 95, 80), 16),
    LUNGS.label: ((-850, -840, -840, -840), 50),
    BONE.label: ((250, 255, 260, 255), 90),
    BOWEL.label: ((30, 45, 50, 50), 35),
    LIVER_CYST.label: ((6, 6, 6, 6), 6),
}


def phase_means_hu(phase: str, rng: np.random.Generator) -> dict[int, float]:
    """One person's mean Hounsfield unit per label of the anatomy vocabulary.

    The phase is shared by all structures, so that arteries, veins and parenchyma fit together;
    kidneys get one mean between them.
    """
    index = PHASES.index(phase)
    means = {
        label: float(rng.normal(by_phase[index], spread))
        for label, (by_phase, spread) in _MEANS_HU.items()
    }
    means[LEFT_KIDNEY.label] = means[RIGHT_KIDNEY.label]
    return means
