"""In: settings with a seed. Out: an upper abdomen with known answers, on any grid.

Label maps, vessel trees and lesions to test against, and CT and MR renderings to train on.
"""

from surgplan.phantom._ct import PHASES, CtSettings, Phase, render_ct
from surgplan.phantom._lesions import (
    DEFAULT_LESIONS,
    Contact,
    Kind,
    Lesion,
    LesionSpec,
    random_lesions,
)
from surgplan.phantom._mr import MR_WEIGHTINGS, MrSettings, Weighting, render_mr
from surgplan.phantom._phantom import PHANTOM_VERSION, Phantom, PhantomSettings, make_phantom
from surgplan.phantom._trees import Branch, System, VesselTree

__all__ = [
    "DEFAULT_LESIONS",
    "MR_WEIGHTINGS",
    "PHANTOM_VERSION",
    "PHASES",
    "Branch",
    "Contact",
    "CtSettings",
    "Kind",
    "Lesion",
    "LesionSpec",
    "MrSettings",
    "Phantom",
    "PhantomSettings",
    "Phase",
    "System",
    "VesselTree",
    "Weighting",
    "make_phantom",
    "random_lesions",
    "render_ct",
    "render_mr",
]
