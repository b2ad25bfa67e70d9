"""Grids in the patient: oblique, sheared, mirrored, anisotropic."""

from __future__ import annotations

import itertools

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.errors import UsageError
from surgplan.volume import Geometry

shapes = st.tuples(*[st.integers(1, 40)] * 3)
spacings = st.tuples(*[st.floats(0.3, 8.0)] * 3)
origins = st.tuples(*[st.floats(-400.0, 400.0)] * 3)
turns = st.tuples(*[st.floats(-180.0, 180.0)] * 3)
tilts = st.tuples(*[st.floats(-20.0, 20.0)] * 3)
mirrors = st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3)
shears = st.floats(-0.4, 0.4)


def turned(
    *, shape=(4, 5, 6), spacing=(5.0, 0.8, 1.3), origin=(0, 0, 0), degrees=(0, 0, 0), shear=0.0
) -> Geometry:
    affine = np.eye(4)
    directions = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    tilt = np.eye(3)
    tilt[1, 0] = shear  # slices slide along the rows, as under a gantry tilt
    affine[:3, :3] = directions @ tilt @ np.diag(spacing)
    affine[:3, 3] = origin
    return Geometry(shape=shape, affine=affine)


oblique = st.builds(turned, shape=shapes, spacing=spacings, origin=origins, degrees=turns)
any_grid = st.builds(
    turned, shape=shapes, spacing=spacings, origin=origins, degrees=turns, shear=shears
)


@given(spacings, turns, mirrors)
def test_spacing_and_voxel_volume_survive_rotation_and_mirroring(spacing, degrees, mirror) -> None:
    straight = turned(spacing=spacing, degrees=degrees)
    affine = straight.affine.copy()
    affine[:3, :3] *= mirror
    grid = Geometry(shape=(3, 4, 5), affine=affine)
    np.testing.assert_allclose(grid.spacing_mm, spacing, rtol=1e-12)
    assert grid.voxel_volume_mm3 == pytest.approx(np.prod(spacing), rel=1e-12)
    assert grid.is_orthogonal


@given(spacings, turns, st.floats(0.02, 0.4))
def test_shear_keeps_the_voxel_volume_but_not_the_right_angle(spacing, degrees, shear) -> None:
    grid = turned(spacing=spacing, degrees=degrees, shear=shear)
    assert grid.voxel_volume_mm3 == pytest.approx(np.prod(spacing), rel=1e-9)
    assert not grid.is_orthogonal


@given(any_grid)
def test_to_index_undoes_to_lps(grid) -> None:
    corners = np.array(list(itertools.product(*[(-0.5, n - 0.5) for n in grid.shape])))
    np.testing.assert_allclose(grid.to_index(grid.to_lps(corners)), corners, atol=1e-9)
    points = grid.to_lps(corners).reshape(2, 4, 3)
    np.testing.assert_allclose(grid.to_lps(grid.to_index(points)), points, atol=1e-8)


def test_to_lps_takes_slice_row_column_and_gives_x_y_z() -> None:
    grid = Geometry.from_spacing(shape=(9, 9, 9), spacing_mm=(5.0, 0.8, 0.6), origin_mm=(1, 2, 3))
    np.testing.assert_allclose(grid.to_lps((2, 3, 4)), (1 + 4 * 0.6, 2 + 3 * 0.8, 3 + 2 * 5.0))
    np.testing.assert_allclose(grid.centre_mm, (1 + 4 * 0.6, 2 + 4 * 0.8, 3 + 4 * 5.0))


ALL_CODES = [
    "".join(letters)
    for pairs in itertools.permutations(("LR", "PA", "SI"))
    for letters in itertools.product(*pairs)
]


@pytest.mark.parametrize("codes", ALL_CODES)
@settings(max_examples=5)
@given(degrees=tilts, spacing=spacings)
def test_axis_codes_name_the_nearest_axes_of_a_tilted_grid(codes, degrees, spacing) -> None:
    unit = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0)}
    unit |= {"S": (0, 0, 1), "I": (0, 0, -1)}
    straight = np.array([unit[c] for c in codes], dtype=float).T
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ straight
    affine[:3, :3] *= spacing
    grid = Geometry(shape=(3, 4, 5), affine=affine)
    assert grid.axis_codes == codes
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    assert "".join(nibabel.aff2axcodes(ras)) == codes


@given(oblique)
def test_axis_codes_use_each_world_axis_once_at_any_angle(grid) -> None:
    assert "".join(grid.axis_codes) in ALL_CODES


@given(any_grid, st.floats(0.01, 0.5), st.integers(0, 2))
def test_matches_allows_its_tolerance_at_every_corner_and_no_more(grid, atol, axis) -> None:
    def moved(by_mm: float) -> Geometry:
        affine = grid.affine.copy()
        affine[axis, 3] += by_mm
        return Geometry(shape=grid.shape, affine=affine)

    assert grid.matches(grid)
    assert grid.matches(moved(0.99 * atol), atol_mm=atol)
    assert not grid.matches(moved(1.01 * atol), atol_mm=atol)


