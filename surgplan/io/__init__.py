"""In: files, and the nouns of the other rooms. Out: nouns in LPS millimetres, and files.

The only room that opens image files, and the only one that knows RAS.
"""

from surgplan.io._atomic import atomic_file, write_json
from surgplan.io._dicom_write import write_dicom_series
from surgplan.io._guard import read_json, sha256_of
from surgplan.io._intensity import check_intensities
from surgplan.io._itk import read_itk
from surgplan.io._nifti import read_nifti
from surgplan.io._series import SeriesInfo
from surgplan.io._volume_door import list_series, read_volume
from surgplan.io._volume_out import write_volume

__all__ = [
    "SeriesInfo",
    "atomic_file",
    "check_intensities",
    "list_series",
    "read_itk",
    "read_json",
    "read_nifti",
    "read_volume",
    "sha256_of",
    "write_dicom_series",
    "write_json",
    "write_volume",
]
