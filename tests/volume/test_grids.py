"""Moving images between grids: nothing may shift, label maps may never blend."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.errors import UsageError
from surgplan.volume import (
    LIVER,
    PORTAL_VEIN,
    SPLEEN,
    Geometry,
    LabelMap,
    Volume,
    crop,
    reorient,
    resample_to,
)

ALL_CODES = [
    "".join(letters)
    for pairs in itertools.permutations(("LR", "PA", "SI"))
    for letters in itertools.product(*pairs)
]
GRADIENT = np.array((1.5, -2.0, 0.75))  # per LPS millimetre


def turned(
    *, shape=(4, 5, 6), spacing=(5.0, 0.8, 1.3), centre=(10, -20, 30), degrees=(0, 0, 0), shear=0.0
) -> Geometry:
    affine = np.eye(4)
    tilt = np.eye(3)
    tilt[1, 0] = shear
    directions = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()[:, ::-1]
    affine[:3, :3] = directions @ tilt @ np.diag(spacing)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape=shape, affine=affine)


def numbered(geometry: Geometry) -> Volume:
    """Every voxel its own value."""
    array = np.arange(np.prod(geometry.shape), dtype=np.int16).reshape(geometry.shape)
    return Volume(array=array, geometry=geometry, modality="CT", identity="numbered")


def linear(geometry: Geometry) -> Volume:
    """A field that rises evenly through the patient, whatever the grid."""
    points = geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    array = (points @ GRADIENT).astype(np.float32)
    return Volume(array=array, geometry=geometry, modality="MR")


def organs(geometry: Geometry, seed: int = 0) -> LabelMap:
    array = np.random.default_rng(seed).choice((0, 1, 3, 8), geometry.shape).astype(np.uint8)
    return LabelMap(array=array, geometry=geometry, segments=(LIVER, PORTAL_VEIN, SPLEEN))


tilts = st.tuples(*[st.floats(-40.0, 40.0)] * 3)
codes = st.sampled_from(ALL_CODES)


@given(codes, tilts, st.floats(-0.3, 0.3))
def test_reorient_and_back_is_identity_to_the_bit(there, degrees, shear) -> None:
    image = numbered(turned(degrees=degrees, shear=shear))
    back = reorient(reorient(image, there), image.geometry.axis_codes)
    assert back.geometry.matches(image.geometry, atol_mm=1e-9)
    np.testing.assert_array_equal(back.array, image.array)
    assert (back.modality, back.identity) == (image.modality, image.identity)


@given(codes, tilts, st.floats(-0.3, 0.3))
def test_reorient_leaves_every_voxel_where_it_is(there, degrees, shear) -> None:
    image = numbered(turned(degrees=degrees, shear=shear))
    new = reorient(image, there)
    assert new.geometry.axis_codes == there
    for index in itertools.product(*[(0, n - 1) for n in new.array.shape]):
        old = tuple(np.rint(image.geometry.to_index(new.geometry.to_lps(index))).astype(int))
        assert new.array[index] == image.array[old]
    assert sorted(new.array.ravel()) == sorted(image.array.ravel())


def test_a_label_map_can_be_reoriented_and_keeps_its_segments() -> None:
    image = organs(turned())
    new = reorient(image, "RIA")
    assert isinstance(new, LabelMap)
    assert new.segments == image.segments
    np.testing.assert_array_equal(new.counts(), image.counts())


@pytest.mark.parametrize("there", ["SP", "SPLL", "SPP", "XYZ", "spl", ""])
def test_codes_that_do_not_span_the_patient_are_refused(there) -> None:
    with pytest.raises(UsageError, match="one each of L/R, P/A and S/I"):
        reorient(numbered(turned()), there)


@given(tilts, st.data())
def test_crop_leaves_every_voxel_where_it_is(degrees, data) -> None:
    image = numbered(turned(degrees=degrees, shear=0.2))
    box = []
    for n in image.array.shape:
        start = data.draw(st.integers(0, n - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, n))))
    part = crop(image, (box[0], box[1], box[2]))
    np.testing.assert_array_equal(part.array, image.array[tuple(box)])
    where = part.geometry.to_lps(np.array(part.array.shape) - 1)
    last = [s.stop - 1 for s in box]
    np.testing.assert_allclose(where, image.geometry.to_lps(last), atol=1e-9)


@pytest.mark.parametrize(
    "box",
    [
        (slice(0, 5), slice(0, 5), slice(0, 6)),
        (slice(-2, 3), slice(0, 5), slice(0, 6)),
        (slice(2, 2), slice(0, 5), slice(0, 6)),
        (slice(3, 1), slice(0, 5), slice(0, 6)),
    ],
)
def test_a_box_that_is_empty_or_reaches_outside_is_refused(box) -> None:
    with pytest.raises(UsageError, match="must lie inside"):
        crop(numbered(turned()), box)


def test_a_step_in_the_box_is_refused_or_it_would_change_the_spacing() -> None:
    with pytest.raises(UsageError, match="step 1"):
        crop(numbered(turned()), (slice(0, 4, 2), slice(0, 5), slice(0, 6)))


def test_resampling_to_the_same_grid_changes_no_bit() -> None:
    image = numbered(turned(degrees=(11, 22, 33), shear=0.1))
    same = resample_to(image, image.geometry)
    assert same == image
    assert same.array.dtype == np.int16


@given(tilts, tilts, st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_a_linear_field_is_reproduced_on_any_finer_grid(one, two, shear, other_shear) -> None:
    source = linear(turned(shape=(12, 13, 14), spacing=(3.0, 2.0, 2.5), degrees=one, shear=shear))
    target = turned(shape=(7, 8, 9), spacing=(1.1, 0.7, 0.9), degrees=two, shear=other_shear)
    index = source.geometry.to_index(target.to_lps(np.moveaxis(np.indices(target.shape), 0, -1)))
    inside = ((index >= 0) & (index <= np.array(source.array.shape) - 1)).all(axis=-1)
    assert inside.mean() > 0.9
    result = resample_to(source, target)
    error = np.abs(result.array - linear(target).array)[inside]
    assert error.max() < 2e-3  # of values up to about 150: single precision
    assert result.geometry == target


def test_a_linear_field_survives_coarsening_away_from_the_border() -> None:
    source = linear(turned(shape=(40, 40, 40), spacing=(1.0, 0.8, 0.9), degrees=(10, 20, -30)))
    target = turned(shape=(4, 4, 4), spacing=(3.0, 2.5, 2.0), degrees=(-15, 5, 40))
    error = np.abs(resample_to(source, target).array - linear(target).array)
    assert error.max() < 0.02


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 2.0, 3.0), (0.4, 0.5, 0.6)])
def test_nothing_shifts_whether_blurred_or_not(spacing) -> None:
    geometry = turned(shape=(33, 33, 33), spacing=(1.0, 1.0, 1.0), degrees=(25, -10, 40))
    ball_mm = np.array((11.3, -18.6, 31.7))
    distance = np.linalg.norm(
        geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1)) - ball_mm, axis=-1
    )
    array = (100 * np.exp(-((distance / 4) ** 2))).astype(np.float32)
    source = Volume(array=array, geometry=geometry, modality="MR")
    size = np.ceil(26 / np.array(spacing)).astype(int)
    target = turned(
        shape=tuple(int(n) for n in size), spacing=spacing, centre=(11, -19, 32), degrees=(5, 0, 60)
    )
    result = resample_to(source, target)
    points = target.to_lps(np.moveaxis(np.indices(target.shape), 0, -1))
    weights = result.array[..., None]
    centre = (points * weights).sum(axis=(0, 1, 2)) / weights.sum()
    assert np.linalg.norm(centre - ball_mm) < 0.05


@pytest.mark.parametrize("axis", range(3))
def test_coarsening_averages_what_would_alias_along_that_axis_alone(axis) -> None:
    shape = [8, 8, 8]
    shape[axis] = 60
    index = np.indices(shape)
    alternating = 100 * (index[axis] % 2)  # every third voxel alone would alternate still
    across = 1000 * (index[(axis + 1) % 3] % 2)
    geometry = Geometry.from_spacing(shape=tuple(shape), spacing_mm=(1, 1, 1))
    array = (alternating + across).astype(np.float32)
    source = Volume(array=array, geometry=geometry, modality="MR")
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 3.0
    coarse = resample_to(source, geometry.with_spacing(tuple(spacing)))
    inner = np.moveaxis(coarse.array, axis, 0)[2:-2]
    expected = np.moveaxis(50 + across, axis, 0)[: len(inner)]
    np.testing.assert_allclose(inner, expected, atol=2)


@given(tilts, st.tuples(*[st.floats(0.5, 4.0)] * 3), st.integers(0, 5))
def test_a_label_map_never_blends(degrees, spacing, seed) -> None:
    image = organs(turned(spacing=(2.0, 1.0, 1.0)), seed)
    target = turned(shape=(9, 9, 9), spacing=spacing, degrees=degrees, shear=0.2)
    result = resample_to(image, target)
    assert isinstance(result, LabelMap)
    assert set(np.unique(result.array)) <= {0, 1, 3, 8}
    index = image.geometry.to_index(target.to_lps(np.moveaxis(np.indices(target.shape), 0, -1)))
    nearest = np.rint(index).astype(int)
    limits = np.array(image.array.shape)
    clear = (np.abs(index - np.floor(index) - 0.5) > 1e-3).all(axis=-1)  # not halfway between two
    inside = ((nearest >= 0) & (nearest < limits)).all(axis=-1)
    expected = np.zeros(target.shape, dtype=np.uint8)
    expected[inside] = image.array[tuple(nearest[inside].T)]
    np.testing.assert_array_equal(result.array[clear], expected[clear])


@pytest.mark.parametrize(("modality", "outside"), [("CT", -1000), ("MR", 0)])
def test_beyond_the_scan_lies_air_in_ct_and_nothing_in_mr(modality, outside) -> None:
    geometry = turned()
    array = np.full(geometry.shape, 40, dtype=np.int16)
    image = Volume(array=array, geometry=geometry, modality=modality)
    far = geometry.window((20, 20, 20), (22, 22, 22))
    np.testing.assert_array_equal(resample_to(image, far).array, outside)


def test_inputs_come_back_unmodified() -> None:
    volume, labels = numbered(turned(degrees=(5, 6, 7))), organs(turned())
    before = volume.array.copy(), labels.array.copy(), volume.geometry.affine.copy()
    target = turned(shape=(3, 3, 3), spacing=(9, 9, 9))
    for image in (volume, labels):
        reorient(image, "LAI")
        resample_to(image, target)
        crop(image, (slice(1, 3), slice(1, 3), slice(1, 3)))
    np.testing.assert_array_equal(volume.array, before[0])
    np.testing.assert_array_equal(labels.array, before[1])
    np.testing.assert_array_equal(volume.geometry.affine, before[2])
