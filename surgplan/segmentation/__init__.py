"""In: a Volume. Out: a LabelMap with a confidence, found by a network that runs on a laptop.

Also the bundles that networks come in.
"""

from surgplan.segmentation._adopted import (
    AdoptedModel,
    add_model,
    added_models,
    find_added,
    look_into,
)
from surgplan.segmentation._bundle import (
    DEFAULT_MODEL,
    METADATA,
    WEIGHTS,
    ModelInfo,
    Stage,
    find_model,
    load_network,
    read_model_info,
    shipped_models,
)
from surgplan.segmentation._chosen import describe_engine
from surgplan.segmentation._couinaud import (
    COUINAUD_MODEL,
    LearnedCouinaud,
    couinaud_from_shape,
)
from surgplan.segmentation._couinaud_borders import BORDERS, Plane
from surgplan.segmentation._doubts import Doubt, DoubtKind, doubts_about
from surgplan.segmentation._intensity import CT_WINDOW_HU, normalise, percentiles, scale
from surgplan.segmentation._liver_frame import COUINAUD_CHANNELS, liver_frame, network_input
from surgplan.segmentation._liver_view import LIVER_CHANNELS, liver_view
from surgplan.segmentation._network import NetworkSettings, build_network
from surgplan.segmentation._precision import mixed_precision
from surgplan.segmentation._reliability import Reliability, conformal_bound
from surgplan.segmentation._segment import Segmentation, SegmentSettings, segment
from surgplan.segmentation._settle import SURE_LESION_CONFIDENCE, UnsureLesion
from surgplan.segmentation._totalsegmentator import TOTALSEGMENTATOR_TASKS

__all__ = [
    "BORDERS",
    "COUINAUD_CHANNELS",
    "COUINAUD_MODEL",
    "CT_WINDOW_HU",
    "DEFAULT_MODEL",
    "LIVER_CHANNELS",
    "METADATA",
    "SURE_LESION_CONFIDENCE",
    "TOTALSEGMENTATOR_TASKS",
    "WEIGHTS",
    "AdoptedModel",
    "Doubt",
    "DoubtKind",
    "LearnedCouinaud",
    "ModelInfo",
    "NetworkSettings",
    "Plane",
    "Reliability",
    "SegmentSettings",
    "Segmentation",
    "Stage",
    "UnsureLesion",
    "add_model",
    "added_models",
    "build_network",
    "conformal_bound",
    "couinaud_from_shape",
    "describe_engine",
    "doubts_about",
    "find_added",
    "find_model",
    "liver_frame",
    "liver_view",
    "load_network",
    "look_into",
    "mixed_precision",
    "network_input",
    "normalise",
    "percentiles",
    "read_model_info",
    "scale",
    "segment",
    "shipped_models",
]
