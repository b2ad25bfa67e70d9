"""Lesions by chance: of which kind and size, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgplan.synthesis._lesion_kinds import KINDS
from surgplan.synthesis._lesion_place import LesionWish, PlacedLesion, Site, place_lesion
from surgplan.volume import LabelMap

_KIND_SHARES = {
    "metastasis": 0.4, "hcc": 0.2, "cholangiocarcinoma": 0.1, "cyst": 0.12, "haemangioma": 0.1,
    "ablation": 0.08,
}  # fmt: skip
_CONTACT_SHARES = {"avoid": 0.6, "abut": 0.25, "infiltrate": 0.15}
_GROW_INTO_NOTHING = ("cyst", "ablation", "haemangioma")


def draw_wishes(most: int, rng: np.random.Generator) -> tuple[LesionWish, ...]:
    """Up to so many seeded lesions, each number equally often."""
    return tuple(draw_wish(rng) for _ in range(int(rng.integers(0, most + 1))))


def draw_wish(rng: np.random.Generator) -> LesionWish:
    """A lesion of a seeded kind, contact and lognormal diameter (median 20 mm, 6 to 80)."""
    kind = str(rng.choice(list(KINDS), p=[_KIND_SHARES[k] for k in KINDS]))
    contact = str(rng.choice(list(_CONTACT_SHARES), p=list(_CONTACT_SHARES.values())))
    diameter = float(np.clip(20 * np.exp(rng.normal(0, 0.55)), 6, 80))
    if kind in _GROW_INTO_NOTHING and contact == "infiltrate":
        contact = "abut"
    return LesionWish(kind=kind, diameter_mm=round(diameter, 1), contact=contact)


def place_lesions(
    wishes: Sequence[LesionWish], label_map: LabelMap, rng: np.random.Generator
) -> tuple[list[PlacedLesion], list[LesionWish]]:
    """Lesions with places in the liver, the largest first, and those that found none."""
    if not wishes:
        return [], []
    site = Site(label_map)
    placed: list[PlacedLesion] = []
    missing: list[LesionWish] = []
    for wish in sorted(wishes, key=lambda w: -w.diameter_mm):
        found = place_lesion(wish, site, placed, rng)
        if found is None:
            missing.append(wish)
        else:
            placed.append(found)
    return placed, missing
