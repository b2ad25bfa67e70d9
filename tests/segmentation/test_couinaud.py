"""Segments by the shipped network on livers of known segments; grids, missing parts, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surgplan.errors import NothingToDoError, UsageError
from surgplan.phantom import PhantomSettings, make_phantom
from surgplan.planning import couinaud_from_vessels
from surgplan.segmentation import BORDERS, COUINAUD_CHANNELS, couinaud_from_shape, liver_frame
from surgplan.segmentation._couinaud_borders import border_evidence
from surgplan.segmentation._liver_frame import filled, network_input
from surgplan.volume import (
    BILIARY,
    HEPATIC_VEINS,
    LIVER,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
    label_map_from_masks,
    reorient,
    resample_to,
)

SHOWN = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, BILIARY)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(PhantomSettings(seed=5, spacing_mm=(5, 4, 4), lesions=0))


@pytest.fixture(scope="module")
def found(phantom):
    return couinaud_from_shape(phantom.label_map, threads=1)


def mean_dice(one: LabelMap, other: LabelMap) -> float:
    pairs = [(one.array == n, other.array == n) for n in range(1, 9)]
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs]))


def without(label_map: LabelMap, *gone) -> LabelMap:
    array = label_map.array.copy()
    array[label_map.mask(*gone) & ~label_map.whole_liver()] = 0
    array[label_map.mask(*gone) & label_map.whole_liver()] = LIVER.label
    return label_map.with_array(array)


def turned(label_map: LabelMap, degrees: float) -> LabelMap:
    """The same body on a grid whose axes are turned against it."""
    old = label_map.geometry
    turn = Rotation.from_euler("zyx", [degrees, degrees / 2, -degrees], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ old.affine[:3, :3]
    affine[:3, 3] = old.centre_mm - affine[:3, :3] @ (np.array(old.shape) - 1) / 2
    grown = Geometry(shape=old.shape, affine=affine).window(
        (-12, -12, -12), tuple(n + 12 for n in old.shape)
    )
    return resample_to(label_map, grown)


def test_segments_fill_the_whole_liver_and_fit_the_truth(phantom, found) -> None:
    whole = phantom.label_map.whole_liver()
    assert np.array_equal(found.label_map.array > 0, whole)
    assert found.label_map.geometry == phantom.label_map.geometry
    assert found.label_map.labels_present() == list(range(1, 9))
    assert mean_dice(found.label_map, phantom.couinaud) > 0.7
    assert set(found.used) == {s.name for s in SHOWN}
    assert all(0.3 < sure <= 1 for sure in found.confidence.values())


@pytest.mark.parametrize("codes", ["IRA", "LSP"])
def test_the_order_and_direction_of_axes_changes_nothing(phantom, found, codes) -> None:
    other = couinaud_from_shape(reorient(phantom.label_map, codes), threads=1)
    back = reorient(other.label_map, phantom.label_map.geometry.axis_codes)
    same = back.array == found.label_map.array
    assert same[found.label_map.array > 0].mean() > 0.998


def test_an_oblique_grid_gives_the_same_segments(phantom, found) -> None:
    tilted = couinaud_from_shape(turned(phantom.label_map, 17.0), threads=1)
    back = resample_to(tilted.label_map, phantom.label_map.geometry)
    assert mean_dice(back, found.label_map) > 0.93


def test_missing_vessels_are_no_obstacle(phantom, found) -> None:
    for gone in (SHOWN, (PORTAL_VEIN,), (HEPATIC_VEINS, VENA_CAVA), (BILIARY,)):
        less = couinaud_from_shape(without(phantom.label_map, *gone), threads=1)
        assert set(less.used) == {s.name for s in SHOWN} - {s.name for s in gone}
        assert mean_dice(less.label_map, phantom.couinaud) > 0.68


def test_a_speck_far_away_does_not_move_the_box(phantom, found) -> None:
    array = phantom.label_map.array.copy()
    array[1, 1, 1] = LIVER.label
    other = couinaud_from_shape(phantom.label_map.with_array(array), threads=1)
    same = other.label_map.array == found.label_map.array
    assert same[phantom.couinaud.array > 0].all()


def test_borders_are_evidence(phantom, found) -> None:
    """A border in the wrong place moves the segments; those of the truth make them better."""
    level = np.array([0.0, 0.0, 1.0])
    points = phantom.label_map.geometry.to_lps(np.argwhere(phantom.couinaud.array > 0))
    below = {"level": (level, float(points[:, 2].min()) - 40)}
    moved = couinaud_from_shape(phantom.label_map, borders=below, threads=1)
    right = [np.isin(m.label_map.array, (5, 6)).sum() for m in (moved, found)]
    assert right[0] < 0.2 * right[1]
    with pytest.raises(UsageError, match="borders"):
        couinaud_from_shape(phantom.label_map, borders={"equator": (level, 0.0)})


def test_no_borders_favour_no_segment() -> None:
    points = np.random.default_rng(0).normal(0, 50, (20, 3))
    np.testing.assert_allclose(border_evidence(points, {}), np.log(1 / 8), atol=1e-5)


def test_evidence_sums_to_one_and_follows_the_sides() -> None:
    points = np.random.default_rng(0).uniform(-60, 60, (500, 3))
    x, y, z = np.eye(3)
    borders = {
        "middle": (x, 0.0), "right": (-y, 0.0), "umbilical fissure": (x, 30.0), "level": (z, 0.0),
        "left level": (z, 5.0), "front of caudate": (y, 500.0), "right of caudate": (x, 0.0),
    }  # fmt: skip
    evidence = border_evidence(points, borders)
    np.testing.assert_allclose(np.exp(evidence).sum(0), 1, atol=2e-3)
    clear = (np.abs(points - [0, 0, 0]) > 12).all(1) & (np.abs(points[:, 0] - 30) > 12)
    clear &= np.abs(points[:, 2] - 5) > 12
    px, py, pz = points[clear].T
    right = np.where(pz > 0, np.where(py < 0, 8, 7), np.where(py < 0, 5, 6))
    left = np.where(px > 30, np.where(pz > 5, 2, 3), 4)
    assert np.array_equal(evidence[:, clear].argmax(0) + 1, np.where(px > 0, left, right))


def test_planning_names_its_borders_alike(phantom) -> None:
    from surgplan.planning._couinaud import _BORDERS

    assert tuple(_BORDERS) == BORDERS
    assert couinaud_from_vessels.__module__.startswith("surgplan.planning")


def test_a_frame_holds_what_a_mask_fills() -> None:
    """Volume is kept on an oblique, coarse grid; so is the place."""
    turn = Rotation.from_euler("zyx", [20, 10, 5], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.0, 1.2, 5.0])[:, ::-1]
    grid = Geometry(shape=(30, 90, 100), affine=affine)
    at = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    ball = np.linalg.norm(at - grid.centre_mm, axis=-1) < 30
    frame = liver_frame(grid.centre_mm - 30, grid.centre_mm + 30, (24, 24, 24))
    part = filled(ball, grid, frame)
    assert part.max() <= 1
    assert part.sum() * frame.voxel_volume_mm3 == pytest.approx(
        ball.sum() * grid.voxel_volume_mm3, rel=0.05
    )
    centre = (np.argwhere(part > 0) * part[part > 0][:, None]).sum(0) / part.sum()
    np.testing.assert_allclose(frame.to_lps(centre), grid.centre_mm, atol=0.5)
    shown = network_input(part > 0.5, np.zeros((5, 24, 24, 24), dtype=np.float32))
    assert shown.shape == (len(COUINAUD_CHANNELS), 24, 24, 24)


def test_refusals(phantom) -> None:
    nothing = phantom.label_map.with_array(np.zeros_like(phantom.label_map.array))
    with pytest.raises(NothingToDoError, match="liver of 100 ml"):
        couinaud_from_shape(nothing)
    with pytest.raises(UsageError, match="couinaud-box"):
        couinaud_from_shape(phantom.label_map, model="abdomen-3mm")
    small = label_map_from_masks(
        [(LIVER, np.ones((3, 3, 3), dtype=bool))],
        Geometry.from_spacing(shape=(3, 3, 3), spacing_mm=(5, 5, 5)),
    )
    with pytest.raises(NothingToDoError, match="has 3 ml"):
        couinaud_from_shape(small)
