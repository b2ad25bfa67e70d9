"""The grid on which Couinaud's segments are learned: the box of a liver, always as many voxels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.volume import BILIARY, HEPATIC_VEINS, PORTAL_VEIN, VENA_CAVA, Geometry

MARGIN = 0.06
"""Room on either side of the liver, as a part of its extent."""

COUINAUD_CHANNELS = (
    "liver",
    PORTAL_VEIN.name,
    HEPATIC_VEINS.name,
    "vessels of either system",
    VENA_CAVA.name,
    BILIARY.name,
    "slice",
    "row",
    "column",
)
"""What the network sees; all but the liver and the coordinates may be missing, that is 0."""

_GLOW_VOXELS = 2.5
_GLOW = 5.0


Array = npt.NDArray[np.float64]


def liver_frame(low_mm: Array, high_mm: Array, shape: tuple[int, int, int]) -> Geometry:
    """Grid with axes (superior, posterior, left) around the box of a liver.

    Parameters
    ----------
    low_mm, high_mm
        Corners of the box, LPS millimetres.
    shape
        Voxels along (slice, row, column), whatever the size of the liver.
    """
    extent = (high_mm - low_mm) * (1 + 2 * MARGIN)
    spacing = extent / shape[::-1]
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = spacing[::-1]
    affine[:3, 3] = (low_mm + high_mm - extent + spacing) / 2
    affine[3, 3] = 1.0
    return Geometry(shape=shape, affine=affine)


def coordinates(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """``(3, slice, row, column)``: the place in the frame, -1 to 1 along each axis."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def network_input(
    liver: npt.NDArray[np.bool_], vessels: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """All channels of `COUINAUD_CHANNELS`, of masks on a frame.

    Parameters
    ----------
    liver
        ``(slice, row, column)``.
    vessels
        ``(5, slice, row, column)`` how much of each voxel portal vein, hepatic veins, either,
        vena cava and gallbladder fill. The first three are given a wide soft edge, so that the
        network feels a thin vessel from afar.
    """
    near = ndimage.gaussian_filter(vessels[:3], (0, *[_GLOW_VOXELS] * 3), truncate=3)
    parts = [liver[None], vessels[:3] + _GLOW * near, vessels[3:], coordinates(liver.shape)]
    return np.concatenate([part.astype(np.float32) for part in parts])


def filled(
    mask: npt.NDArray[np.bool_], geometry: Geometry, frame: Geometry
) -> npt.NDArray[np.float32]:
    """How much of each voxel of a frame a mask on any other grid fills, 0 to 1.

    Voxels of the mask are split until they are finer than those of the frame.
    """
    step = np.abs(np.linalg.inv(frame.affine[:3, :3]) @ geometry.affine[:3, :3])
    pieces = np.maximum(1, np.ceil(2 * step.max(axis=0))).astype(int)
    offsets = np.stack(
        np.meshgrid(*[(np.arange(n) + 0.5) / n - 0.5 for n in pieces], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    where = np.argwhere(mask)
    counts = np.zeros(int(np.prod(frame.shape)))
    for offset in offsets:
        index = np.rint(frame.to_index(geometry.to_lps(where + offset))).astype(int)
        index = index[((index >= 0) & (index < frame.shape)).all(axis=1)]
        flat = np.ravel_multi_index(tuple(index.T), frame.shape)
        counts += np.bincount(flat, minlength=len(counts))
    part = counts * geometry.voxel_volume_mm3 / (len(offsets) * frame.voxel_volume_mm3)
    return np.clip(part, 0, 1).astype(np.float32).reshape(frame.shape)
