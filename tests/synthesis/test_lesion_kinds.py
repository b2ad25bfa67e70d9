"""Lesions of an exact size, at the contact asked for, in label maps and in scans."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.synthesis import KINDS, LesionWish, insert_lesion
from surgplan.synthesis._lesion_insert import Neighbourhood, insert_label
from surgplan.synthesis._lesion_place import PlacedLesion, Site, major_vessels, place_lesion
from surgplan.synthesis._lesion_shape import LesionShape, evenly_spread
from surgplan.volume import (
    ANATOMY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    Volume,
    distance_outside_mm,
)

TILTED = np.array(
    [
        [0.0, 0.6, 0.8, -60.0],
        [0.0, 0.8, -0.6, -20.0],
        [1.0, 0.0, 0.0, 15.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def grid(spacing_mm: tuple[float, float, float]) -> Geometry:
    """An oblique grid of about 130 mm a side."""
    affine = TILTED.copy()
    affine[:3, :3] *= np.array(spacing_mm)
    n = [round(130 / s) for s in spacing_mm]
    return Geometry(shape=(n[0], n[1], n[2]), affine=affine)


def liver_with_vein(geometry: Geometry) -> LabelMap:
    """A ball of liver of 60 mm radius with a straight vein of 5 mm radius beside its middle."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
    local = (geometry.to_lps(index) - geometry.centre_mm) @ geometry.directions
    array = np.zeros(geometry.shape, dtype=np.uint8)
    array[np.linalg.norm(local, axis=-1) < 60] = LIVER.label
    vein = np.hypot(local[..., 1] - 8, local[..., 2]) < 5
    array[vein & (array > 0)] = PORTAL_VEIN.label
    return LabelMap(array=array, geometry=geometry, segments=ANATOMY)


@pytest.mark.parametrize("kind", KINDS)
def test_outline_has_exactly_the_volume_asked_for(kind: str) -> None:
    shape = LesionShape.draw(KINDS[kind], 12.0, np.random.default_rng(3))
    # An independent count: directions on a latitude-longitude grid, weighted by their solid angle.
    theta, phi = np.meshgrid(
        (np.arange(90) + 0.5) * np.pi / 90, (np.arange(180) + 0.5) * np.pi / 90, indexing="ij"
    )
    flat = np.sin(theta)
    directions = np.stack([flat * np.cos(phi), flat * np.sin(phi), np.cos(theta)], axis=-1)
    radius = shape.radius_towards_mm(directions.reshape(-1, 3)).reshape(theta.shape)
    volume_ml = float((radius**3 / 3 * flat).sum() * (np.pi / 90) ** 2) / 1000
    assert volume_ml == pytest.approx(shape.volume_ml, rel=2e-3)
    assert shape.volume_ml == pytest.approx(4 / 3 * np.pi * 12**3 / 1000)
    assert shape.largest_diameter_mm >= 24


def test_directions_cover_the_sphere_evenly() -> None:
    directions = evenly_spread(2000)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions.T @ directions / 2000, np.eye(3) / 3, atol=2e-3)


@pytest.mark.parametrize("contact", ["avoid", "abut", "infiltrate"])
@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 2.0), (4.0, 2.0, 2.0)])
def test_contact_with_the_vein_is_what_was_asked_for(
    contact: str, spacing_mm: tuple[float, float, float]
) -> None:
    label_map = liver_with_vein(grid(spacing_mm))
    wish = LesionWish(kind="metastasis", diameter_mm=26.0, contact=contact)
    placed = place_lesion(wish, Site(label_map), [], np.random.default_rng(1))
    assert placed is not None
    near = Neighbourhood.of(placed, label_map.geometry)
    assert near is not None
    labels = label_map.array.copy()
    labels[near.box], inside = insert_label(labels, placed, near)
    after = label_map.with_array(labels)
    vein_ml = label_map.volume_ml(PORTAL_VEIN), after.volume_ml(PORTAL_VEIN)
    gaps = placed.gap_mm(after.geometry.to_lps(np.argwhere(after.mask(PORTAL_VEIN))))
    step = max(spacing_mm)
    if contact == "avoid":
        assert gaps.min() > 3.0
    elif contact == "abut":
        assert 0 <= gaps.min() <= 1.8 * step
        assert vein_ml[1] > 0.9 * vein_ml[0]
    else:
        assert vein_ml[1] < 0.96 * vein_ml[0]  # the vein ends in the lesion
    assert inside.sum() * label_map.geometry.voxel_volume_mm3 / 1000 == pytest.approx(
        placed.shape.volume_ml, rel=0.06
    )


