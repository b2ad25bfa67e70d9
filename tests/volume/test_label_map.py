"""Structures on a grid: found by code, counted in millilitres, whole liver with its vessels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.errors import GeometryMismatchError, LabelError, UsageError
from surgplan.volume import (
    ANATOMY,
    BILIARY,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    SPLEEN,
    Code,
    Geometry,
    LabelMap,
    Segment,
    label_map_from_masks,
)

SHAPE = (3, 4, 5)


def grid(shape=SHAPE, spacing=(3.0, 1.2, 1.5), degrees=(20, -35, 70)) -> Geometry:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * spacing
    return Geometry(shape=shape, affine=affine)


def labels(array=None, **fields) -> LabelMap:
    if array is None:
        array = np.zeros(SHAPE, dtype=np.uint8)
        array[0, 0, :3] = 1
        array[1, 2, 3] = 8
    settings = {"array": array, "geometry": grid(), "segments": (LIVER, SPLEEN)} | fields
    return LabelMap(**settings)


def test_each_field_alone_breaks_equality() -> None:
    one = labels()
    other_voxel = one.array.copy()
    other_voxel[2, 2, 2] = 8
    changes = {
        "array": other_voxel,
        "geometry": grid(degrees=(20, -35, 70.001)),
        "segments": (LIVER, dataclasses.replace(SPLEEN, colour=(0, 0, 0))),
    }
    assert set(changes) == {field.name for field in dataclasses.fields(LabelMap)}
    assert one == labels()
    for name, value in changes.items():
        assert one != dataclasses.replace(one, **{name: value}), name
    assert one != "a label map"


def test_the_order_in_which_segments_are_given_does_not_matter() -> None:
    assert labels(segments=(SPLEEN, LIVER)) == labels(segments=(LIVER, SPLEEN))
    assert [s.label for s in labels(segments=(SPLEEN, LIVER)).segments] == [1, 8]


def test_the_array_is_owned_and_read_only() -> None:
    mine = np.ones(SHAPE, dtype=np.uint8)
    image = labels(mine)
    mine[:] = 8
    assert (image.array == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        image.array[0, 0, 0] = 0
    mask = image.mask(LIVER)
    mask[:] = False
    assert image.mask(LIVER).all()


def test_a_label_without_a_segment_is_refused_and_named() -> None:
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[0, 0, 0], array[1, 1, 1] = 5, 255
    with pytest.raises(LabelError, match=r"\[5, 255\]"):
        labels(array)


@pytest.mark.parametrize(
    ("twin", "what"),
    [
        (dataclasses.replace(SPLEEN, label=1), "label"),
        (dataclasses.replace(SPLEEN, name=LIVER.name), "name"),
        (dataclasses.replace(SPLEEN, code=Code(value="10200004", meaning="Foie")), "code"),
    ],
)
def test_two_segments_that_share_a_label_a_name_or_a_code_are_refused(twin, what) -> None:
    with pytest.raises(UsageError, match=f"each `{what}` may stand once"):
        labels(np.zeros(SHAPE, dtype=np.uint8), segments=(LIVER, twin))


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float32, bool])
def test_labels_of_another_type_are_refused(dtype) -> None:
    with pytest.raises(UsageError, match="must be uint8"):
        labels(np.zeros(SHAPE, dtype=dtype))


def test_a_shape_that_is_not_the_grid_s_is_refused() -> None:
    with pytest.raises(GeometryMismatchError, match="resample_to"):
        labels(np.zeros((3, 4, 6), dtype=np.uint8))
    with pytest.raises(GeometryMismatchError, match="resample_to"):
        label_map_from_masks([(LIVER, np.zeros((3, 4, 6), dtype=bool))], grid())


random_maps = st.integers(0, 2**32 - 1).map(
    lambda seed: labels(
        np.random.default_rng(seed).choice((0, 1, 2, 8), SHAPE).astype(np.uint8),
        segments=(LIVER, LIVER_TUMOUR, SPLEEN),
    )
)


@given(random_maps)
def test_structures_add_up_to_the_whole(image) -> None:
    whole_ml = np.prod(SHAPE) * 3.0 * 1.2 * 1.5 / 1000
    background_ml = image.counts()[0] * image.geometry.voxel_volume_mm3 / 1000
    parts = sum(image.volume_ml(segment) for segment in image.segments)
    assert parts + background_ml == pytest.approx(whole_ml)
    assert image.volume_ml(*image.segments) == pytest.approx(parts)


@given(random_maps)
def test_counts_are_those_of_numpy(image) -> None:
    found, counts = np.unique(image.array, return_counts=True)
    np.testing.assert_array_equal(np.flatnonzero(image.counts()), found)
    np.testing.assert_array_equal(image.counts()[found], counts)
    assert image.labels_present() == [n for n in found if n]


def test_structures_are_found_by_code_whatever_their_number_or_name() -> None:
    renumbered = dataclasses.replace(LIVER, label=77, name="Leber")
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[0, 0, :2], array[2] = 77, 1
    other = Segment(label=1, name="liver", code=SPLEEN.code, colour=(0, 0, 0))
    image = labels(array, segments=(renumbered, other))
    assert image.find(LIVER.code) == renumbered
    assert image.find(LIVER_TUMOUR.code) is None
    np.testing.assert_array_equal(image.mask(LIVER), array == 77)
    np.testing.assert_array_equal(image.mask(SPLEEN.code), array == 1)
    np.testing.assert_array_equal(image.mask(SPLEEN, LIVER.code), array > 0)
    assert not image.mask(LIVER_TUMOUR).any()
    assert image.volume_ml(LIVER_TUMOUR) == 0


def test_of_masks_that_overlap_the_later_wins() -> None:
    one, two = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    one[0], two[0, 0] = True, True
    image = label_map_from_masks([(LIVER, one), (SPLEEN, two)], grid())
    assert image.counts()[[1, 8]].tolist() == [15, 5]
    image = label_map_from_masks([(SPLEEN, two), (LIVER, one)], grid())
    assert image.counts()[[1, 8]].tolist() == [20, 0]


def test_one_voxel_one_code_or_one_shift_changes_the_fingerprint() -> None:
    one = labels()
    array = one.array.copy()
    array[2, 3, 4] = 8
    affine = one.geometry.affine.copy()
    affine[1, 3] += 0.002
    others = [
        one.with_array(array),
        labels(segments=(LIVER, dataclasses.replace(SPLEEN, code=LIVER_CYST.code))),
        labels(geometry=Geometry(shape=SHAPE, affine=affine)),
    ]
    assert len({image.fingerprint() for image in (one, *others)}) == 4
    assert one.fingerprint() == labels().fingerprint()


def test_names_and_colours_are_not_part_of_the_fingerprint() -> None:
    renamed = dataclasses.replace(SPLEEN, name="Milz", colour=(1, 1, 1))
    assert labels(segments=(LIVER, renamed)).fingerprint() == labels().fingerprint()


# A liver with a known answer: an ellipsoid crossed by a portal trunk that leaves it, a hepatic
# vein and a bile duct that stay inside, a tumour and a cyst.
SEMI_AXES_MM = np.array((50.0, 38.0, 32.0))
TRUNK_MM, VEIN_MM = 6.0, 3.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    image: LabelMap
    depth_mm: np.ndarray  # about how far inside the ellipsoid; negative outside
    inside: np.ndarray
    vessel: np.ndarray


def liver_with_vessels(spacing: tuple[float, float, float]) -> Truth:
    shape = tuple(int(n) for n in np.ceil(140 / np.array(spacing)))
    affine = grid(spacing=spacing).affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    geometry = Geometry(shape=shape, affine=affine)
    points = geometry.to_lps(np.moveaxis(np.indices(shape), 0, -1))
    scaled = np.linalg.norm(points / SEMI_AXES_MM, axis=-1)
    inside = scaled < 1
    depth_mm = (
        (1 - scaled) * scaled / np.maximum(np.linalg.norm(points / SEMI_AXES_MM**2, axis=-1), 1e-9)
    )
    trunk = (np.hypot(points[..., 0], points[..., 2] - 4) < TRUNK_MM) & (points[..., 1] > -10)
    vein = (np.hypot(points[..., 1] + 14, points[..., 2]) < VEIN_MM) & inside
    duct = (np.hypot(points[..., 0] - 2, points[..., 1] + 24) < VEIN_MM) & inside
    tumour = np.linalg.norm(points - (25, 5, 8), axis=-1) < 8
    cyst = np.linalg.norm(points - (-25, 5, -8), axis=-1) < 7
    masks = [
        (LIVER, inside), (LIVER_TUMOUR, tumour), (LIVER_CYST, cyst), (PORTAL_VEIN, trunk),
        (HEPATIC_VEINS, vein), (BILIARY, duct),
    ]  # fmt: skip
    image = label_map_from_masks(masks, geometry)
    vessel = image.mask(PORTAL_VEIN, HEPATIC_VEINS)
    return Truth(image=image, depth_mm=depth_mm, inside=inside & ~duct, vessel=vessel)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (5.0, 1.4, 1.4), (1.5, 3.0, 2.2)])
def test_whole_liver_takes_the_vessels_inside_and_leaves_the_trunk_outside(spacing) -> None:
    truth = liver_with_vessels(spacing)
    whole = truth.image.whole_liver()
    # A ball of 8 mm dips 2.7 mm into the 12 mm hole where the trunk leaves; voxels add their half.
    dip = 8 - np.sqrt(8**2 - TRUNK_MM**2) + max(spacing) / 2
    deep = truth.inside & (truth.depth_mm > dip)
    assert (truth.vessel & deep).sum() > 100
    assert whole[deep].all()
    assert (truth.vessel & (truth.depth_mm < -max(spacing))).sum() > 100
    assert not whole[truth.depth_mm < -max(spacing)].any()
    solid = truth.image.mask(LIVER, LIVER_TUMOUR, LIVER_CYST)
    assert whole[solid].all()
    assert not whole[~solid & ~truth.vessel].any()
    assert truth.image.mask(BILIARY).sum() > 20


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (5.0, 1.4, 1.4)])
def test_the_whole_liver_has_the_volume_of_its_ellipsoid(spacing) -> None:
    truth = liver_with_vessels(spacing)
    exact_ml = 4 / 3 * np.pi * np.prod(SEMI_AXES_MM) / 1000
    voxel_ml = truth.image.geometry.voxel_volume_mm3 / 1000
    whole_ml = truth.image.whole_liver().sum() * voxel_ml + truth.image.volume_ml(BILIARY)
    assert whole_ml == pytest.approx(exact_ml, rel=0.01)
    without_vessels = truth.image.volume_ml(LIVER, LIVER_TUMOUR, LIVER_CYST)
    assert without_vessels < 0.99 * exact_ml


def test_a_liver_without_vessels_or_no_liver_at_all_is_what_it_is() -> None:
    np.testing.assert_array_equal(labels().whole_liver(), labels().mask(LIVER))
    only_vessels = np.full(SHAPE, 3, dtype=np.uint8)
    assert not labels(only_vessels, segments=ANATOMY).whole_liver().any()
