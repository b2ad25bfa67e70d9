"""In: labelled scans and label maps, and a config file. Out: networks as bundles with model cards.

The same config trains on a CPU or a GPU; every run can be stopped and resumed.
"""

from surgplan.training._bundle_out import write_bundle
from surgplan.training._calibrate import Calibration, calibrate, calibration_error
from surgplan.training._checkpoint import RunState
from surgplan.training._couinaud_run import train_couinaud
from surgplan.training._couinaud_settings import CouinaudSettings, LiverWarp, read_couinaud_settings
from surgplan.training._generator_run import measure_generator_noise, train_synthesis
from surgplan.training._generator_settings import (
    GeneratorTrainingSettings,
    read_generator_settings,
)
from surgplan.training._loop import train
from surgplan.training._run import train_segmentation
from surgplan.training._settings import SourceSettings, TrainingSettings, read_training_settings
from surgplan.training._volumes_out import (
    DatasetSettings,
    find_label_maps,
    generate_volumes,
    stream_volumes,
)

__all__ = [
    "Calibration",
    "CouinaudSettings",
    "DatasetSettings",
    "GeneratorTrainingSettings",
    "LiverWarp",
    "RunState",
    "SourceSettings",
    "TrainingSettings",
    "calibrate",
    "calibration_error",
    "find_label_maps",
    "generate_volumes",
    "measure_generator_noise",
    "read_couinaud_settings",
    "read_generator_settings",
    "read_training_settings",
    "stream_volumes",
    "train",
    "train_couinaud",
    "train_segmentation",
    "train_synthesis",
    "write_bundle",
]
