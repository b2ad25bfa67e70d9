"""The grid on which Couinaud's segments are learned: the box of a liver, always as many voxels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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


def coordinates(shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """``(3, slice, row, column)``: the place in the frame, -1 to 1 along each axis."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"))
