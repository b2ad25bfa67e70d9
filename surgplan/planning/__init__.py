"""In: a LabelMap with liver, tumours and vessels. Out: Plans, resections with what they do.

A resection is a signed distance, so volumes, margins and cuts come from one definition.
"""

from surgplan.planning._assess import assess, assess_prepared
from surgplan.planning._assessment import Assessment, Quantity, StandardisedRemnant, Verdict
from surgplan.planning._cut import Cut, Patches, cut_liver
from surgplan.planning._kinds import KINDS, UnionResection, resection_from_dict
from surgplan.planning._margins import StructureDistance, TumourMargin
from surgplan.planning._patient import (
    Patient,
    StandardLiver,
    body_surface_dubois_m2,
    standard_livers,
    urata_ml,
    vauthey_ml,
    yu_ml,
)
from surgplan.planning._plan import Plan, plan_from_json, plan_to_json, plan_to_mrk_json
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._propose import propose
from surgplan.planning._replay import Replay, replay
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._thresholds import THRESHOLDS, Condition, Threshold, thresholds_of
from surgplan.planning._tumours import Tumour, tumours_of
from surgplan.planning._wedge import WedgeResection

__all__ = [
    "KINDS",
    "THRESHOLDS",
    "Assessment",
    "Condition",
    "Cut",
    "Patches",
    "Patient",
    "Plan",
    "PlaneResection",
    "PreparedLiver",
    "Quantity",
    "Replay",
    "Resection",
    "StandardLiver",
    "StandardisedRemnant",
    "StructureDistance",
    "Threshold",
    "Tumour",
    "TumourMargin",
    "UnionResection",
    "Verdict",
    "WedgeResection",
    "assess",
    "assess_prepared",
    "body_surface_dubois_m2",
    "cut_liver",
    "plan_from_json",
    "plan_to_json",
    "plan_to_mrk_json",
    "prepare",
    "propose",
    "replay",
    "resection_from_dict",
    "standard_livers",
    "thresholds_of",
    "tumours_of",
    "urata_ml",
    "vauthey_ml",
    "yu_ml",
]
