"""Labels that came with a scan, brought to its grid or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surgplan.errors import GeometryMismatchError, NothingToDoError

if TYPE_CHECKING:
    from surgplan.volume import LabelMap, Volume

SAME_WITHIN_MM = 0.05
LOST_SHARE = 0.02


def read_labels(
    path: Path, volume: Volume, *, label_names: Path | None, allow_resample: bool
) -> LabelMap:
    """A label map on the grid of the scan.

    Axes are permuted and flipped as needed, since that changes no voxel. Another grid is refused
    unless resampling is allowed, and also then if structures would be cut off.

    Raises
    ------
    GeometryMismatchError
        If the labels lie on another grid.
    LabelError
        If a label cannot be mapped to a structure without guessing.
    NothingToDoError
        If no voxel is labelled.
    """
    from surgplan.io import read_label_map
    from surgplan.volume import reorient, resample_to

    label_map = read_label_map(path, label_names=label_names)
    if not label_map.labels_present():
        msg = f"no voxel of {path.name} is labelled; give the segmentation of this scan"
        raise NothingToDoError(msg)
    turned = reorient(label_map, volume.geometry.axis_codes)
    if turned.geometry.matches(volume.geometry, atol_mm=SAME_WITHIN_MM):
        return replace(turned, geometry=volume.geometry)
    if not allow_resample:
        msg = (
            f"the labels {path.name} lie on another grid {label_map.geometry.shape} than the scan "
            f"{volume.geometry.shape}; if they belong to it, allow resampling with --allow-resample"
        )
        raise GeometryMismatchError(msg)
    moved = resample_to(label_map, volume.geometry)
    before, after = (m.volume_ml(*m.segments) for m in (label_map, moved))
    if after < (1 - LOST_SHARE) * before:
        msg = (
            f"only {after:.0f} of {before:.0f} ml of the labels {path.name} lie within the scan; "
            "give the segmentation of this scan"
        )
        raise GeometryMismatchError(msg)
    return moved
