"""Scans out."""

from __future__ import annotations

from pathlib import Path

from surgplan.errors import UsageError
from surgplan.io._itk import write_itk
from surgplan.io._nifti import write_nifti
from surgplan.volume import Volume


def write_volume(volume: Volume, path: Path | str) -> None:
    """Write a scan in one piece; the suffix decides the format.

    Parameters
    ----------
    volume
        The scan, in LPS mm; what is read back has the same voxels, grid and fingerprint.
    path
        Ends in ``.nii.gz``, ``.nii``, ``.nrrd`` or ``.mha``.

    Raises
    ------
    UsageError
        If the suffix is another.
    OutputError
        If the file cannot be written.
    """
    name = Path(path).name.lower()
    if name.endswith((".nii", ".nii.gz")):
        write_nifti(volume, path)
    elif name.endswith((".nrrd", ".mha")) and not name.endswith(".seg.nrrd"):
        write_itk(volume, path)
    else:
        msg = f"a scan is written as .nii.gz, .nii, .nrrd or .mha, got {Path(path).name}"
        raise UsageError(msg)
