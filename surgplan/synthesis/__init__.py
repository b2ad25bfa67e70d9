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
from surgplan.synthesis._gate import GateReport, GateSettings, check_volume
from surgplan.synthesis._generate import (
    SampleSettings,
    Scene,
    change_look,
    generate,
    hu_as_mr,
    mr_as_hu,
)
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
from surgplan.synthesis._generator_bundle import (
    AUTOENCODER,
    DEFAULT_GENERATOR,
    FLOW,
    GENERATOR_METADATA,
    Generator,
    find_generator,
    load_generator,
)
from surgplan.synthesis._individual import CONDITIONS, SEXES, PersonSettings
from surgplan.synthesis._insert import Inserted, insert_lesion
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
    "AUTOENCODER",
    "CLASSES",
    "CONDITIONS",
    "CONTACTS",
    "DEFAULT_GENERATOR",
    "FACTOR",
    "FLOW",
    "GENERATOR_METADATA",
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
    "GateReport",
    "GateSettings",
    "Generator",
    "GeneratorSettings",
    "Inserted",
    "LesionRecord",
    "LesionSettings",
    "LesionWish",
    "PersonSettings",
    "SampleSettings",
    "Scene",
    "SyntheticVolume",
    "VolumeSettings",
    "WarpSettings",
    "around_liver",
    "blur",
    "body_of",
    "build_autoencoder",
    "build_flow",
    "change_look",
    "check_volume",
    "class_index",
    "class_means",
    "condition",
    "draw_image",
    "find_generator",
    "generate",
    "hu_as_mr",
    "insert_lesion",
    "load_generator",
    "mean_image",
    "mr_as_hu",
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
