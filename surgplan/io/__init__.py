"""In: files, and the nouns of the other rooms. Out: nouns in LPS millimetres, and files.

The only room that opens image files, and the only one that knows RAS.
"""

from surgplan.io._atomic import atomic_file, write_json
from surgplan.io._case import Case
from surgplan.io._case_stage import Stage
from surgplan.io._dicom_seg_write import write_dicom_seg
from surgplan.io._dicom_write import write_dicom_series
from surgplan.io._guard import read_json, sha256_of
from surgplan.io._intensity import check_intensities
from surgplan.io._itk import read_itk
from surgplan.io._label_doors import (
    read_couinaud,
    read_label_map,
    read_numbers,
    write_label_map,
)
from surgplan.io._name_structures import name_structures
from surgplan.io._nifti import read_nifti, read_scalar_map, write_scalar_map
from surgplan.io._scene import write_scene
from surgplan.io._series import SeriesInfo
from surgplan.io._surface import read_surface, write_surface
from surgplan.io._vessel_file import read_vessels, write_vessels
from surgplan.io._volume_door import list_series, read_volume
from surgplan.io._volume_out import write_volume

__all__ = [
    "Case",
    "SeriesInfo",
    "Stage",
    "atomic_file",
    "check_intensities",
    "list_series",
    "name_structures",
    "read_couinaud",
    "read_itk",
    "read_json",
    "read_label_map",
    "read_nifti",
    "read_numbers",
    "read_scalar_map",
    "read_surface",
    "read_vessels",
    "read_volume",
    "sha256_of",
    "write_dicom_seg",
    "write_dicom_series",
    "write_json",
    "write_label_map",
    "write_scalar_map",
    "write_scene",
    "write_surface",
    "write_vessels",
    "write_volume",
]
