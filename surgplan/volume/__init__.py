"""In: arrays and affines. Out: frozen Geometry, Volume and LabelMap in LPS millimetres.

Also the anatomy vocabulary, and reorient, resample and crop, which keep every voxel in its place.
"""

from surgplan.volume._anatomy import (
    ANATOMY,
    ARTERIES,
    BILIARY,
    BONE,
    BOWEL,
    COUINAUD,
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
from surgplan.volume._geometry import Geometry
from surgplan.volume._grids import crop, reorient, resample_to
from surgplan.volume._label_map import LabelMap, label_map_from_masks
from surgplan.volume._morphology import box_of, close_mm, distance_outside_mm, larger_pieces
from surgplan.volume._segment import Code, Segment
from surgplan.volume._smoothing import smooth_inside
from surgplan.volume._strokes import grow_strokes
from surgplan.volume._volume import HOUNSFIELD_AIR, Modality, Volume

__all__ = [
    "ANATOMY",
    "ARTERIES",
    "BILIARY",
    "BONE",
    "BOWEL",
    "COUINAUD",
    "HEPATIC_VEINS",
    "HOUNSFIELD_AIR",
    "LEFT_KIDNEY",
    "LIVER",
    "LIVER_CYST",
    "LIVER_TUMOUR",
    "LUNGS",
    "PANCREAS",
    "PORTAL_VEIN",
    "RIGHT_KIDNEY",
    "SPLEEN",
    "STOMACH",
    "VENA_CAVA",
    "Code",
    "Geometry",
    "LabelMap",
    "Modality",
    "Segment",
    "Volume",
    "box_of",
    "close_mm",
    "crop",
    "distance_outside_mm",
    "grow_strokes",
    "label_map_from_masks",
    "larger_pieces",
    "reorient",
    "resample_to",
    "smooth_inside",
]
