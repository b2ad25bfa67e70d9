"""CT turned into the look of MR and back, in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from _real_scans import Real
from _synthesis_realism import whole_liver_dice
from _synthesis_sheets import LOOK_STRENGTH, as_mr

from surgplan.synthesis import (
    MR_WEIGHTINGS,
    SampleSettings,
    change_look,
    find_generator,
    hu_as_mr,
    load_generator,
)
from surgplan.volume import LIVER


def looks(reals: list[Real], name: str | None) -> dict[str, Any]:
    """CT turned into MR and back: whether the liver is still found, and the CT the same again."""
    generator = load_generator(find_generator(name))
    settings = SampleSettings(steps=10, strength=LOOK_STRENGTH, noise=False)
    found: dict[str, list[float]] = {}
    for real in reals:
        scan = torch.from_numpy(real.image)
        images = {"CT": scan}
        for look in MR_WEIGHTINGS:
            there = as_mr(real, look, generator, settings)
            chance = torch.Generator().manual_seed(1)
            back = change_look(generator, there, real.scene, settings, chance)
            images |= {f"MR {look}": hu_as_mr(there), f"CT from MR {look}": back}
            body = scan > -300
            liver = torch.from_numpy(real.label_map.mask(LIVER))
            for where, mask in (("body", body), ("liver", liver)):
                error = float((back - scan)[mask].abs().mean())
                found.setdefault(f"{where} error after {look} and back, HU", []).append(error)
            rest = torch.from_numpy(real.rest(there.numpy()))[body]
            pair = torch.stack([rest, torch.from_numpy(real.rest(real.image))[body]])
            found.setdefault(f"texture kept in {look}, correlation", []).append(
                float(pair.corrcoef()[0, 1])
            )
        for way, image in images.items():
            modality = "MR" if way.startswith("MR") else "CT"
            found.setdefault(f"whole liver Dice, {way}", []).append(
                whole_liver_dice(real, image.numpy(), modality)
            )
    return {"strength": LOOK_STRENGTH, **{k: round(float(np.mean(v)), 3) for k, v in found.items()}}
