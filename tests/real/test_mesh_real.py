"""Surfaces of a real segmentation on its own grid keep volume and place, and lose the stairs."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import marching_cubes

from surgplan.io import read_scalar_map
from surgplan.mesh import Surface, reconstruct_mask
from surgplan.mesh._distances import points_to_surface_mm
from surgplan.volume import LIVER, LIVER_TUMOUR, PORTAL_VEIN, Geometry, box_of

CASE = Path(__file__).parents[2] / ".." / "shared" / "cases" / "ircadb-01"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CASE.exists(), reason=f"no real case at {CASE}"),
]

_LOG = logging.getLogger(__name__)  # pytest --log-cli-level=INFO shows the figures
_EVERY = 17  # points that are measured


@pytest.fixture(name="structures", scope="module")
def _structures() -> dict[str, tuple[np.ndarray, Geometry]]:
    labels, geometry = read_scalar_map(CASE / "labels.nii.gz")
    liver, _ = read_scalar_map(CASE / "liver.nii.gz")
    masks = {"liver": liver > 0, "portal vein": labels == 10}
    masks |= {f"tumour {i - 12}": labels == i for i in range(13, 20)}
    return {name: (mask, geometry) for name, mask in masks.items()}


def voxel_faces(mask: np.ndarray) -> Surface:
    """Every face between a voxel inside and one outside, in index space."""
    squares = []
    for axis in range(3):
        centres = np.argwhere(np.diff(np.pad(mask, 1).astype(np.int8), axis=axis) != 0) - 1.0
        centres[:, axis] += 0.5
        u, v = (np.eye(3)[a] / 2 for a in range(3) if a != axis)
        squares.append(centres[:, None] + np.array([-u - v, u - v, u + v, v - u]))
    points = np.concatenate(squares).reshape(-1, 3)
    first = np.arange(0, len(points), 4)[:, None]
    triangles = np.concatenate([first + np.array(t) for t in ((0, 1, 2), (0, 2, 3))])
    return Surface(points=points, triangles=triangles, segment=LIVER)


def roughness_deg(surface: Surface) -> float:
    """Mean angle between neighbouring triangles, by the length of their edge."""
    corners = surface.points[surface.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    start, end = surface.triangles, np.roll(surface.triangles, -1, axis=1)
    edges = np.minimum(start, end).astype(np.int64) * len(surface.points) + np.maximum(start, end)
    pairs = np.argsort(edges.ravel(), kind="stable").reshape(-1, 2) // 3
    cosine = (normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(axis=1)
    ends = np.stack([start.ravel(), end.ravel()])[:, np.argsort(edges.ravel(), kind="stable")[::2]]
    length = np.linalg.norm(np.subtract(*surface.points[ends]), axis=1)
    return float(np.average(np.degrees(np.arccos(np.clip(cosine, -1, 1))), weights=length))


@pytest.mark.parametrize(
    ("name", "segment"),
    [("liver", LIVER), ("portal vein", PORTAL_VEIN)]
    + [(f"tumour {i}", LIVER_TUMOUR) for i in range(1, 8)],
)
def test_volume_and_place_are_those_of_the_voxels(structures, name, segment):
    mask, geometry = structures[name]
    surface = reconstruct_mask(mask, geometry, segment)
    assert surface.is_closed
    volume_ml = mask.sum() * geometry.voxel_volume_mm3 / 1000
    error = surface.volume_ml / volume_ml - 1
    box = box_of(mask, geometry)
    index = geometry.to_index(surface.points[::_EVERY]) - [s.start for s in box]
    p95 = np.percentile(points_to_surface_mm(index, voxel_faces(mask[box])), 95)
    points, triangles, *_ = marching_cubes(np.pad(mask[box], 1).astype(np.float32), 0.5)
    blocks = Surface(points=geometry.to_lps(points), triangles=triangles, segment=segment)
    rough, stairs = roughness_deg(surface), roughness_deg(blocks)
    _LOG.info(
        "%s: %.1f ml, volume %+.3f %%, p95 %.3f voxel, roughness %.1f deg (stairs %.1f), %d tri",
        *(name, volume_ml, 100 * error, p95, rough, stairs, len(surface.triangles)),
    )
    assert abs(error) <= 0.01
    assert p95 <= 0.5
    assert rough < (0.5 if volume_ml > 1000 else 0.8) * stairs
