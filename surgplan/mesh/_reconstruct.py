"""From labels to surfaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from surgplan.errors import NothingToDoError, UsageError
from surgplan.mesh._contacts import bridge_contacts
from surgplan.mesh._contour import contour_at_volume, enclosed
from surgplan.mesh._field import smooth_field
from surgplan.mesh._simplify import simplify
from surgplan.mesh._surface import Surface
from surgplan.volume import LIVER, Code, Geometry, LabelMap, Segment, box_of

_WHOLE_LIVER = replace(LIVER, name="liver")
_RIM = 4  # empty voxels around a structure, so that its surface closes at the edge of the scan


def reconstruct_mask(
    mask: npt.NDArray[np.bool_],
    geometry: Geometry,
    segment: Segment,
    *,
    triangles: int | None = None,
) -> Surface:
    """The smooth closed surface of a mask.

    Each voxel centre stays on its side of the surface, thin vessels and single voxels too; the
    level between them is the one that encloses the volume of the voxels. A structure cut by the
    edge of the scan is closed there. Voxels that touch at an edge or a corner become one piece.

    Parameters
    ----------
    mask
        ``(slice, row, column)``, True inside.
    geometry
        Where the voxels lie; left-handed, oblique and sheared grids too.
    segment
        What the structure is.
    triangles
        About how many the surface shall have; see `simplify`. None keeps all, about two per voxel
        face.

    Raises
    ------
    NothingToDoError
        If the mask is empty.
    UsageError
        If mask and geometry have different shapes.
    """
    if mask.shape != geometry.shape:
        msg = f"mask has shape {mask.shape} but its geometry {geometry.shape}"
        raise UsageError(msg)
    if not mask.any():
        msg = f"{segment.name!r} has no voxel, so it has no surface"
        raise NothingToDoError(msg)
    box = box_of(mask, geometry)
    voxels = np.ascontiguousarray(np.pad(mask[box].astype(bool), _RIM))
    bridged = bridge_contacts(voxels)
    field = smooth_field(bridged, geometry.spacing_mm)
    indices, corners = contour_at_volume(field, bridged, float(voxels.sum()))
    points = geometry.to_lps(indices - _RIM + [s.start for s in box])
    if enclosed(points, corners) < 0:  # the grid may be left-handed
        corners = corners[:, ::-1]
    surface = Surface(points=points, triangles=corners, segment=segment)
    return surface if triangles is None else simplify(surface, triangles)


def reconstruct(
    label_map: LabelMap, structure: Segment | Code, *, triangles: int | None = None
) -> Surface:
    """The surface of one structure, found by its code; see `reconstruct_mask`.

    `LIVER` means the voxels with that label, without tumours and vessels; `reconstruct_all` gives
    the whole liver.

    Raises
    ------
    NothingToDoError
        If the structure has no voxel.
    UsageError
        If the label map does not know the structure.
    """
    code = structure.code if isinstance(structure, Segment) else structure
    segment = label_map.find(code)
    if segment is None:
        known = ", ".join(s.name for s in label_map.segments)
        msg = f"no segment has code {code.value} ({code.meaning}); the label map knows {known}"
        raise UsageError(msg)
    return reconstruct_mask(
        label_map.mask(segment), label_map.geometry, segment, triangles=triangles
    )


def reconstruct_all(label_map: LabelMap, *, triangles: int | None = None) -> tuple[Surface, ...]:
    """The whole liver, then every structure that has voxels except the parenchyma, by label.

    Parameters
    ----------
    label_map
        The structures.
    triangles
        At most about how many for each; None keeps all.

    Raises
    ------
    NothingToDoError
        If no structure has a voxel.
    """
    whole_liver = label_map.whole_liver()
    surfaces = []
    if whole_liver.any():
        surfaces.append(
            reconstruct_mask(whole_liver, label_map.geometry, _WHOLE_LIVER, triangles=triangles)
        )
    present = label_map.labels_present()
    for segment in label_map.segments:
        if segment.label in present and segment.code != LIVER.code:
            surfaces.append(reconstruct(label_map, segment, triangles=triangles))
    if not surfaces:
        msg = "no structure of the label map has a voxel, so there is no surface"
        raise NothingToDoError(msg)
    return tuple(surfaces)
