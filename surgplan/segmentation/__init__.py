"""In: a Volume. Out: a LabelMap with a confidence, found by a network that runs on a laptop.

Also the evaluation of a LabelMap against a reference, and the bundles that networks come in.
"""

from surgplan.segmentation._bundle import (
    DEFAULT_MODEL,
    METADATA,
    WEIGHTS,
    ModelInfo,
    find_model,
    load_network,
    read_model_info,
    shipped_models,
)
from surgplan.segmentation._evaluate import (
    NSD_TOLERANCE_MM,
    WHOLE_LIVER,
    Evaluation,
    StructureScore,
    evaluate,
    score_masks,
)
from surgplan.segmentation._intensity import CT_WINDOW_HU, normalise, percentiles, scale
from surgplan.segmentation._network import NetworkSettings, build_network
from surgplan.segmentation._segment import Segmentation, SegmentSettings, segment

__all__ = [
    "CT_WINDOW_HU",
    "DEFAULT_MODEL",
    "METADATA",
    "NSD_TOLERANCE_MM",
    "WEIGHTS",
    "WHOLE_LIVER",
    "Evaluation",
    "ModelInfo",
    "NetworkSettings",
    "SegmentSettings",
    "Segmentation",
    "StructureScore",
    "build_network",
    "evaluate",
    "find_model",
    "load_network",
    "normalise",
    "percentiles",
    "read_model_info",
    "scale",
    "score_masks",
    "segment",
    "shipped_models",
]
