"""Labels grown from a few strokes that a person drew into a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

STROKE_MM = 2.0
BLUR_MM = 1.2
FAT_HU = -30.0  # darker is no organ
BONE_HU = 330.0
LINK_MM = 2.6  # what hangs on a structure by less than twice this is not part of it

Stroke = npt.NDArray[np.float64]


def grow_strokes(
    image_hu: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    spacing_mm: float,
    strokes: Mapping[int, Sequence[Stroke]],
) -> npt.NDArray[np.uint8]:
    """Labels with more structures: each grown from its strokes up to the nearest edge.

    A watershed of the blurred scan's gradient. Air, fat and bone are background, what is labelled
    already stays as it is, and strokes of label 0 hold back what has no edge of its own. From each
    structure, thin bridges and what lies behind them are cut off.

    Parameters
    ----------
    image_hu, labels
        ``(slice, row, column)`` on one isotropic grid; labels of the anatomy vocabulary.
    spacing_mm
        Of that grid; 1.5 is fine enough for kidneys and great vessels.
    strokes
        Label to lines through points, each ``(n, 3)`` indices of the grid, ``n`` at least 1.
    """
    free = labels == 0
    blurred = ndimage.gaussian_filter(image_hu, BLUR_MM / spacing_mm)
    marks = np.zeros(labels.shape, dtype=np.int32)
    marks[(blurred < FAT_HU) | (blurred > BONE_HU)] = 1
    for label, lines in strokes.items():
        marks[_drawn(lines, labels.shape, spacing_mm)] = 1 + label
    marks[~free] = 0
    edges = ndimage.gaussian_gradient_magnitude(image_hu, BLUR_MM / spacing_mm)
    grown = watershed(edges, marks, mask=free) - 1
    result = labels.copy()
    for label in set(strokes) - {0}:
        result[_whole(grown == label, marks == 1 + label, LINK_MM / spacing_mm)] = label
    return result


def _drawn(
    lines: Sequence[Stroke], shape: tuple[int, ...], spacing_mm: float
) -> npt.NDArray[np.bool_]:
    far = np.ones(shape, dtype=bool)
    for line in lines:
        for start, end in zip(line, line[1:] if len(line) > 1 else line, strict=False):
            steps = 1 + int(np.ceil(np.abs(end - start).max()))
            at = np.rint(np.linspace(start, end, steps)).astype(int)
            at = at[((at >= 0) & (at < shape)).all(axis=1)]
            far[tuple(at.T)] = False
    near: npt.NDArray[np.bool_] = ndimage.distance_transform_edt(far) <= STROKE_MM / spacing_mm
    return near


def _whole(
    mask: npt.NDArray[np.bool_], marked: npt.NDArray[np.bool_], voxels: float
) -> npt.NDArray[np.bool_]:
    """A mask opened, and of that the pieces that its strokes touch."""
    core = ndimage.distance_transform_edt(mask) > voxels
    opened = mask & (ndimage.distance_transform_edt(~core) <= voxels)
    pieces, _ = ndimage.label(opened)
    touched = np.unique(pieces[marked & opened])
    kept: npt.NDArray[np.bool_] = np.isin(pieces, touched[touched > 0])
    return kept
