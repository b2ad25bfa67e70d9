"""A boundary grown from a few strokes inside and outside a structure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import MCP_Geometric

from surgplan.errors import UsageError
from surgplan.volume._label_map import LabelMap
from surgplan.volume._morphology import box_of
from surgplan.volume._segment import Segment
from surgplan.volume._volume import Volume, check_shape

REACH_MM = 25.0
"""How far from the strokes a boundary may move."""
MOST_VOXELS = 250_000
"""Of the box that is searched: more would take longer than a hand waits; coarser then."""
BLUR_MM = 1.0
STEEPNESS = 60.0
"""Cost of a millimetre across which the likeness changes from one to nought, beside plain ones."""

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


def grow_strokes(
    volume: Volume,
    label_map: LabelMap,
    segment: Segment,
    *,
    inside: Mask,
    outside: Mask,
    confidence: npt.NDArray[np.float32] | None = None,
) -> LabelMap:
    """Correct a structure so that strokes drawn inside lie in it, and those outside do not.

    Each voxel within `REACH_MM` goes to the stroke that is nearer along the way, where a way is
    long across places in which the likeness to the inside changes: geodesic segmentation (Bai and
    Sapiro, doi:10.1109/ICCV.2007.4408931). Likeness comes from the grey values under the strokes
    and from the present labels, as far as the model was sure of them. A voxel that the structure
    loses goes to its nearest neighbour.

    Parameters
    ----------
    volume
        The scan.
    label_map
        Its structures, on the same grid.
    segment
        The one to correct, with a label of the label map.
    inside, outside
        ``(slice, row, column)``; ``inside`` must not be empty, and they must not overlap.
    confidence
        ``(slice, row, column)``, 0..1; None takes the labels half on trust.

    Raises
    ------
    UsageError
        If no voxel is marked inside, or one is marked both ways.
    """
    for mask in (inside, outside):
        check_shape(mask, label_map.geometry)
    check_shape(volume.array, label_map.geometry)
    if not inside.any() or (inside & outside).any():
        msg = "strokes must mark some voxel inside, and none both inside and outside; draw again"
        raise UsageError(msg)
    box = box_of(inside | outside, label_map.geometry, margin_mm=REACH_MM)
    shape = tuple(s.stop - s.start for s in box)
    step = max(1, int(np.ceil((np.prod(shape) / MOST_VOXELS) ** (1 / 3))))
    spacing = np.asarray(label_map.geometry.spacing_mm)
    target = label_map.array[box] == segment.label
    trust = np.full(shape, 0.5) if confidence is None else confidence[box].astype(np.float64)
    grey = ndimage.gaussian_filter(volume.array[box].astype(np.float64), BLUR_MM / spacing)
    likeness = _likeness(grey, inside[box], outside[box], target, trust)
    ways = _ways(likeness, (inside[box], outside[box], target), spacing, step)
    won = (ways < 0) & ~outside[box] | inside[box]
    array = np.array(label_map.array)
    array[box] = _painted(label_map.array[box], won, segment.label, spacing)
    return label_map.with_array(array)


def _likeness(grey: Array, inside: Mask, outside: Mask, target: Mask, trust: Array) -> Array:
    """0..1: how much a voxel resembles the inside, by its grey value and by its label."""
    within = grey[inside]
    without = grey[outside] if outside.any() else grey[~target & ~inside]
    noise = max(float(within.std()), 1e-3 * float(np.ptp(grey)) + 1e-9)
    spread = max(float(without.std()), noise)
    log_in = -0.5 * ((grey - within.mean()) / noise) ** 2 - np.log(noise)
    log_out = -0.5 * ((grey - without.mean()) / spread) ** 2 - np.log(spread)
    by_grey = 1 / (1 + np.exp(np.clip(log_out - log_in, -50, 50)))
    by_label = np.where(target, trust, 1 - trust)
    return np.asarray((by_grey * 2 + by_label) / 3)


def _ways(
    likeness: Array, masks: tuple[Mask, Mask, Mask], spacing: Array, step: int
) -> npt.NDArray[np.float32]:
    """Length of the way to the inside less that to the outside, on the grid of the likeness."""
    inside, outside, target = (_coarse(m, step) for m in masks)
    coarse = likeness[::step, ::step, ::step]
    slope = ndimage.gaussian_gradient_magnitude(coarse, 0.7) / (spacing.min() * step)
    cost = 1 + STEEPNESS * slope
    rim = np.ones(coarse.shape, dtype=bool)
    rim[1:-1, 1:-1, 1:-1] = False
    seeds = (inside | rim & target & ~outside, (outside | rim & ~target) & ~inside)
    lengths = []
    for seed in seeds:
        search = MCP_Geometric(cost, sampling=tuple(spacing * step))
        lengths.append(search.find_costs(np.argwhere(seed))[0])
    difference: npt.NDArray[np.float32] = (lengths[0] - lengths[1]).astype(np.float32)
    if step == 1:
        return difference
    index = np.indices(likeness.shape, dtype=np.float32) / step
    fine: npt.NDArray[np.float32] = ndimage.map_coordinates(
        difference, index, order=1, mode="nearest"
    )
    return fine


def _coarse(mask: Mask, step: int) -> Mask:
    """A mask of every ``step``-th voxel, each true where any of its block is."""
    size = [-(-n // step) for n in mask.shape]
    coarse = np.zeros(size, dtype=bool)
    coarse[tuple(np.argwhere(mask).T // step)] = True
    return coarse


def _painted(
    array: npt.NDArray[np.uint8], won: Mask, label: int, spacing: Array
) -> npt.NDArray[np.uint8]:
    lost = (array == label) & ~won
    painted = np.array(array)
    if lost.any() and (array != label).any():
        nearest = ndimage.distance_transform_edt(
            array == label, sampling=spacing, return_distances=False, return_indices=True
        )
        painted[lost] = array[tuple(nearest[:, lost])]
    painted[won] = label
    return painted
