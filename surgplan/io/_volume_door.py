"""The door for scans: looks at what a path holds, not at its name, and reads it or refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np

from surgplan.errors import (
    GantryTiltError,
    GeometryError,
    IntensityError,
    NothingToDoError,
    UnsupportedImageError,
)
from surgplan.io._archive import ZIP_MAGIC, unpacked_dicom
from surgplan.io._dicom_grid import Stack, stack_of
from surgplan.io._dicom_header import read_slices
from surgplan.io._dicom_parse import dicom_files, head_of, looks_like_dicom
from surgplan.io._dicom_values import voxels_of
from surgplan.io._intensity import check_intensities
from surgplan.io._itk import read_itk
from surgplan.io._nifti import read_nifti
from surgplan.io._series import Series, SeriesInfo, choose, series_of
from surgplan.volume import Geometry, Modality, Volume, resample_to

_GZIP = b"\x1f\x8b"
_NIFTI_SIZES = (348, 540)


def read_volume(
    path: Path | str,
    *,
    modality: Modality | None = None,
    series: str | None = None,
    allow_resample: bool = False,
) -> Volume:
    """A CT or MR scan from a DICOM folder, zip or multi-frame file, NIfTI, NRRD or MetaImage.

    Parameters
    ----------
    path
        Folder (searched to the bottom) or file; its content decides, not its name.
    modality
        What the file holds, where it does not say so itself; DICOM says so.
    series
        SeriesInstanceUID, or its unambiguous beginning, where a folder holds several scans.
    allow_resample
        Whether a scan with tilted gantry may be resampled to a straight grid (linear, float32).

    Returns
    -------
    Volume
        ``(slice, row, column)`` in LPS millimetres. DICOM slices rise along row direction x column
        direction, whatever the order of files; int16 where values are whole and fit, else float32.

    Raises
    ------
    NothingToDoError
        If there is no such path, or no DICOM in the folder.
    InputRefusedError
        If reading on could be silently wrong; its kinds say why.
    ResourceLimitError
        If the scan does not fit into memory.
    UsageError
        If no series has the UID asked for.

    Notes
    -----
    The grid comes from ImagePositionPatient, ImageOrientationPatient and PixelSpacing alone
    (PS3.3 C.7.6.2); slice thickness and the order of instance numbers are not asked.

    Examples
    --------
    >>> import tempfile
    >>> from surgplan.io import write_dicom_series
    >>> grid = Geometry.from_spacing(shape=(3, 4, 5), spacing_mm=(2.0, 0.7, 0.7))
    >>> ramp = np.arange(-60, 0, dtype=np.int16).reshape(grid.shape)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scan = Volume(array=ramp, geometry=grid, modality="CT")
    ...     write_dicom_series(scan, Path(folder) / "series")
    ...     found = read_volume(Path(folder) / "series")
    >>> found.geometry.matches(grid), found.fingerprint() == scan.fingerprint()
    (True, True)
    """
    path = Path(path)
    if not _is_dicom(path):
        _check_no_series(path, series)
        return _read_file(path, modality)
    with dicom_paths(path) as paths:
        found = series_of([s for p in paths for s in read_slices(p)])
        chosen = choose(found, series, path.name)
        return _volume(chosen, modality, allow_resample=allow_resample)


def list_series(path: Path | str) -> tuple[SeriesInfo, ...]:
    """The series of a DICOM folder, zip or file; none for files of other formats.

    Raises as `read_volume` does for paths that are not there and files that are damaged.
    """
    path = Path(path)
    if not _is_dicom(path):
        return ()
    with dicom_paths(path) as paths:
        return tuple(s.info() for s in series_of([s for p in paths for s in read_slices(p)]))


def _is_dicom(path: Path) -> bool:
    """Whether to look for DICOM there. Raises `NothingToDoError` if there is nothing."""
    if path.is_dir():
        return True
    if not path.is_file():
        msg = f"no such file or folder: {path}; give a scan"
        raise NothingToDoError(msg)
    head = head_of(path)
    return head.startswith(ZIP_MAGIC) or looks_like_dicom(head)


@contextmanager
def dicom_paths(path: Path) -> Iterator[tuple[Path, ...]]:
    """The DICOM files of a folder, a zip or the one file, while the block lasts."""
    if path.is_dir():
        yield dicom_files(path, str(path))
    elif head_of(path).startswith(ZIP_MAGIC):
        with unpacked_dicom(path) as folder:
            yield dicom_files(folder, path.name)
    else:
        yield (path,)


def _check_no_series(path: Path, series: str | None) -> None:
    if series is not None:
        msg = f"{path.name} is no DICOM and has no series to choose; leave --series out"
        raise UnsupportedImageError(msg)


def _read_file(path: Path, modality: Modality | None) -> Volume:
    head = head_of(path)
    sizes = (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
    if head.startswith(_GZIP) or any(n in _NIFTI_SIZES for n in sizes):
        return read_nifti(path, modality)
    if head.startswith(b"NRRD") or b"ObjectType" in head or b"NDims" in head:
        return read_itk(path, modality)
    msg = (
        f"{path.name} is no DICOM, NIfTI, NRRD or MetaImage, whatever its name says; "
        "give the scan itself"
    )
    raise UnsupportedImageError(msg)


def _volume(chosen: Series, modality: Modality | None, *, allow_resample: bool) -> Volume:
    header = chosen.header
    if modality is not None and modality != header.modality:
        msg = f"{header.path.name} is {header.modality}, not {modality}; leave --modality out"
        raise IntensityError(msg)
    stack = stack_of(chosen.slices)
    _check_placed(stack)
    if stack.tilt_deg and not allow_resample:
        msg = (
            f"the gantry is tilted by {stack.tilt_deg:.1f} degrees, so that slices are sheared "
            "against each other; allow resampling to a straight grid with --allow-resample"
        )
        raise GantryTiltError(msg)
    known = cast(Modality, header.modality)
    array = voxels_of(stack, known)
    check_intensities(array, known)
    volume = Volume(
        array=array,
        geometry=stack.geometry,
        modality=known,
        frame_of_reference=header.frame_of_reference,
        identity=header.series_uid or None,
    )
    return resample_to(volume, _straight(stack.geometry)) if stack.tilt_deg else volume


def _check_placed(stack: Stack) -> None:
    """Refuse the grid that tools write when they have lost the real one."""
    lost = np.eye(4)[[2, 1, 0, 3]]
    nowhere = stack.slices[0].header.frame_of_reference is None
    if nowhere and np.array_equal(stack.geometry.affine, lost):
        msg = (
            "spacing is 1 mm throughout and the first voxel lies at 0, 0, 0 in no frame of "
            "reference: the real geometry was lost; get the original series"
        )
        raise GeometryError(msg)


def _straight(sheared: Geometry) -> Geometry:
    """The smallest grid with the same in-plane axes, perpendicular slices and nothing cut off."""
    rows, columns = sheared.affine[:3, 1], sheared.affine[:3, 2]
    normal = np.cross(columns, rows) / np.linalg.norm(np.cross(columns, rows))
    affine = sheared.affine.copy()
    affine[:3, 0] = normal * (sheared.affine[:3, 0] @ normal)
    inverse = np.linalg.inv(affine[:3, :3])
    shift = inverse @ sheared.affine[:3, 0] * (sheared.shape[0] - 1)  # in voxels, last slice
    before = np.floor(np.minimum(shift[1:], 0) + 1e-6).astype(int)
    after = np.ceil(np.maximum(shift[1:], 0) - 1e-6).astype(int)
    affine[:3, 3] += affine[:3, 1] * before[0] + affine[:3, 2] * before[1]
    shape = (
        sheared.shape[0],
        sheared.shape[1] + int(after[0] - before[0]),
        sheared.shape[2] + int(after[1] - before[1]),
    )
    return Geometry(shape=shape, affine=affine)
