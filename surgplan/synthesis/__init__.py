"""In: label maps, or a seed alone. Out: CT- and MR-like images that fit them exactly, all seeded.

Domain randomisation, a latent flow, warps, lesions; and their judges: gates, realism, privacy.
"""

from surgplan.phantom import MR_WEIGHTINGS, PHASES
from surgplan.synthesis._body import Body, around_liver, body_of, phantom_body
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
from surgplan.synthesis._gate import GateReport, GateSettings, check_plausible, check_volume
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
    GENERATOR_SCHEMA,
    Generator,
    GeneratorInfo,
    find_generator,
    load_generator,
    read_generator_info,
    shipped_generators,
)
from surgplan.synthesis._individual import CONDITIONS, SEXES, Person, PersonSettings
from surgplan.synthesis._insert import Inserted, insert_lesion
from surgplan.synthesis._intensity import perturb_scan
from surgplan.synthesis._lesion import LesionSettings, paint_lesions, paint_mass
from surgplan.synthesis._lesion_insert import LesionRecord
from surgplan.synthesis._lesion_kinds import CONTACTS, KINDS
from surgplan.synthesis._lesion_place import LesionWish
from surgplan.synthesis._noise import NoiseShape, blur, gaussian, smooth
from surgplan.synthesis._phase import phase_means_hu
from surgplan.synthesis._picture import Scanner, randomised_picture
from surgplan.synthesis._privacy import (
    PATCH_SIDE,
    CopyAudit,
    Gallery,
    Match,
    audit_copies,
    membership_auc,
    texture_of,
)
from surgplan.synthesis._realism import (
    edge_profile,
    feature_distance,
    histogram_distance,
    network_features,
    noise_power,
)
from surgplan.synthesis._surroundings import surround
from surgplan.synthesis._synthesise import METHODS, SyntheticVolume, VolumeSettings, synthesise
from surgplan.synthesis._texture import texture_features
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
    "GENERATOR_SCHEMA",
    "KINDS",
    "LOOKS",
    "METHODS",
    "MR_WEIGHTINGS",
    "PATCH_SIDE",
    "PHASES",
    "REMAINDER_HU",
    "SEXES",
    "STEPS",
    "TISSUES",
    "UNLABELLED",
    "Body",
    "CopyAudit",
    "DrawSettings",
    "Gallery",
    "GateReport",
    "GateSettings",
    "Generator",
    "GeneratorInfo",
    "GeneratorSettings",
    "Inserted",
    "LesionRecord",
    "LesionSettings",
    "LesionWish",
    "Match",
    "NoiseShape",
    "Person",
    "PersonSettings",
    "SampleSettings",
    "Scanner",
    "Scene",
    "SyntheticVolume",
    "VolumeSettings",
    "WarpSettings",
    "around_liver",
    "audit_copies",
    "blur",
    "body_of",
    "build_autoencoder",
    "build_flow",
    "change_look",
    "check_plausible",
    "check_volume",
    "class_index",
    "class_means",
    "condition",
    "draw_image",
    "edge_profile",
    "feature_distance",
    "find_generator",
    "gaussian",
    "generate",
    "histogram_distance",
    "hu_as_mr",
    "insert_lesion",
    "load_generator",
    "mean_image",
    "membership_auc",
    "mr_as_hu",
    "network_features",
    "noise_power",
    "one_hot",
    "pack",
    "paint_lesions",
    "paint_mass",
    "perturb_scan",
    "phantom_body",
    "phase_means_hu",
    "randomised_picture",
    "read_generator_info",
    "remainder",
    "sampling_grid",
    "shipped_generators",
    "smooth",
    "surround",
    "synthesise",
    "texture_features",
    "texture_of",
    "training_scheduler",
    "unlabelled_tissue",
    "unpack",
    "warp",
    "with_tissue",
]
