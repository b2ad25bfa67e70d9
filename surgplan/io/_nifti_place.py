"""Where a NIfTI file says its voxels lie, in LPS millimetres."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

from surgplan.errors import GeometryError
from surgplan.volume import Geometry

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Turns LPS into RAS, and RAS into LPS."""

SAME_PLACE_MM = 0.2
"""How far the corners by sform and qform may lie apart: single precision quaternions near a half
turn are no better."""

_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown, metre, millimetre, micrometre


def affine_lps(
    header: nib.Nifti1Header, shape: tuple[int, int, int], name: str
) -> npt.NDArray[np.float64]:
    """``(4, 4)``, array index (slice, row, column) to LPS mm.

    Parameters
    ----------
    header
        Of a single-file NIfTI.
    shape
        Voxels along the file's own axes (column, row, slice).
    name
        What to call the file in messages.

    Raises
    ------
    GeometryError
        If neither sform nor qform is coded, they disagree, or the unit of length is unknown.
    """
    unit = int(header["xyzt_units"]) & 7
    if unit not in _MM_PER_UNIT:
        msg = f"{name} has an unknown unit of length (code {unit}); set its xyzt_units to mm"
        raise GeometryError(msg)
    affine = np.array(_place(header, shape, name), dtype=np.float64)
    affine[:3] *= _MM_PER_UNIT[unit]
    lps: npt.NDArray[np.float64] = (RAS_FROM_LPS @ affine)[:, [2, 1, 0, 3]]
    return lps


def _place(
    header: nib.Nifti1Header, shape: tuple[int, int, int], name: str
) -> npt.NDArray[np.float64]:
    """File index (column, row, slice) to RAS in the unit of the file."""
    by_matrix: npt.NDArray[np.float64] | None = header.get_sform(coded=True)[0]
    by_quaternion = _quaternion_place(header, name)
    if by_matrix is None and by_quaternion is None:
        msg = (
            f"{name} does not say where it lies in the patient (sform and qform codes are 0), so "
            "left and right are unknown; convert it from DICOM again or set its sform"
        )
        raise GeometryError(msg)
    if by_matrix is None or by_quaternion is None:
        return by_quaternion if by_matrix is None else by_matrix  # type: ignore[return-value]
    if not _agree(by_matrix, by_quaternion, shape):
        msg = (
            f"{name} names two places in the patient: sform and qform differ by more than "
            f"{SAME_PLACE_MM} mm; delete the wrong one (set its code to 0)"
        )
        raise GeometryError(msg)
    return by_matrix


def _quaternion_place(header: nib.Nifti1Header, name: str) -> npt.NDArray[np.float64] | None:
    if int(header["qform_code"]) <= 0:
        return None
    zooms = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if not (np.isfinite(zooms).all() and (zooms > 0).all()):
        msg = f"{name} has voxels of {zooms.tolist()}; correct its pixdim"
        raise GeometryError(msg)
    try:
        place: npt.NDArray[np.float64] = header.get_qform()
    except (ValueError, HeaderDataError) as e:
        msg = (
            f"{name} has a qform that is no rotation ({e}); set its code to 0 if the sform is right"
        )
        raise GeometryError(msg) from e
    return place


def _agree(
    by_matrix: npt.NDArray[np.float64],
    by_quaternion: npt.NDArray[np.float64],
    shape: tuple[int, int, int],
) -> bool:
    """Whether the quaternion is what the matrix becomes when written as one (shear is lost)."""
    if not np.isfinite(by_matrix).all() or abs(np.linalg.det(by_matrix[:3, :3])) < 1e-12:
        return False
    rewritten = nib.Nifti1Header()
    rewritten.set_qform(by_matrix, code=1)
    expected = Geometry(shape=shape, affine=rewritten.get_qform())
    return expected.matches(Geometry(shape=shape, affine=by_quaternion), atol_mm=SAME_PLACE_MM)
