"""A lesion put into a real scan; outside its neighbourhood not one voxel changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.phantom import MR_WEIGHTINGS
from surgplan.synthesis._brightness import check_look
from surgplan.synthesis._lesion_insert import (
    LesionRecord,
    Neighbourhood,
    VesselPoints,
    insert_label,
    layered_look,
    record_of,
)
from surgplan.synthesis._lesion_place import LesionWish, PlacedLesion, Site, place_lesion
from surgplan.volume import LIVER, LabelMap, Volume

_EDGE_MM = 0.8
_GRAIN_MM = 2.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Inserted:
    """A scan with a lesion that it did not have.

    Attributes
    ----------
    image
        Same grid and type; its identity begins with ``'synthetic'``.
    label_map
        With the lesion.
    lesion
        What is known of it.
    changed
        ``(slice, row, column)`` of the only voxels that may differ from the scan.
    """

    image: Volume
    label_map: LabelMap
    lesion: LesionRecord
    changed: npt.NDArray[np.bool_]


def insert_lesion(
    volume: Volume, label_map: LabelMap, wish: LesionWish, *, look: str, seed: int
) -> Inserted:
    """Put a lesion into the liver of a scan.

    Tissue around it is pushed aside (mass effect); the noise of the scan goes on inside it, and its
    brightness is that of its kind against the parenchyma around it.

    Parameters
    ----------
    volume
        A real scan.
    label_map
        With liver parenchyma and, for the contact asked for, vessels; on the same grid.
    wish
        Kind, size and contact.
    look
        Contrast phase of the CT or weighting of the MR, which decides how the kind looks.
    seed
        Of place, outline and texture.

    Raises
    ------
    UsageError
        If grids differ, or the liver has no place for the lesion.
    """
    check_look(volume.modality, look)
    if not volume.geometry.matches(label_map.geometry):
        msg = "scan and label map lie on different grids; resample one with volume.resample_to"
        raise UsageError(msg)
    rng = np.random.default_rng((seed, 7))
    placed = place_lesion(wish, Site(label_map), [], rng)
    near = None if placed is None else Neighbourhood.of(placed, volume.geometry)
    if placed is None or near is None:
        msg = (
            f"no place for a {wish.kind} of {wish.diameter_mm:g} mm with contact "
            f"{wish.contact!r}; ask for a smaller one or another contact"
        )
        raise UsageError(msg)
    labels = label_map.array.copy()
    labels[near.box], inside = insert_label(labels, placed, near)
    array = volume.array.copy()
    array[near.box], touched = _painted(volume, labels, placed, near, inside, (look, rng))
    changed = np.zeros(array.shape, dtype=bool)
    changed[near.box] = touched
    new_map = label_map.with_array(labels)
    return Inserted(
        image=Volume(
            array=array,
            geometry=volume.geometry,
            modality=volume.modality,
            frame_of_reference=volume.frame_of_reference,
            identity=f"synthetic {wish.kind} in {volume.identity or 'a scan'}",
        ),
        label_map=new_map,
        lesion=record_of(
            (1, placed, near, inside), array.astype(np.float32), new_map, VesselPoints(new_map)
        ),
        changed=changed,
    )


def _painted(
    volume: Volume,
    labels: npt.NDArray[np.uint8],
    lesion: PlacedLesion,
    near: Neighbourhood,
    inside: npt.NDArray[np.bool_],
    how: tuple[str, np.random.Generator],
) -> tuple[npt.NDArray[np.float32] | npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """The box of the image with the lesion, and which of its voxels were touched."""
    look, rng = how
    was = volume.array[near.box].astype(np.float32)
    sigma = [_GRAIN_MM / s for s in volume.geometry.spacing_mm]
    noise = was - ndimage.gaussian_filter(was, sigma)
    moved = near.moved()
    result = np.where(moved, near.pushed(volume.array.astype(np.float32), order=1), was)
    parenchyma = (labels[near.box] == LIVER.label) & (near.gap_mm < 15)
    liver = float(np.median(was[parenchyma])) if parenchyma.any() else float(np.median(was[inside]))
    kind = lesion.wish.look
    change = layered_look(kind, near, lesion.shape.radius_mm, look, rng)
    if look in MR_WEIGHTINGS:
        change = change * np.float32(liver / 100)
    elif kind.absolute_hu is not None:
        change = np.full_like(change, kind.absolute_hu - liver)
    edge = [_EDGE_MM / s for s in volume.geometry.spacing_mm]
    weight = ndimage.gaussian_filter(inside.astype(np.float32), edge)
    weight[weight < 1e-3] = 0
    result = (1 - weight) * result + weight * (liver + change + noise)
    touched = moved | (weight > 0)
    result = np.where(touched, result, was)
    if volume.array.dtype == np.int16:
        return np.rint(result).astype(np.int16), touched
    return result.astype(np.float32), touched