def test_matches_sees_a_small_change_of_spacing_that_adds_up_across_the_grid() -> None:
    grid = Geometry.from_spacing(shape=(2, 2, 500), spacing_mm=(1.0, 1.0, 1.0))
    longer = Geometry.from_spacing(shape=(2, 2, 500), spacing_mm=(1.0, 1.0, 1.0 + 1e-5))
    assert not grid.matches(longer)
    assert grid.matches(longer, atol_mm=0.01)


def test_matches_refuses_another_shape() -> None:
    assert not turned(shape=(4, 5, 6)).matches(turned(shape=(4, 5, 7)), atol_mm=1e6)


@given(any_grid, spacings)
def test_with_spacing_keeps_the_outer_faces(grid, spacing) -> None:
    new = grid.with_spacing(spacing)
    np.testing.assert_allclose(new.spacing_mm, spacing, rtol=1e-9)
    np.testing.assert_allclose(new.directions, grid.directions, atol=1e-9)
    near = (-0.5, -0.5, -0.5)
    np.testing.assert_allclose(new.to_lps(near), grid.to_lps(near), atol=1e-9)
    far = grid.to_index(new.to_lps(np.array(new.shape) - 0.5)) - (np.array(grid.shape) - 0.5)
    beyond_mm = far * grid.spacing_mm
    assert (beyond_mm >= -1e-5 * np.array(spacing)).all()
    assert (beyond_mm < np.array(spacing)).all()


def test_with_spacing_of_a_whole_multiple_keeps_the_far_faces_too() -> None:
    grid = turned(shape=(6, 8, 10), spacing=(2.0, 0.5, 0.5), degrees=(20, -35, 70))
    new = grid.with_spacing((1.0, 1.0, 2.5))
    assert new.shape == (12, 4, 2)
    far = np.array(new.shape) - 0.5
    np.testing.assert_allclose(new.to_lps(far), grid.to_lps(np.array(grid.shape) - 0.5))


@given(any_grid, st.tuples(*[st.integers(-5, 5)] * 3), st.tuples(*[st.integers(1, 9)] * 3))
def test_a_window_leaves_its_voxels_where_they_are(grid, start, size) -> None:
    stop = tuple(a + n for a, n in zip(start, size, strict=True))
    window = grid.window(start, stop)
    assert window.shape == size
    np.testing.assert_allclose(
        window.to_lps((1.5, 2.5, 3.5)), grid.to_lps(np.add(start, (1.5, 2.5, 3.5))), atol=1e-9
    )


def test_each_field_alone_breaks_equality() -> None:
    one = turned(degrees=(10, 20, 30))
    assert one == turned(degrees=(10, 20, 30))
    assert hash(one) == hash(turned(degrees=(10, 20, 30)))
    assert one != Geometry(shape=(4, 5, 7), affine=one.affine)
    for row, column in itertools.product(range(3), range(4)):
        affine = one.affine.copy()
        affine[row, column] += 1e-6
        assert one != Geometry(shape=one.shape, affine=affine), (row, column)
    assert one != "a grid"


def test_the_affine_is_owned_and_read_only() -> None:
    mine = np.diag([2.0, 2.0, 2.0, 1.0])
    grid = Geometry(shape=(3, 3, 3), affine=mine)
    mine[0, 0] = 99
    assert grid.affine[0, 0] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 5
    with pytest.raises(AttributeError):
        grid.shape = (1, 1, 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((4, 5), np.eye(4), "three positive integers"),
        ((4, 5, 0), np.eye(4), "three positive integers"),
        ((4, 5, 1.5), np.eye(4), "three positive integers"),
        ((4, 5, 6), np.eye(3), r"must be \(4, 4\)"),
        ((4, 5, 6), np.eye(4) * 2, "end in"),
        ((4, 5, 6), np.diag([1.0, np.nan, 1.0, 1.0]), "finite"),
        ((4, 5, 6), np.diag([1.0, 0.0, 1.0, 1.0]), "invertible"),
        ((4, 5, 6), np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "invert"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(shape, affine, words) -> None:
    with pytest.raises(UsageError, match=words):
        Geometry(shape=shape, affine=affine)


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, -1, 1), (1, 1), (np.nan, 1, 1)])
def test_a_spacing_that_cannot_be_is_refused(spacing) -> None:
    with pytest.raises(UsageError, match="three positive numbers"):
        turned().with_spacing(spacing)


def test_a_grid_of_very_long_voxels_is_not_taken_for_a_flat_one() -> None:
    grid = turned(spacing=(100.0, 1.0, 0.001), degrees=(20, -35, 70))
    assert grid.voxel_volume_mm3 == pytest.approx(0.1)


def test_a_tiny_but_regular_grid_is_not_taken_for_a_flat_one() -> None:
    grid = Geometry.from_spacing(shape=(2, 2, 2), spacing_mm=(1e-3, 1e-3, 1e-3))
    assert grid.voxel_volume_mm3 == pytest.approx(1e-9)
