"""Fewer triangles: as many as asked, still a solid, still there."""

from __future__ import annotations

from dataclasses import replace

import fast_simplification
import numpy as np
import pytest
import trimesh
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.mesh import Surface, distances_mm, reconstruct_mask, simplify
from surgplan.volume import LIVER_TUMOUR, PORTAL_VEIN


@pytest.fixture(name="ball", scope="module")
def _ball(grid, places) -> Surface:
    geometry = grid(40, (2.5, 0.8, 0.8))
    mask = np.linalg.norm(places(geometry), axis=-1) <= 18
    return reconstruct_mask(mask, geometry, LIVER_TUMOUR)


@pytest.fixture(name="vessels", scope="module")
def _vessels(grid, tree) -> Surface:
    geometry = grid(56, (1.0, 1.0, 1.0))
    return reconstruct_mask(tree(geometry, 2.4), geometry, PORTAL_VEIN)


@pytest.mark.parametrize("triangles", [6000, 2000, 500])
def test_a_ball_stays_a_ball(ball, euler_characteristic, triangles):
    simpler = simplify(ball, triangles)
    assert 0.9 * triangles <= len(simpler.triangles) <= 1.05 * triangles
    assert simpler.is_closed
    assert euler_characteristic(simpler) == 2
    assert simpler.volume_ml == pytest.approx(ball.volume_ml, rel=1e-3)
    assert distances_mm(simpler, ball).p95_mm < 0.4  # half a voxel within a slice
    assert simpler.segment == ball.segment


@pytest.mark.parametrize("triangles", [4000, 1500])
def test_thin_vessels_do_not_tear(vessels, triangles):
    simpler = simplify(vessels, triangles)
    assert len(simpler.triangles) <= 1.05 * triangles
    assert simpler.is_closed
    other = trimesh.Trimesh(simpler.points, simpler.triangles, process=False)
    assert other.is_watertight
    assert other.body_count == 1
    assert simpler.volume_ml == pytest.approx(vessels.volume_ml, rel=1e-3)
    assert distances_mm(simpler, vessels).p95_mm < 0.5


def test_a_sponge_that_decimation_tears_stays_whole(grid):
    geometry = grid(20, (1.0, 1.0, 1.0))
    noise = np.random.default_rng(1).standard_normal(geometry.shape)
    sponge = reconstruct_mask(ndimage.gaussian_filter(noise, 1.2) > 0, geometry, LIVER_TUMOUR)
    wanted = len(sponge.triangles) // 3
    points, triangles = fast_simplification.simplify(
        sponge.points.copy(), sponge.triangles.copy(), target_count=wanted
    )
    torn = replace(sponge, points=points, triangles=triangles)
    assert not torn.is_closed  # or this test would show nothing
    simpler = simplify(sponge, wanted)
    assert simpler.is_closed
    assert len(simpler.triangles) <= 1.05 * wanted
    assert simpler.volume_ml == pytest.approx(sponge.volume_ml, rel=1e-3)


def test_what_cannot_be_had_whole_comes_back_with_more(vessels, euler_characteristic):
    simpler = simplify(vessels, 4)
    assert len(simpler.triangles) > 4
    assert simpler.is_closed
    assert euler_characteristic(simpler) == euler_characteristic(vessels)


def test_small_pieces_are_not_lost(grid):
    geometry = grid(40, (1.0, 1.0, 1.0))
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[5:30, 5:30, 5:30] = True
    for corner in ((35, 35, 35), (35, 3, 3), (3, 35, 20)):
        mask[corner] = True
    surface = reconstruct_mask(mask, geometry, LIVER_TUMOUR)
    simpler = simplify(surface, 300)
    assert len(simpler.triangles) <= 330
    assert trimesh.Trimesh(simpler.points, simpler.triangles, process=False).body_count == 4
    assert simpler.is_closed


def test_few_enough_is_left_alone_and_the_input_too(ball):
    points, triangles = ball.points.copy(), ball.triangles.copy()
    assert simplify(ball, len(ball.triangles)) is ball
    simplify(ball, 1000)
    np.testing.assert_array_equal(ball.points, points)
    np.testing.assert_array_equal(ball.triangles, triangles)


def test_same_input_same_output(ball):
    assert simplify(ball, 1000) == simplify(ball, 1000)


def test_an_open_surface_is_simplified_too(ball):
    bowl = replace(ball, triangles=ball.triangles[: len(ball.triangles) // 2])
    simpler = simplify(bowl, 1000)
    assert not simpler.is_closed
    assert len(simpler.triangles) <= 1100


def test_fewer_than_a_tetrahedron_is_refused(ball):
    with pytest.raises(UsageError, match="at least 4"):
        simplify(ball, 3)
