"""Labels that came with a scan, brought to its grid or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surgplan.errors import GeometryMismatchError, LabelError, NothingToDoError

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
    from surgplan.volume import resample_to

    label_map = read_label_map(path, label_names=label_names)
    if not label_map.labels_present():
        msg = f"no voxel of {path.name} is labelled; give the segmentation of this scan"
        raise NothingToDoError(msg)
    turned = _turned_to(volume, label_map)
    if turned is not None:
        return turned
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


def with_vessels(
    label_map: LabelMap, path: Path, volume: Volume, *, number: int | None = None
) -> LabelMap:
    """Labels completed by a file that holds the vessels of both systems under one number.

    That number, or None for a mask of which every voxel that is not 0 is a vessel of the liver;
    see `separate_vessels`.

    Raises
    ------
    GeometryMismatchError
        If the file lies on another grid than the scan.
    LabelError
        If the number stands for another structure already.
    NothingToDoError
        If there is no such number, or nothing tells the systems apart.
    """
    from surgplan.io import read_numbers
    from surgplan.planning import separate_vessels
    from surgplan.volume import PORTAL_VEIN, label_map_from_masks

    numbers, geometry = read_numbers(path)
    mask = numbers > 0 if number is None else numbers == number
    if not mask.any():
        wanted = "is a vessel" if number is None else f"has the number {number}"
        msg = f"no voxel of {path.name} {wanted}; give the vessels of the liver"
        raise NothingToDoError(msg)
    merged = _turned_to(volume, label_map_from_masks([(PORTAL_VEIN, mask)], geometry))
    if merged is None:
        msg = (
            f"the vessels {path.name} lie on another grid {geometry.shape} than the scan "
            f"{volume.geometry.shape}; give those of this scan"
        )
        raise GeometryMismatchError(msg)
    vessels = merged.mask(PORTAL_VEIN)
    named = [s.name for s in label_map.segments if (label_map.mask(s) & vessels).any()]
    if number is not None and named:
        msg = (
            f"the number {number} of the merged vessels is read as {named[0]}; name it "
            '"ignore" in the file of `--label-names`'
        )
        raise LabelError(msg)
    return separate_vessels(label_map, vessels)


def _turned_to(volume: Volume, label_map: LabelMap) -> LabelMap | None:
    """The labels with their axes as those of the scan; None if they lie on another grid."""
    from surgplan.volume import reorient

    turned = reorient(label_map, volume.geometry.axis_codes)
    if not turned.geometry.matches(volume.geometry, atol_mm=SAME_WITHIN_MM):
        return None
    return replace(turned, geometry=volume.geometry)
