"""In: labelled scans and label maps, and a config file. Out: networks as bundles with model cards.

The same config trains on a CPU or a GPU; every run can be stopped and resumed.
"""

from surgplan.training._bundle_out import write_bundle
from surgplan.training._checkpoint import RunState
from surgplan.training._loop import train
from surgplan.training._run import train_segmentation
from surgplan.training._settings import SourceSettings, TrainingSettings, read_training_settings

__all__ = [
    "RunState",
    "SourceSettings",
    "TrainingSettings",
    "read_training_settings",
    "train",
    "train_segmentation",
    "write_bundle",
]
