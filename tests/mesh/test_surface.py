"""The noun, its measures, and distances between two of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from surgplan.errors import UsageError
from surgplan.mesh import Surface, distances_mm
from surgplan.mesh._distances import points_to_surface_mm
from surgplan.volume import LIVER, LIVER_TUMOUR


@given(turn=st.integers(0, 2**32 - 1), far=st.floats(-2000, 2000))
def test_measures_of_a_box_survive_moving_it(box, turn, far):
    given_box = box((20.0, 30.0, 50.0))
    rotation = Rotation.random(random_state=turn)
    moved = replace(given_box, points=given_box.points @ rotation.as_matrix().T + far)
    assert moved.is_closed
    assert moved.volume_ml == pytest.approx(30, rel=1e-9)
    assert moved.area_mm2 == pytest.approx(2 * (600 + 1000 + 1500), rel=1e-9)
    np.testing.assert_allclose(moved.normals, given_box.normals @ rotation.as_matrix().T, atol=1e-9)


def test_bounds_and_direction(box):
    surface = box((20.0, 30.0, 50.0), (-5.0, 1.0, 2.0))
    np.testing.assert_array_equal(surface.bounds_mm, [(-5, 1, 2), (15, 31, 52)])
    inward = replace(surface, triangles=surface.triangles[:, ::-1])
    assert inward.is_closed
    assert inward.volume_ml == pytest.approx(-30)
    outward = ((surface.points - surface.bounds_mm.mean(axis=0)) * surface.normals).sum(axis=1)
    assert (outward > 0).all()


def test_arrays_are_owned_and_read_only(box):
    points = box((1.0, 1.0, 1.0)).points.copy()
    surface = replace(box((1.0, 1.0, 1.0)), points=points)
    points[:] = 7
    assert surface.points.max() == 1
    for array in (surface.points, surface.triangles, surface.normals):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_each_field_counts_for_equality(box):
    surface = box((1.0, 2.0, 3.0))
    assert surface == box((1.0, 2.0, 3.0))
    assert surface != replace(surface, segment=LIVER)
    assert surface != replace(surface, points=surface.points + 1)
    assert surface != replace(surface, triangles=surface.triangles[::-1])
    assert surface != "surface"


@pytest.mark.parametrize(
    ("points", "triangles", "reason"),
    [
        (np.zeros((4, 2)), [(0, 1, 2)], r"must be \(n, 3\)"),
        (np.full((3, 3), np.nan), [(0, 1, 2)], "finite, got 9"),
        (np.zeros((3, 3)), np.zeros((0, 3), dtype=int), "at least one row"),
        (np.zeros((3, 3)), [(0, 1)], "at least one row"),
        (np.zeros((3, 3)), [(0, 1, 3)], r"0\.\.2, got 0\.\.3"),
        (np.zeros((3, 3)), [(-1, 1, 2)], r"got -1\.\.2"),
        (np.zeros((3, 3)), [(0.0, 1.0, 2.0)], "integers"),
    ],
)
def test_half_built_surfaces_are_refused(points, triangles, reason):
    with pytest.raises(UsageError, match=reason):
        Surface(points=points, triangles=np.array(triangles), segment=LIVER)


def test_open_surfaces_have_no_volume(box):
    lidless = replace(box((1.0, 1.0, 1.0)), triangles=box((1.0, 1.0, 1.0)).triangles[1:])
    assert not lidless.is_closed
    assert lidless.area_mm2 == pytest.approx(5.5)
    with pytest.raises(UsageError, match="'liver tumour' is open"):
        _ = lidless.volume_ml


def join(a: Surface, b: Surface) -> Surface:
    points = np.vstack([a.points, b.points])
    triangles = np.vstack([a.triangles, b.triangles + len(a.points)])
    places, at = np.unique(points, axis=0, return_inverse=True)
    return Surface(points=places, triangles=at.ravel()[triangles], segment=a.segment)


def test_what_touches_itself_is_not_closed(box):
    one = box((1.0, 1.0, 1.0))
    assert join(one, box((1.0, 1.0, 1.0), (3.0, 0.0, 0.0))).is_closed
    assert not join(one, box((1.0, 1.0, 1.0), (1.0, 1.0, 0.0))).is_closed  # along an edge
    assert not join(one, box((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))).is_closed  # at a tip
    flipped = one.triangles.copy()
    flipped[3] = flipped[3, ::-1]
    assert not replace(one, triangles=flipped).is_closed
    assert not replace(one, triangles=np.vstack([one.triangles, [(0, 0, 1)]])).is_closed
    assert not replace(one, triangles=np.vstack([one.triangles, one.triangles[:1]])).is_closed


def nearest_on_triangle(point: np.ndarray, corners: np.ndarray) -> float:
    """Distance by cases: above the triangle, else to the nearest of three edges."""
    a, b, c = corners
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal)
    foot = point - (point - a) @ normal * normal
    turns = [np.cross(q - p, foot - p) @ normal for p, q in ((a, b), (b, c), (c, a))]
    if min(turns) >= 0:
        return float(abs((point - a) @ normal))
    edges = []
    for p, q in ((a, b), (b, c), (c, a)):
        along = np.clip((point - p) @ (q - p) / ((q - p) @ (q - p)), 0, 1)
        edges.append(float(np.linalg.norm(point - p - along * (q - p))))
    return min(edges)


@given(points=arrays(np.float64, (5, 3), elements=st.floats(-60, 60, width=32)))
def test_distances_reach_into_the_triangles(box, points):
    surface = box((20.0, 30.0, 50.0), (-10.0, -15.0, -25.0))
    expected = [
        min(nearest_on_triangle(p, surface.points[t]) for t in surface.triangles) for p in points
    ]
    np.testing.assert_allclose(points_to_surface_mm(points, surface), expected, atol=1e-6)


def test_distances_count_both_ways(box):
    inner, outer = box((10.0, 10.0, 10.0)), box((14.0, 10.0, 10.0))
    distances = distances_mm(inner, outer)
    assert distances == distances_mm(outer, inner)
    assert distances.max_mm == pytest.approx(4)
    assert distances.p95_mm == pytest.approx(4)
    assert distances.mean_mm == pytest.approx(1)  # four of eight points, one of the two ways
    same = distances_mm(inner, inner)
    assert same.max_mm == pytest.approx(0, abs=1e-9)


def test_measures_do_not_know_the_segment(box):
    surface = box((1.0, 2.0, 3.0))
    assert replace(surface, segment=LIVER).volume_ml == surface.volume_ml
    assert surface.segment == LIVER_TUMOUR
