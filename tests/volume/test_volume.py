"""A scan: owned voxels, refused values, identity."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.errors import GeometryMismatchError, IntensityError, UsageError
from surgplan.volume import Geometry, Volume

SHAPE = (3, 4, 5)


def grid(degrees=(0.0, 0.0, 0.0), origin=(0.0, 0.0, 0.0), spacing=(5.0, 0.8, 0.7)) -> Geometry:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * spacing
    affine[:3, 3] = origin
    return Geometry(shape=SHAPE, affine=affine)


def scan(**fields) -> Volume:
    array = np.arange(60, dtype=np.int16).reshape(SHAPE)
    settings = {"array": array, "geometry": grid((20, -35, 70)), "modality": "CT"} | fields
    return Volume(**settings)


def test_each_field_alone_breaks_equality() -> None:
    one = scan(frame_of_reference="1.2.3", identity="a scan")
    other_voxel = one.array.copy()
    other_voxel[2, 3, 4] += 1
    changes = {
        "array": other_voxel,
        "geometry": grid((20, -35, 70.001)),
        "modality": "MR",
        "frame_of_reference": "1.2.4",
        "identity": "another scan",
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Volume)}
    assert one == scan(frame_of_reference="1.2.3", identity="a scan")
    for name, value in changes.items():
        assert one != dataclasses.replace(one, **{name: value}), name
    assert one != one.with_array(one.array.astype(np.float32))
    assert one != "a scan"


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_the_array_is_owned_and_read_only(dtype) -> None:
    mine = np.zeros(SHAPE, dtype=dtype)
    volume = scan(array=mine)
    mine[:] = 7
    assert not volume.array.any()
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0] = 1
    assert mine.flags.writeable


def test_a_view_of_another_order_becomes_plain_memory() -> None:
    mine = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    volume = scan(array=mine.T)
    assert volume.array.flags.c_contiguous
    np.testing.assert_array_equal(volume.array, mine.T)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_not_finite_is_refused(bad) -> None:
    array = np.zeros(SHAPE, dtype=np.float32)
    array[1, 2, 3] = bad
    with pytest.raises(IntensityError, match="got 1 NaN or infinite"):
        scan(array=array)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, np.int32, np.uint16, bool, complex])
def test_another_type_of_voxel_is_refused(dtype) -> None:
    with pytest.raises(UsageError, match="float32 or int16"):
        scan(array=np.zeros(SHAPE, dtype=dtype))


def test_a_shape_that_is_not_the_grid_s_is_refused_and_names_the_way_out() -> None:
    with pytest.raises(GeometryMismatchError, match=r"\(3, 4, 6\).*\(3, 4, 5\).*resample_to"):
        scan(array=np.zeros((3, 4, 6), dtype=np.int16))


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(UsageError, match="'CT' or 'MR', got 'PT'"):
        scan(modality="PT")


def test_outside_a_ct_is_air_and_outside_an_mr_nothing() -> None:
    assert scan().background == -1000
    assert scan(modality="MR").background == 0


def test_integer_and_float_voxels_of_equal_values_have_one_fingerprint() -> None:
    whole = scan(array=np.arange(-30, 30, dtype=np.int16).reshape(SHAPE))
    floating = whole.array.astype(np.float32)
    floating[floating == 0] = -0.0  # what a rescale by a negative slope leaves
    assert whole.fingerprint() == whole.with_array(floating).fingerprint()


def test_the_fingerprint_does_not_depend_on_what_the_scan_is_called() -> None:
    renamed = scan(identity="renamed", frame_of_reference="1.2")
    assert scan().fingerprint() == renamed.fingerprint()


def test_one_voxel_or_the_modality_changes_the_fingerprint() -> None:
    one = scan()
    other = one.array.copy()
    other[0, 0, 0] += 1
    known = {one.fingerprint(), one.with_array(other).fingerprint()}
    known.add(scan(modality="MR").fingerprint())
    assert len(known) == 3


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", range(4))
def test_two_thousandths_of_a_millimetre_anywhere_in_the_affine_changes_the_fingerprint(
    row, column
) -> None:
    one = scan()
    affine = one.geometry.affine.copy()
    affine[row, column] += 0.002
    moved = scan(geometry=Geometry(shape=SHAPE, affine=affine))
    assert one.fingerprint() != moved.fingerprint()


def test_a_grid_stored_in_single_precision_keeps_its_fingerprint() -> None:
    """NIfTI stores the affine as float32."""
    random = np.random.default_rng(0)
    for _ in range(200):  # rounding to a decimal loses about one in twenty of these
        degrees, origin = random.uniform(-180, 180, 3), random.uniform(-400, 400, 3)
        exact = scan(geometry=grid(degrees, origin, random.uniform(0.3, 8, 3)))
        stored = exact.geometry.affine.astype(np.float32).astype(np.float64)
        again = scan(geometry=Geometry(shape=SHAPE, affine=stored))
        assert exact.fingerprint() == again.fingerprint()


@given(st.tuples(*[st.floats(-180, 180)] * 3), st.tuples(*[st.floats(0.3, 8)] * 3))
def test_spacing_times_direction_rounded_otherwise_keeps_the_fingerprint(degrees, spacing) -> None:
    """Formats of ITK store spacing and direction apart; their product may differ by one ulp."""
    exact = scan(geometry=grid(degrees, (10.5, -20.25, 3.0), spacing))
    affine = exact.geometry.affine.copy()
    affine[:3, :3] = exact.geometry.directions * exact.geometry.spacing_mm
    affine[:3][affine[:3] == 0] = -1e-17
    again = scan(geometry=Geometry(shape=SHAPE, affine=affine))
    assert exact.fingerprint() == again.fingerprint()
