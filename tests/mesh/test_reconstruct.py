"""Surfaces of bodies whose volume, area and normals are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import marching_cubes

from surgplan.errors import NothingToDoError, UsageError
from surgplan.mesh import Surface, reconstruct, reconstruct_all, reconstruct_mask
from surgplan.mesh._distances import points_to_surface_mm
from surgplan.volume import (
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    SPLEEN,
    Geometry,
    label_map_from_masks,
)

SPACINGS = [(0.8, 0.8, 0.8), (2.5, 0.8, 0.8), (5.0, 0.8, 0.8)]
CENTRE_MM = np.array([-40.0, 75.0, -620.0])  # of the grids of conftest.py


@dataclass
class Ellipsoid:
    half_axes: tuple[float, float, float]

    @property
    def volume_ml(self) -> float:
        return float(4 / 3 * np.pi * np.prod(self.half_axes)) / 1000

    def mask(self, places: np.ndarray) -> np.ndarray:
        return ((places / self.half_axes) ** 2).sum(axis=-1) <= 1

    def tilt_deg(self, surface: Surface) -> float:
        """Mean angle between triangles and the body they stand for, by area; 0 without stairs."""
        corners = surface.points[surface.triangles] - CENTRE_MM
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        truth = corners.mean(axis=1) / np.square(self.half_axes)
        size = np.linalg.norm(normals, axis=1)
        cosine = (normals * truth).sum(axis=1) / (size * np.linalg.norm(truth, axis=1))
        return float(np.average(np.degrees(np.arccos(np.clip(cosine, -1, 1))), weights=size))


@dataclass
class Torus:
    ring: float
    tube: float

    @property
    def volume_ml(self) -> float:
        return 2 * np.pi**2 * self.ring * self.tube**2 / 1000

    @property
    def area_mm2(self) -> float:
        return 4 * np.pi**2 * self.ring * self.tube

    def mask(self, places: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(places, -1, 0)
        return (np.hypot(x, y) - self.ring) ** 2 + z**2 <= self.tube**2


def voxel_faces(mask: np.ndarray, geometry: Geometry) -> Surface:
    """The blocks themselves: every face between a voxel inside and one outside."""
    squares = []
    padded = np.pad(mask, 1).astype(np.int8)
    for axis in range(3):
        centres = np.argwhere(np.diff(padded, axis=axis) != 0) - 1.0
        centres[:, axis] += 0.5
        u, v = (np.eye(3)[a] / 2 for a in range(3) if a != axis)
        squares.append(centres[:, None] + np.array([-u - v, u - v, u + v, v - u]))
    points = np.concatenate(squares).reshape(-1, 3)
    first = np.arange(0, len(points), 4)[:, None]
    triangles = np.concatenate([first + np.array(t) for t in ((0, 1, 2), (0, 2, 3))])
    return Surface(points=geometry.to_lps(points), triangles=triangles, segment=LIVER_TUMOUR)


def distance_in_voxels(surface: Surface, mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """From the points of a surface to the faces of the voxels, along the axes of the grid."""
    cube = Geometry(shape=geometry.shape, affine=np.eye(4))
    return points_to_surface_mm(geometry.to_index(surface.points), voxel_faces(mask, cube))


def voxels_ml(mask: np.ndarray, geometry: Geometry) -> float:
    return float(mask.sum()) * geometry.voxel_volume_mm3 / 1000


def assert_solid(surface: Surface) -> None:
    """Closed, manifold and outward, by our check and by one that is not ours."""
    assert surface.is_closed
    assert surface.volume_ml > 0
    other = trimesh.Trimesh(surface.points, surface.triangles, process=False)
    assert other.is_watertight
    assert other.is_winding_consistent
    assert other.volume / 1000 == pytest.approx(surface.volume_ml, rel=1e-6)


def turns_around(surface: Surface, points: np.ndarray) -> np.ndarray:
    """How often the surface winds around each point: 1 inside, 0 outside (van Oosterom 1983)."""
    turns = []
    for point in points:
        a, b, c = np.moveaxis(surface.points[surface.triangles] - point, 1, 0)
        la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
        volume = np.einsum("ij,ij->i", a, np.cross(b, c))
        dots = [np.einsum("ij,ij->i", u, v) for u, v in ((a, b), (b, c), (c, a))]
        flat = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
        turns.append(np.arctan2(volume, flat).sum() / (2 * np.pi))
    return np.array(turns)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_ellipsoid_keeps_volume_and_has_no_stairs(grid, places, spacing, mirrored):
    body = Ellipsoid((24.0, 19.0, 15.0))
    geometry = grid(52, spacing, mirrored=mirrored)
    mask = body.mask(places(geometry))
    surface = reconstruct_mask(mask, geometry, LIVER_TUMOUR)
    assert_solid(surface)
    assert surface.volume_ml == pytest.approx(voxels_ml(mask, geometry), rel=2e-3)
    assert surface.volume_ml == pytest.approx(body.volume_ml, rel=0.01)
    assert np.percentile(distance_in_voxels(surface, mask, geometry), 95) <= 0.5
    assert body.tilt_deg(surface) < 8
    points, triangles, *_ = marching_cubes(np.pad(mask, 1).astype(float), 0.5)
    blocky = Surface(
        points=geometry.to_lps(points - 1), triangles=triangles[:, ::-1], segment=LIVER_TUMOUR
    )
    stairs = body.tilt_deg(blocky)
    assert body.tilt_deg(surface) < 0.4 * min(stairs, 180 - stairs)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_sphere_does_not_shrink_and_its_area_is_just_above_the_least(grid, places, spacing):
    body = Ellipsoid((18.0, 18.0, 18.0))
    geometry = grid(40, spacing)
    surface = reconstruct_mask(body.mask(places(geometry)), geometry, LIVER_TUMOUR)
    radius = np.linalg.norm(surface.points - CENTRE_MM, axis=1)
    assert radius.mean() == pytest.approx(18, abs=0.03 * spacing[0])
    least_mm2 = np.cbrt(36 * np.pi * (surface.volume_ml * 1000) ** 2)  # that of a perfect ball
    assert least_mm2 < surface.area_mm2 < least_mm2 * 1.01


@pytest.mark.parametrize("spacing", SPACINGS)
def test_torus_keeps_its_hole(grid, places, euler_characteristic, spacing):
    body = Torus(ring=16.0, tube=6.0)
    geometry = grid(50, spacing)
    mask = body.mask(places(geometry))
    surface = reconstruct_mask(mask, geometry, LIVER_TUMOUR)
    assert_solid(surface)
    assert euler_characteristic(surface) == 0
    assert surface.volume_ml == pytest.approx(voxels_ml(mask, geometry), rel=2e-3)
    assert surface.volume_ml == pytest.approx(body.volume_ml, rel=0.02)
    assert body.area_mm2 < surface.area_mm2 < body.area_mm2 * 1.03


@pytest.mark.parametrize("radius_mm", [3.0, 1.6])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_thin_vessels_stay_whole_and_keep_their_volume(grid, tree, spacing, radius_mm):
    geometry = grid(56, spacing)
    mask = tree(geometry, radius_mm)
    surface = reconstruct_mask(mask, geometry, PORTAL_VEIN)
    assert_solid(surface)
    other = trimesh.Trimesh(surface.points, surface.triangles, process=False)
    assert other.body_count == ndimage.label(mask, np.ones((3, 3, 3)))[1]
    assert surface.volume_ml == pytest.approx(voxels_ml(mask, geometry), rel=0.01)
    assert np.percentile(distance_in_voxels(surface, mask, geometry), 95) <= 0.5
    centres = geometry.to_lps(np.argwhere(mask)[::11])
    np.testing.assert_allclose(turns_around(surface, centres), 1, atol=1e-6)  # no branch is lost


@pytest.mark.parametrize("shear", [0.2, -0.3])
def test_sheared_grids_are_exact_too(grid, places, shear):
    body = Ellipsoid((16.0, 12.0, 10.0))
    geometry = grid(44, (2.0, 1.0, 1.0), shear=shear)
    surface = reconstruct_mask(body.mask(places(geometry)), geometry, LIVER_TUMOUR)
    assert_solid(surface)
    assert surface.volume_ml == pytest.approx(body.volume_ml, rel=0.01)
    np.testing.assert_allclose(surface.bounds_mm.mean(axis=0), CENTRE_MM, atol=0.3)
    np.testing.assert_allclose(np.ptp(surface.bounds_mm, axis=0) / 2, body.half_axes, atol=0.8)


@pytest.mark.parametrize(
    ("voxels", "pieces"),
    [
        ([(0, 0, 0)], 1),
        ([(1, 2, 1), (1, 2, 2)], 1),
        ([(1, 1, 1), (1, 2, 2)], 1),  # share an edge
        ([(1, 1, 1), (2, 2, 2)], 1),  # share a corner
        ([(0, 0, 0), (3, 3, 3)], 2),
        ([(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)], 1),  # a checkerboard
    ],
)
def test_few_voxels_make_a_closed_surface_of_their_volume(
    grid, euler_characteristic, voxels, pieces
):
    geometry = grid(1, (5.0, 0.8, 0.8))
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[tuple(np.transpose(voxels))] = True
    surface = reconstruct_mask(mask, geometry, LIVER_TUMOUR)
    assert_solid(surface)
    assert euler_characteristic(surface) == 2 * pieces
    assert surface.volume_ml == pytest.approx(voxels_ml(mask, geometry), rel=2e-3)


def test_what_the_edge_of_the_scan_cuts_is_capped_there(grid):
    geometry = grid(12, (2.5, 0.8, 0.8))
    mask = np.ones(geometry.shape, dtype=bool)
    surface = reconstruct_mask(mask, geometry, LIVER)
    assert_solid(surface)
    assert surface.volume_ml == pytest.approx(voxels_ml(mask, geometry), rel=2e-3)
    index = geometry.to_index(surface.points)
    assert (index > -1).all()
    assert (index < geometry.shape).all()


def test_a_cavity_is_not_part_of_the_volume(grid, euler_characteristic):
    geometry = grid(12, (1.0, 1.0, 1.0))
    mask = np.ones(geometry.shape, dtype=bool)
    mask[6:9, 6:9, 6:9] = False
    surface = reconstruct_mask(mask, geometry, LIVER)
    assert_solid(surface)
    assert euler_characteristic(surface) == 4
    assert surface.volume_ml == pytest.approx(voxels_ml(mask, geometry), rel=2e-3)


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.02, 0.6),
    blur=st.sampled_from([0.0, 0.7, 1.5]),
    flip=st.booleans(),
)
def test_any_mask_makes_a_solid(grid, seed, share, blur, flip):
    geometry = grid(6, (2.5, 0.8, 0.8), mirrored=flip)
    noise = np.random.default_rng(seed).standard_normal(geometry.shape)
    noise = ndimage.gaussian_filter(noise, blur) if blur else noise
    mask = noise > np.quantile(noise, 1 - share)
    surface = reconstruct_mask(mask, geometry, LIVER_TUMOUR)
    assert_solid(surface)
    inside = distance_in_voxels(surface, mask, geometry)
    assert np.percentile(inside, 50) <= 0.5
    if blur == 1.5:
        assert surface.volume_ml == pytest.approx(voxels_ml(mask, geometry), rel=0.01)


def test_only_the_structure_counts_not_the_rest_of_the_scan(grid, places):
    body = Ellipsoid((9.0, 7.0, 6.0))
    small, large = grid(20, (1.0, 1.0, 1.0)), grid(45, (1.0, 1.0, 1.0))
    offset = np.round(large.to_index(small.to_lps((0, 0, 0)))).astype(int)
    moved = large.window(tuple(offset), tuple(offset + small.shape))
    mask = body.mask(places(moved))
    wide = np.zeros(large.shape, dtype=bool)
    wide[tuple(slice(o, o + n) for o, n in zip(offset, small.shape, strict=True))] = mask
    there = reconstruct_mask(wide, large, LIVER_TUMOUR)
    here = reconstruct_mask(mask, moved, LIVER_TUMOUR)
    np.testing.assert_array_equal(there.triangles, here.triangles)
    np.testing.assert_allclose(there.points, here.points, atol=1e-9)


@pytest.fixture
def label_map(grid, places):
    geometry = grid(50, (2.5, 1.0, 1.0))
    where = places(geometry)
    return label_map_from_masks(
        [
            (LIVER, Ellipsoid((24.0, 19.0, 15.0)).mask(where)),
            (LIVER_TUMOUR, Ellipsoid((6.0, 5.0, 5.0)).mask(where - (8, 0, 0))),
            (SPLEEN, np.zeros(geometry.shape, dtype=bool)),
            (PORTAL_VEIN, Ellipsoid((12.0, 3.0, 3.0)).mask(where - (-8, 0, 0))),
        ],
        geometry,
    )


def test_all_structures_begin_with_the_whole_liver(label_map):
    surfaces = reconstruct_all(label_map)
    names = [surface.segment.name for surface in surfaces]
    assert names == ["liver", "liver tumour", "portal vein"]
    assert surfaces[0].segment.code == LIVER.code
    whole_ml = voxels_ml(label_map.whole_liver(), label_map.geometry)
    assert surfaces[0].volume_ml == pytest.approx(whole_ml, rel=2e-3)
    for surface in surfaces[1:]:
        assert surface == reconstruct(label_map, surface.segment.code)
        assert surface.volume_ml == pytest.approx(label_map.volume_ml(surface.segment), rel=2e-3)


def test_the_wanted_number_of_triangles_holds_for_each(label_map):
    for surface in reconstruct_all(label_map, triangles=800):
        assert len(surface.triangles) <= 820
        assert_solid(surface)


def test_nothing_there_is_refused(label_map, grid):
    with pytest.raises(NothingToDoError, match="'spleen' has no voxel"):
        reconstruct(label_map, SPLEEN)
    empty = label_map.with_array(np.zeros_like(label_map.array))
    with pytest.raises(NothingToDoError, match="no structure"):
        reconstruct_all(empty)
    few = label_map_from_masks([(SPLEEN, label_map.mask(SPLEEN))], label_map.geometry)
    with pytest.raises(UsageError, match=r"32764006.*knows spleen"):
        reconstruct(few, PORTAL_VEIN)
    with pytest.raises(UsageError, match="shape"):
        reconstruct_mask(np.ones((2, 2, 2), dtype=bool), grid(5, (1.0, 1.0, 1.0)), LIVER)
