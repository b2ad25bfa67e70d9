"""Growing and shrinking masks by millimetres, whatever the spacing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.volume._geometry import Geometry


def distance_outside_mm(mask: npt.NDArray[np.bool_], geometry: Geometry) -> npt.NDArray[np.float32]:
    """Millimetres from each voxel centre to the nearest voxel centre of the mask; 0 inside.

    Exact for orthogonal grids; raises `UsageError` for sheared ones and for an empty mask.
    """
    if not geometry.is_orthogonal:
        msg = "distances need a grid with perpendicular axes; resample first"
        raise UsageError(msg)
    if not mask.any():
        msg = "distance to an empty mask is undefined"
        raise UsageError(msg)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(geometry.spacing_mm[::-1])
    signed = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    distance: npt.NDArray[np.float32] = np.maximum(sitk.GetArrayViewFromImage(signed), 0)
    return distance


def box_of(
    mask: npt.NDArray[np.bool_], geometry: Geometry, *, margin_mm: float = 0.0
) -> tuple[slice, slice, slice]:
    """Smallest box of array slices around the mask, grown by a margin, inside the grid.

    Raises `UsageError` for an empty mask.
    """
    if not mask.any():
        msg = "an empty mask has no box"
        raise UsageError(msg)
    grow = np.ceil(margin_mm / np.asarray(geometry.spacing_mm)).astype(int)
    slices = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        start = max(0, int(hit[0]) - int(grow[axis]))
        stop = min(mask.shape[axis], int(hit[-1]) + 1 + int(grow[axis]))
        slices.append(slice(start, stop))
    return slices[0], slices[1], slices[2]


def larger_pieces(
    mask: npt.NDArray[np.bool_], *, voxels: float = 0.0, share: float = 0.0
) -> npt.NDArray[np.bool_]:
    """Pieces, connected by faces, of at least so many voxels and this share of the largest one."""
    kept = np.zeros_like(mask)
    boxes = ndimage.find_objects(mask.view(np.uint8))
    if boxes:
        pieces, _ = ndimage.label(mask[boxes[0]])
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        large = sizes >= max(voxels, share * sizes.max(), 1)
        kept[boxes[0]] = large[pieces]
    return kept


def close_mm(
    mask: npt.NDArray[np.bool_], geometry: Geometry, *, radius_mm: float
) -> npt.NDArray[np.bool_]:
    """Closing by a ball: voxels that a ball of this radius outside the mask cannot reach.

    The mask itself always stays. Beyond the edge of the grid there is no mask.
    """
    if not mask.any():
        return mask.copy()
    pad = [int(n) for n in np.ceil(radius_mm / np.asarray(geometry.spacing_mm)) + 1]
    box = box_of(mask, geometry)
    padded = np.pad(mask[box], [(n, n) for n in pad])
    window = Geometry(shape=padded.shape, affine=geometry.affine)
    grown = distance_outside_mm(padded, window) <= radius_mm
    shrunk = distance_outside_mm(~grown, window) > radius_mm
    inner = tuple(slice(n, -n) for n in pad)
    closed = mask.copy()
    closed[box] |= shrunk[inner]
    return closed
