"""Distances and closing in millimetres, against counting every pair of voxels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from surgplan.errors import UsageError
from surgplan.volume import Geometry, box_of, close_mm, distance_outside_mm


def oblique(shape, spacing, shear=0.0) -> Geometry:
    affine = np.eye(4)
    tilt = np.eye(3)
    tilt[1, 0] = shear
    affine[:3, :3] = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix() @ tilt
    affine[:3, :3] *= spacing
    return Geometry(shape=shape, affine=affine)


def points_mm(geometry: Geometry) -> np.ndarray:
    return geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1)).reshape(-1, 3)


def brute_distance(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    points = points_mm(geometry)
    return cdist(points, points[mask.ravel()]).min(axis=1).reshape(mask.shape)


def brute_closing(mask: np.ndarray, geometry: Geometry, radius_mm: float) -> np.ndarray:
    """Every ball whose centre is a voxel and that misses the mask takes its voxels away."""
    pad = [int(np.ceil(2 * radius_mm / s)) + 1 for s in geometry.spacing_mm]
    padded = np.pad(mask, [(n, n) for n in pad])
    wide = Geometry(shape=padded.shape, affine=geometry.affine)
    points = points_mm(wide)
    centres = points[(brute_distance(padded, wide) > radius_mm).ravel()]
    kept = (cdist(points, centres).min(axis=1) > radius_mm).reshape(padded.shape)
    return kept[tuple(slice(n, -n) for n in pad)]


masks = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random((3, 4, 5)) < 0.15
)
filled = masks.filter(lambda mask: mask.any())
# No two lattice distances equal a radius, which rounding would decide differently each time.
spacings = st.tuples(*[st.integers(7, 20).map(lambda n: n / 10 + 0.00137)] * 3)
radii = st.integers(1, 5).map(lambda n: n / 2 + 0.0421)


@given(filled, spacings)
def test_the_distance_is_that_to_the_nearest_voxel_of_all(mask, spacing) -> None:
    grid = oblique(mask.shape, spacing)
    np.testing.assert_allclose(
        distance_outside_mm(mask, grid), brute_distance(mask, grid), rtol=1e-5, atol=1e-6
    )


@given(filled, spacings, radii)
def test_closing_is_what_no_ball_outside_can_reach(mask, spacing, radius) -> None:
    grid = oblique(mask.shape, spacing)
    closed = close_mm(mask, grid, radius_mm=radius)
    np.testing.assert_array_equal(closed, brute_closing(mask, grid, radius) | mask)


@given(filled, spacings, radii)
def test_closing_twice_adds_nothing(mask, spacing, radius) -> None:
    grid = oblique(mask.shape, spacing)
    once = close_mm(mask, grid, radius_mm=radius)
    assert not (mask & ~once).any()
    np.testing.assert_array_equal(close_mm(once, grid, radius_mm=radius), once)


def test_closing_fills_the_gap_of_its_own_width_in_millimetres_not_voxels() -> None:
    grid = Geometry.from_spacing(shape=(9, 9, 9), spacing_mm=(5.0, 1.0, 1.0))
    slabs = np.zeros((9, 9, 9), dtype=bool)
    slabs[3] = slabs[5] = True  # 10 mm from centre to centre
    assert close_mm(slabs, grid, radius_mm=5.5)[4, 4, 4]
    assert not close_mm(slabs, grid, radius_mm=4.5)[4, 4, 4]


def test_closing_leaves_the_mask_it_was_given() -> None:
    grid = Geometry.from_spacing(shape=(5, 5, 5), spacing_mm=(1.0, 1.0, 1.0))
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[1, 1, 1] = mask[3, 1, 1] = True
    before = mask.copy()
    closed = close_mm(mask, grid, radius_mm=1.5)
    closed[:] = True
    np.testing.assert_array_equal(mask, before)
    assert not close_mm(np.zeros_like(mask), grid, radius_mm=1.5).any()


def test_a_sheared_grid_is_refused_because_distances_there_would_be_wrong() -> None:
    mask = np.ones((3, 3, 3), dtype=bool)
    with pytest.raises(UsageError, match="perpendicular"):
        distance_outside_mm(mask, oblique((3, 3, 3), (1, 1, 1), shear=0.2))


def test_nothing_has_no_distance_and_no_box() -> None:
    grid = oblique((3, 3, 3), (1, 1, 1))
    nothing = np.zeros((3, 3, 3), dtype=bool)
    with pytest.raises(UsageError, match="empty mask"):
        distance_outside_mm(nothing, grid)
    with pytest.raises(UsageError, match="empty mask"):
        box_of(nothing, grid)


@given(filled, spacings, st.floats(0.0, 6.0))
def test_the_box_is_the_smallest_that_holds_the_mask_and_its_margin(mask, spacing, margin) -> None:
    grid = oblique(mask.shape, spacing)
    box = box_of(mask, grid, margin_mm=margin)
    assert mask[box].sum() == mask.sum()
    for axis, part in enumerate(box):
        hits = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        free = (hits[0] - part.start) * spacing[axis], (part.stop - 1 - hits[-1]) * spacing[axis]
        for room, at_border in zip(
            free, (part.start == 0, part.stop == mask.shape[axis]), strict=True
        ):
            assert at_border or margin - 1e-9 <= room < margin + spacing[axis]


def test_every_side_of_a_box_touches_the_mask() -> None:
    grid = oblique((6, 6, 6), (2.0, 1.0, 1.0))
    mask = np.zeros((6, 6, 6), dtype=bool)
    for corner in itertools.product((2, 3), (1, 4), (2, 3)):
        mask[corner] = True
    assert box_of(mask, grid) == (slice(2, 4), slice(1, 5), slice(2, 4))
