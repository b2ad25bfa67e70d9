"""In: label maps and references. Out: how close they are, by structure, lesion and subgroup.

Needs no network library; distances are in millimetres on the grid of the reference.
"""

from surgplan.evaluation._cohort import (
    METRICS,
    Cohort,
    GroupFigure,
    StructureFigure,
    evaluate_cohort,
)
from surgplan.evaluation._evaluate import (
    NSD_TOLERANCE_MM,
    WHOLE_LIVER,
    Evaluation,
    StructureScore,
    evaluate,
    score_masks,
)
from surgplan.evaluation._lesions import LesionDetection, detect_lesions
from surgplan.evaluation._subgroups import read_subgroups

__all__ = [
    "METRICS",
    "NSD_TOLERANCE_MM",
    "WHOLE_LIVER",
    "Cohort",
    "Evaluation",
    "GroupFigure",
    "LesionDetection",
    "StructureFigure",
    "StructureScore",
    "detect_lesions",
    "evaluate",
    "evaluate_cohort",
    "read_subgroups",
    "score_masks",
]
