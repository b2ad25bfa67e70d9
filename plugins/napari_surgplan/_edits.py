"""From voxels painted in the window back to the grid of the scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_surgplan._layers import upright
from surgplan.volume import ANATOMY, LabelMap, reorient, resample_to

Voxels = npt.NDArray[np.uint8]


def edited_labels(painted: Voxels, label_map: LabelMap) -> LabelMap:
    """The labels with what was painted; on an oblique grid, untouched voxels keep their label.

    Parameters
    ----------
    painted
        Voxels of the layer of structures, see `napari_surgplan._layers.upright`.
    label_map
        What the layer showed before.
    """
    shown = upright(label_map)
    changed = (painted != shown.array).astype(np.uint8)
    if not changed.any():
        return label_map
    where = own_voxels(changed, label_map) == 1
    array = np.where(where, own_voxels(painted, label_map), label_map.array)
    return label_map.with_array(array.astype(np.uint8))


def own_voxels(shown: Voxels, label_map: LabelMap) -> Voxels:
    """Voxels of a layer on the grid of the label map; by nearest neighbour where it is oblique.

    Parameters
    ----------
    shown
        Numbers of the label map's structures, on the grid of its layer.
    label_map
        Gives the grid.
    """
    own = label_map.geometry
    straight = upright(label_map).geometry
    turned = reorient(label_map, "SPL").geometry
    placed = LabelMap(array=shown, geometry=straight, segments=label_map.segments or ANATOMY)
    if turned.shape == straight.shape and turned.matches(straight, atol_mm=0.05):
        return reorient(replace(placed, geometry=turned), own.axis_codes).array
    return resample_to(placed, own).array