@pytest.mark.parametrize("contact", ["avoid", "abut", "infiltrate"])
def test_contact_holds_where_veins_are_ragged(contact: str) -> None:
    geometry = grid((3.0, 2.0, 2.0))
    label_map = liver_with_vein(geometry)
    rng = np.random.default_rng(8)
    vein = label_map.mask(PORTAL_VEIN)
    near = ndimage.binary_dilation(vein, iterations=2) & ~vein & label_map.mask(LIVER)
    ragged = label_map.array.copy()
    ragged[vein & (rng.random(vein.shape) < 0.25)] = LIVER.label
    ragged[near & (rng.random(vein.shape) < 0.25)] = PORTAL_VEIN.label
    label_map = label_map.with_array(ragged)
    before = major_vessels(label_map)
    scan = Volume(array=np.zeros(geometry.shape, np.int16), geometry=geometry, modality="CT")
    wish = LesionWish(kind="metastasis", diameter_mm=26.0, contact=contact)
    for seed in range(6):
        made = insert_lesion(scan, label_map, wish, look="portal", seed=seed)
        lesion = made.label_map.mask(LIVER_TUMOUR)
        mm = distance_outside_mm(lesion, geometry)
        after = major_vessels(made.label_map)
        if contact == "avoid":
            assert mm[after].min() > 2.5
        else:
            assert mm[after].min() < 6.0
        kept = after.sum() / before.sum()
        assert kept < 0.95 if contact == "infiltrate" else kept > 0.93


def test_small_vessels_do_not_count_as_major() -> None:
    geometry = grid((2.0, 2.0, 2.0))
    label_map = liver_with_vein(geometry)
    assert major_vessels(label_map).sum() > 0.8 * label_map.mask(PORTAL_VEIN).sum()
    thin = label_map.array.copy()
    thin[thin == PORTAL_VEIN.label] = LIVER.label
    thin[:, 30, 30] = PORTAL_VEIN.label
    assert not major_vessels(label_map.with_array(thin)).any()


def test_tissue_is_pushed_outwards_and_nothing_far_moves() -> None:
    geometry = grid((2.0, 2.0, 2.0))
    shape = LesionShape.draw(KINDS["hcc"], 12.0, np.random.default_rng(0))
    lesion = PlacedLesion(
        wish=LesionWish(kind="hcc", diameter_mm=24), shape=shape, centre_mm=geometry.centre_mm
    )
    near = Neighbourhood.of(lesion, geometry)
    assert near is not None
    own = np.stack(np.meshgrid(*[np.arange(n) for n in near.gap_mm.shape], indexing="ij"))
    shift_mm = np.linalg.norm((near.source - own) * 2.0, axis=0)
    at_surface = np.abs(near.gap_mm) < 1
    assert shift_mm[at_surface].mean() == pytest.approx(lesion.push_mm, rel=0.15)
    assert shift_mm[near.gap_mm > 4.1 * lesion.fade_mm].max(initial=0) < 1e-9
    assert near.moved()[at_surface].all()


def test_a_lesion_in_a_scan_changes_nothing_outside_its_neighbourhood() -> None:
    geometry = grid((3.0, 2.0, 2.0))
    label_map = liver_with_vein(geometry)
    rng = np.random.default_rng(5)
    array = rng.normal(-100, 15, geometry.shape)
    array[label_map.array > 0] += 205
    scan = Volume(array=array.astype(np.int16), geometry=geometry, modality="CT")
    wish = LesionWish(kind="cyst", diameter_mm=24)
    made = insert_lesion(scan, label_map, wish, look="portal", seed=2)
    different = made.image.array != scan.array
    assert different.any()
    assert not (different & ~made.changed).any()
    assert made.changed.mean() < 0.15
    inside = made.label_map.mask(LIVER_CYST)
    assert made.image.array[inside].mean() == pytest.approx(6, abs=8)  # as dark as water
    assert made.image.array[inside].std() > 8  # the scan's own noise goes on
    assert made.lesion.contrast < -80
    assert made.image.is_synthetic
    again = insert_lesion(scan, label_map, wish, look="portal", seed=2)
    assert again.image == made.image


def test_hcc_is_bright_early_and_washes_out() -> None:
    geometry = grid((2.5, 2.5, 2.5))
    label_map = liver_with_vein(geometry)
    scan = Volume(
        array=np.where(label_map.array > 0, 100, -80).astype(np.float32),
        geometry=geometry,
        modality="CT",
    )
    contrast = {
        look: insert_lesion(
            scan, label_map, LesionWish(kind="hcc", diameter_mm=30), look=look, seed=4
        ).lesion.contrast
        for look in ("arterial", "portal", "delayed")
    }
    assert contrast["arterial"] > 20 > 0 > contrast["portal"] > contrast["delayed"]


def test_refusals_say_what_is_wrong() -> None:
    geometry = grid((4.0, 4.0, 4.0))
    label_map = liver_with_vein(geometry)
    scan = Volume(array=np.zeros(geometry.shape, np.int16), geometry=geometry, modality="CT")
    with pytest.raises(UsageError, match="kind"):
        LesionWish(kind="abscess")
    with pytest.raises(UsageError, match="no place"):
        insert_lesion(scan, label_map, LesionWish(diameter_mm=119), look="portal", seed=0)
    with pytest.raises(UsageError, match="native, arterial"):
        insert_lesion(scan, label_map, LesionWish(), look="t2", seed=0)
    empty = label_map.with_array(np.zeros(geometry.shape, np.uint8))
    with pytest.raises(UsageError, match="liver"):
        insert_lesion(scan, empty, LesionWish(), look="portal", seed=0)


def test_kinds_count_as_the_right_structure() -> None:
    assert KINDS["cyst"].segment == LIVER_CYST
    assert all(k.segment == LIVER_TUMOUR for name, k in KINDS.items() if name != "cyst")
