"""A scan."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from surgplan.errors import GeometryMismatchError, IntensityError, UsageError
from surgplan.volume._geometry import Geometry

Modality = Literal["CT", "MR"]

HOUNSFIELD_AIR = -1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """A scalar 3D image placed in the patient.

    Attributes
    ----------
    array
        ``(slice, row, column)``, float32 or int16, finite, read-only; Hounsfield units for CT,
        arbitrary units for MR.
    geometry
        Where the voxels lie; same shape as the array.
    modality
        ``'CT'`` or ``'MR'``.
    frame_of_reference
        DICOM FrameOfReferenceUID where the source had one.
    identity
        What the source calls itself (SeriesInstanceUID or file name), for provenance only.

    Raises
    ------
    GeometryMismatchError
        If array and geometry have different shapes.
    IntensityError
        If a voxel is NaN or infinite.
    UsageError
        If the type of the array or the modality is not one of the above.
    """

    array: npt.NDArray[Any]
    geometry: Geometry
    modality: Modality
    frame_of_reference: str | None = None
    identity: str | None = None

    def __post_init__(self) -> None:
        array = np.array(self.array, order="C")  # owned: a view would change under us
        if array.dtype not in (np.dtype(np.float32), np.dtype(np.int16)):
            msg = f"`array` must be float32 or int16, got {array.dtype}; convert it first"
            raise UsageError(msg)
        check_shape(array, self.geometry)
        if self.modality not in ("CT", "MR"):
            msg = f"`modality` must be 'CT' or 'MR', got {self.modality!r}"
            raise UsageError(msg)
        if array.dtype == np.float32 and not np.isfinite(array).all():
            bad = int(array.size - np.isfinite(array).sum())
            msg = f"voxels must be finite, got {bad} NaN or infinite; repair or re-export the scan"
            raise IntensityError(msg)
        array.flags.writeable = False
        object.__setattr__(self, "array", array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Volume):
            return NotImplemented
        return (
            self.modality == other.modality
            and self.frame_of_reference == other.frame_of_reference
            and self.identity == other.identity
            and self.geometry == other.geometry
            and self.array.dtype == other.array.dtype
            and bool(np.array_equal(self.array, other.array))
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def background(self) -> float:
        """Value of what lies outside the scan: air for CT, 0 for MR."""
        return HOUNSFIELD_AIR if self.modality == "CT" else 0.0

    @property
    def is_synthetic(self) -> bool:
        """Whether the identity says that the image was made, not taken."""
        return (self.identity or "").startswith("synthetic")

    def with_array(self, array: npt.NDArray[Any]) -> Volume:
        """The same scan with other voxels on the same grid."""
        return replace(self, array=array)

    def fingerprint(self) -> str:
        """Sha256 of grid, modality and voxels: the identity that a plan is bound to.

        Integer and float arrays of equal values have the same fingerprint; the affine counts in
        single precision, so that a scan written and read again keeps its identity.
        """
        voxels = self.array.astype("<f4")
        voxels += 0.0  # no negative zero
        return content_hash(self.modality, self.geometry, voxels)


def check_shape(array: npt.NDArray[Any], geometry: Geometry) -> None:
    """Raise `GeometryMismatchError` unless the array has the shape of the geometry."""
    if array.shape != geometry.shape:
        msg = (
            f"array has shape {array.shape} but its geometry {geometry.shape}; "
            "resample first with volume.resample_to"
        )
        raise GeometryMismatchError(msg)


def content_hash(kind: str, geometry: Geometry, array: npt.NDArray[Any]) -> str:
    """Sha256 over a kind, a grid in single precision and the bytes of an array.

    Single precision is what NIfTI stores; rounding to a decimal instead would turn the last bit
    of one corner into another identity for every fifth scan that is written and read again.
    """
    digest = hashlib.sha256(f"{kind} {geometry.shape}".encode())
    affine = geometry.affine.astype("<f4")
    affine[np.abs(affine) < 1e-6] = 0  # sines of right angles, which each library rounds its way
    digest.update(affine.tobytes())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
