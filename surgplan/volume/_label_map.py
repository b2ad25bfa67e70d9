"""Named structures on a voxel grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from surgplan.errors import LabelError, UsageError
from surgplan.volume import _anatomy
from surgplan.volume._geometry import Geometry
from surgplan.volume._morphology import close_mm
from surgplan.volume._segment import Code, Segment
from surgplan.volume._volume import check_shape, content_hash

VESSEL_SHEATH_MM = 8.0
"""Half the width of the widest vessel that `LabelMap.whole_liver` takes for intrahepatic."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMap:
    """Which structure each voxel belongs to.

    Attributes
    ----------
    array
        ``(slice, row, column)`` uint8, 0 is background; read-only.
    geometry
        Where the voxels lie.
    segments
        The structures, by rising label. A segment may be empty; a label without one is refused.

    Raises
    ------
    LabelError
        If a voxel carries a label that no segment names.
    UsageError
        If the array is not uint8, or labels, names or codes repeat.
    """

    array: npt.NDArray[np.uint8]
    geometry: Geometry
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        array = np.array(self.array, order="C")
        if array.dtype != np.uint8:
            msg = f"`array` must be uint8, got {array.dtype}; labels lie in 0..255"
            raise UsageError(msg)
        check_shape(array, self.geometry)
        segments = tuple(sorted(self.segments, key=lambda s: s.label))
        for what in ("label", "name", "code"):
            values = [getattr(s, what) for s in segments]
            if len(set(values)) != len(values):
                msg = f"each `{what}` may stand once in a label map, got {values}"
                raise UsageError(msg)
        array.flags.writeable = False
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "segments", segments)
        unnamed = set(self.labels_present()) - {s.label for s in segments}
        if unnamed:
            msg = f"every label needs a segment, got voxels with {sorted(unnamed)} and no segment"
            raise LabelError(msg)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelMap):
            return NotImplemented
        return (
            self.segments == other.segments
            and self.geometry == other.geometry
            and bool(np.array_equal(self.array, other.array))
        )

    __hash__ = None  # type: ignore[assignment]

    def with_array(self, array: npt.NDArray[np.uint8]) -> LabelMap:
        """The same structures with other voxels on the same grid."""
        return replace(self, array=array)

    def labels_present(self) -> list[int]:
        """Labels that at least one voxel carries, rising, without background."""
        return [int(n) for n in np.flatnonzero(self.counts()) if n]

    def counts(self) -> npt.NDArray[np.int64]:
        """Voxels per label, ``(256,)``."""
        counts = np.zeros(256, dtype=np.int64)
        for plane in self.array:  # by plane: bincount would widen the whole array to int64
            counts += np.bincount(plane.ravel(), minlength=256)
        return counts

    def find(self, code: Code) -> Segment | None:
        """The segment with this code, or None where the label map does not know it."""
        return next((s for s in self.segments if s.code == code), None)

    def mask(self, *wanted: Segment | Code) -> npt.NDArray[np.bool_]:
        """Voxels of any of the structures, found by code; all False for those not there."""
        codes = {w.code if isinstance(w, Segment) else w for w in wanted}
        chosen = np.zeros(256, dtype=bool)
        chosen[[s.label for s in self.segments if s.code in codes]] = True
        mask: npt.NDArray[np.bool_] = chosen[self.array]
        return mask

    def volume_ml(self, *wanted: Segment | Code) -> float:
        """Millilitres of the structures together, by counting voxels."""
        return float(self.mask(*wanted).sum()) * self.geometry.voxel_volume_mm3 / 1000

    def whole_liver(self) -> npt.NDArray[np.bool_]:
        """Parenchyma, tumours and cysts, and what of portal and hepatic veins lies inside them.

        A vessel voxel lies inside when a ball of `VESSEL_SHEATH_MM` cannot reach it from outside
        (morphological closing), so that the portal trunk and the vena cava's entry stay out.
        Computed once per label map; the array is read-only.
        """
        return self._whole_liver

    @cached_property
    def _whole_liver(self) -> npt.NDArray[np.bool_]:
        liver = self.mask(_anatomy.LIVER, _anatomy.LIVER_TUMOUR, _anatomy.LIVER_CYST)
        vessels = self.mask(_anatomy.PORTAL_VEIN, _anatomy.HEPATIC_VEINS)
        if liver.any() and vessels.any():
            liver |= vessels & close_mm(liver, self.geometry, radius_mm=VESSEL_SHEATH_MM)
        liver.flags.writeable = False
        return liver

    def fingerprint(self) -> str:
        """Sha256 of grid, codes and voxels: the identity that a plan is bound to.

        Computed once per label map.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        kind = " ".join(f"{s.label}={s.code.scheme}:{s.code.value}" for s in self.segments)
        return content_hash(kind, self.geometry, self.array)


def label_map_from_masks(
    masks: Iterable[tuple[Segment, npt.NDArray[np.bool_]]], geometry: Geometry
) -> LabelMap:
    """One label map of many masks; where masks overlap, the later one wins."""
    array = np.zeros(geometry.shape, dtype=np.uint8)
    segments = []
    for segment, mask in masks:
        check_shape(mask, geometry)
        array[mask] = segment.label
        segments.append(segment)
    return LabelMap(array=array, geometry=geometry, segments=tuple(segments))
