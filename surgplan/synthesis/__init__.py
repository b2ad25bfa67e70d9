"""In: label maps, as tensors on one grid. Out: CT- and MR-like images that fit them exactly.

Domain randomisation, spatial warps and lesions painted on the fly, all seeded.
"""

from surgplan.synthesis._body import Body, around_liver, body_of, phantom_body
from surgplan.synthesis._brightness import MR_WEIGHTINGS
from surgplan.synthesis._classes import (
    CLASSES,
    TISSUES,
    class_index,
    class_means,
    mean_image,
    one_hot,
    with_tissue,
)
from surgplan.synthesis._draw import DrawSettings, draw_image
from surgplan.synthesis._generator import (
    FACTOR,
    LOOKS,
    REMAINDER_HU,
    STEPS,
    GeneratorSettings,
    build_autoencoder,
    build_flow,
    condition,
    pack,
    remainder,
    training_scheduler,
    unpack,
)
from surgplan.synthesis._individual import CONDITIONS, SEXES, PersonSettings
from surgplan.synthesis._intensity import perturb_scan
from surgplan.synthesis._lesion import LesionSettings, paint_lesions, paint_mass
from surgplan.synthesis._lesion_insert import LesionRecord
from surgplan.synthesis._lesion_kinds import CONTACTS, KINDS
from surgplan.synthesis._lesion_place import LesionWish
from surgplan.synthesis._noise import blur, smooth
from surgplan.synthesis._phase import PHASES, phase_means_hu
from surgplan.synthesis._surroundings import surround
from surgplan.synthesis._synthesise import METHODS, SyntheticVolume, VolumeSettings, synthesise
from surgplan.synthesis._tissue import UNLABELLED, unlabelled_tissue
from surgplan.synthesis._warp import WarpSettings, sampling_grid, warp

__all__ = [
    "CLASSES",
    "CONDITIONS",
    "CONTACTS",
    "FACTOR",
    "KINDS",
    "LOOKS",
    "METHODS",
    "MR_WEIGHTINGS",
    "PHASES",
    "REMAINDER_HU",
    "SEXES",
    "STEPS",
    "TISSUES",
    "UNLABELLED",
    "Body",
    "DrawSettings",
    "GeneratorSettings",
    "LesionRecord",
    "LesionSettings",
    "LesionWish",
    "PersonSettings",
    "SyntheticVolume",
    "VolumeSettings",
    "WarpSettings",
    "around_liver",
    "blur",
    "body_of",
    "build_autoencoder",
    "build_flow",
    "class_index",
    "class_means",
    "condition",
    "draw_image",
    "mean_image",
    "one_hot",
    "pack",
    "paint_lesions",
    "paint_mass",
    "perturb_scan",
    "phantom_body",
    "phase_means_hu",
    "remainder",
    "sampling_grid",
    "smooth",
    "surround",
    "synthesise",
    "training_scheduler",
    "unlabelled_tissue",
    "unpack",
    "warp",
    "with_tissue",
]
