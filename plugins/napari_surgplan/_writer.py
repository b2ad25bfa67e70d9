"""What napari's File > Save asks: label maps on the scan's own grid, surfaces in LPS mm."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_surgplan._edits import edited_labels
from napari_surgplan._layers import LABEL_MAP, SEGMENT, to_world
from surgplan.errors import UsageError
from surgplan.io import write_label_map, write_surface
from surgplan.mesh import Surface
from surgplan.volume import ANATOMY, LIVER, Geometry, LabelMap


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a layer of labels; the suffix decides the format.

    A layer of ours goes back to the grid of its scan, also where that is oblique. Others must lie
    straight and use our label numbers.

    Raises
    ------
    UsageError
        If another layer is rotated or sheared.
    LabelError
        If another layer has numbers that are no structure of ours.
    """
    known = meta.get("metadata", {}).get(LABEL_MAP)
    voxels = np.asarray(data)
    if known is not None:
        write_label_map(edited_labels(voxels.astype(np.uint8), known), path)
        return [path]
    turned = not np.allclose(meta.get("rotate", np.eye(3)), np.eye(3)) or np.any(
        meta.get("shear", 0)
    )
    if turned or voxels.ndim != 3:
        msg = (
            "labels must be 3D and lie straight, got a rotated, sheared or flat layer; "
            "open them with their scan in SurgPlan"
        )
        raise UsageError(msg)
    x, y, z = to_world(meta["translate"])
    dz, dy, dx = (float(s) for s in meta["scale"])
    slices, rows, columns = voxels.shape
    geometry = Geometry.from_spacing(
        shape=(slices, rows, columns),
        spacing_mm=(dz, dy, dx),
        origin_mm=(float(x), float(y), float(z)),
    )
    label_map = LabelMap(array=voxels.astype(np.uint8), geometry=geometry, segments=ANATOMY)
    write_label_map(label_map, path)
    return [path]


def write_mesh(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a layer of triangles; raises as `surgplan.io.write_surface`."""
    segment = meta.get("metadata", {}).get(SEGMENT, LIVER)
    points = np.asarray(data[0]) * np.asarray(meta.get("scale", 1)) + np.asarray(
        meta.get("translate", 0)
    )
    surface = Surface(points=to_world(points), triangles=np.asarray(data[1]), segment=segment)
    write_surface(surface, path)
    return [path]
