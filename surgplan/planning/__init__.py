"""In: a LabelMap with liver, tumours and vessels. Out: Plans, resections with what they do.

A resection is a signed distance, so volumes, margins and cuts come from one definition.
"""

from surgplan.planning._access import NEEDLE_OBSTACLES, ORGANS, Instrument, Paths, needle_paths
from surgplan.planning._assess import assess, assess_prepared
from surgplan.planning._assessment import Assessment, Quantity, StandardisedRemnant, Verdict
from surgplan.planning._best_plane import best_plane
from surgplan.planning._bezier import BezierResection
from surgplan.planning._boundary_error import BoundaryError
from surgplan.planning._couinaud import CouinaudSegments, couinaud_from_vessels
from surgplan.planning._couinaud_choice import (
    COUINAUD_METHODS,
    CouinaudChoice,
    CouinaudMethod,
    choose_couinaud,
    sides_cut_off,
)
from surgplan.planning._crossings import VesselMet
from surgplan.planning._cut import Cut, cut_liver
from surgplan.planning._cut_map import CutMap, cut_map
from surgplan.planning._extract import TreeSettings, vessel_tree, vessel_trees
from surgplan.planning._feasible import Nearest, nearest_feasible
from surgplan.planning._freehand import FreehandResection
from surgplan.planning._front import CutFront
from surgplan.planning._functional import FunctionalRemnant, functional_remnant
from surgplan.planning._growth import AFTER_PORTAL_OCCLUSION, Hypertrophy
from surgplan.planning._in_words import in_words
from surgplan.planning._kinds import (
    KINDS,
    TwoStageResection,
    UnionResection,
    resection_from_dict,
)
from surgplan.planning._margins import StructureDistance, TumourMargin
from surgplan.planning._objectives import Objectives, objectives_of
from surgplan.planning._obstacles import Obstacles
from surgplan.planning._opening import Carried
from surgplan.planning._patient import (
    Patient,
    StandardLiver,
    body_surface_dubois_m2,
    standard_livers,
    urata_ml,
    vauthey_ml,
    yu_ml,
)
from surgplan.planning._percent import percent_in_words
from surgplan.planning._perfusion import Perfusion, Perfusions
from surgplan.planning._pieces import Patches
from surgplan.planning._plan import Plan, plan_from_json, plan_to_json, plan_to_mrk_json
from surgplan.planning._ports import (
    PortReach,
    PortSettings,
    obstacles_of,
    port_reach,
    propose_ports,
)
from surgplan.planning._prepare import PreparedLiver, prepare
from surgplan.planning._propose import propose
from surgplan.planning._rehearsal import (
    Rehearsal,
    RehearsalSettings,
    RehearsalStep,
    rehearse,
    rehearse_prepared,
)
from surgplan.planning._replay import Replay, replay
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._separate import separate_vessels
from surgplan.planning._sheet import CutSheet, cut_sheet
from surgplan.planning._skin import body_mask
from surgplan.planning._stages import Stage, stages_of
from surgplan.planning._standing import Standing, standings_of
from surgplan.planning._territories import METRICS, Metric, Territories, territories
from surgplan.planning._territory_resection import TerritoryResection, branch_at
from surgplan.planning._thresholds import THRESHOLDS, Condition, Threshold, thresholds_of
from surgplan.planning._tree_edit import cut_branch, join_trees, relabel
from surgplan.planning._tumours import Tumour, tumours_of
from surgplan.planning._uncertainty import (
    Driver,
    Interval,
    MarginRisk,
    RemnantRisk,
    Uncertainty,
    uncertainty,
)
from surgplan.planning._vessel_tree import (
    Fragment,
    Repairs,
    VesselBranch,
    VesselSystem,
    VesselTree,
)
from surgplan.planning._vessels_cut import LEAST_DIAMETER_MM, VesselCut, vessels_cut
from surgplan.planning._views import View
from surgplan.planning._wedge import WedgeResection

__all__ = [
    "AFTER_PORTAL_OCCLUSION",
    "COUINAUD_METHODS",
    "KINDS",
    "LEAST_DIAMETER_MM",
    "METRICS",
    "NEEDLE_OBSTACLES",
    "ORGANS",
    "THRESHOLDS",
    "Assessment",
    "BezierResection",
    "BoundaryError",
    "Carried",
    "Condition",
    "CouinaudChoice",
    "CouinaudMethod",
    "CouinaudSegments",
    "Cut",
    "CutFront",
    "CutMap",
    "CutSheet",
    "Driver",
    "Fragment",
    "FreehandResection",
    "FunctionalRemnant",
    "Hypertrophy",
    "Instrument",
    "Interval",
    "MarginRisk",
    "Metric",
    "Nearest",
    "Objectives",
    "Obstacles",
    "Patches",
    "Paths",
    "Patient",
    "Perfusion",
    "Perfusions",
    "Plan",
    "PlaneResection",
    "PortReach",
    "PortSettings",
    "PreparedLiver",
    "Quantity",
    "Rehearsal",
    "RehearsalSettings",
    "RehearsalStep",
    "RemnantRisk",
    "Repairs",
    "Replay",
    "Resection",
    "Stage",
    "StandardLiver",
    "StandardisedRemnant",
    "Standing",
    "StructureDistance",
    "Territories",
    "TerritoryResection",
    "Threshold",
    "TreeSettings",
    "Tumour",
    "TumourMargin",
    "TwoStageResection",
    "Uncertainty",
    "UnionResection",
    "Verdict",
    "VesselBranch",
    "VesselCut",
    "VesselMet",
    "VesselSystem",
    "VesselTree",
    "View",
    "WedgeResection",
    "assess",
    "assess_prepared",
    "best_plane",
    "body_mask",
    "body_surface_dubois_m2",
    "branch_at",
    "choose_couinaud",
    "couinaud_from_vessels",
    "cut_branch",
    "cut_liver",
    "cut_map",
    "cut_sheet",
    "functional_remnant",
    "in_words",
    "join_trees",
    "nearest_feasible",
    "needle_paths",
    "objectives_of",
    "obstacles_of",
    "percent_in_words",
    "plan_from_json",
    "plan_to_json",
    "plan_to_mrk_json",
    "port_reach",
    "prepare",
    "propose",
    "propose_ports",
    "rehearse",
    "rehearse_prepared",
    "relabel",
    "replay",
    "resection_from_dict",
    "separate_vessels",
    "sides_cut_off",
    "stages_of",
    "standard_livers",
    "standings_of",
    "territories",
    "thresholds_of",
    "tumours_of",
    "uncertainty",
    "urata_ml",
    "vauthey_ml",
    "vessel_tree",
    "vessel_trees",
    "vessels_cut",
    "yu_ml",
]
