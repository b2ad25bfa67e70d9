"""In: labelled scans and label maps, and a config file. Out: networks as bundles with model cards.

The same config trains on a CPU or a GPU; every run can be stopped and resumed.
"""

from surgplan.training._loop import train
from surgplan.training._settings import SourceSettings, TrainingSettings, read_training_settings

__all__ = ["SourceSettings", "TrainingSettings", "read_training_settings", "train"]
