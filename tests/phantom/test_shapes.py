from __future__ import annotations

import numpy as np
import pytest

from surgplan.phantom._individual import Individual
from surgplan.phantom._lesions import ellipsoid_distance_mm
from surgplan.phantom._shapes import (
    FAR_MM,
    common,
    coordinates,
    ellipsoid,
    spline,
    tube,
    tubes,
    union,
    without,
)
from surgplan.volume import Geometry

from .conftest import oblique_grid


def cloud(count: int = 400, reach: float = 40.0) -> np.ndarray:
    return np.random.default_rng(3).uniform(-reach, reach, (3, count))


def test_an_ellipsoid_with_equal_axes_is_an_exact_ball() -> None:
    p = cloud()
    expected = np.linalg.norm(p - np.array([[1.0], [2], [3]]), axis=0) - 12
    assert ellipsoid(p, (1, 2, 3), (12, 12, 12)) == pytest.approx(expected, abs=1e-6)


def test_a_turned_ellipsoid_has_its_long_axis_where_it_was_turned_to() -> None:
    tip = 20 * np.array([[np.cos(np.pi / 6)], [np.sin(np.pi / 6)], [0]])
    assert ellipsoid(tip, (0, 0, 0), (20, 5, 5), turn_deg=30) == pytest.approx(0, abs=1e-6)


def test_distance_to_an_ellipsoid_agrees_with_a_dense_search_of_its_surface() -> None:
    semi = np.array([6.0, 11.0, 17.0])
    p = cloud(60, 12.0)
    u, v = np.meshgrid(np.linspace(0, np.pi, 500), np.linspace(0, 2 * np.pi, 1000))
    surface = np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)]).reshape(3, -1)
    surface = surface * semi[:, None]
    brute = np.array([np.linalg.norm(surface.T - q, axis=1).min() for q in p.T])
    inside = ((p / semi[:, None]) ** 2).sum(axis=0) < 1
    assert 5 < inside.sum() < 55
    expected = np.where(inside, -brute, brute)
    assert ellipsoid_distance_mm(p, semi) == pytest.approx(expected, abs=0.03)


def test_distance_from_the_centre_of_an_ellipsoid_is_its_shortest_axis() -> None:
    distance = ellipsoid_distance_mm(np.zeros((3, 1)), np.array([6.0, 11.0, 17.0]))
    assert distance == pytest.approx(-6.0, abs=1e-5)


def test_a_tube_is_exact_beside_it_and_beyond_its_ends() -> None:
    a, b = np.array([0.0, 0, 0]), np.array([0.0, 0, 10])
    p = np.array([[5.0, 0, 5], [3, 4, 14], [0, 0, 5]]).T
    assert tube(p, a, b, np.array([2.0, 2.0])) == pytest.approx([3, np.sqrt(41) - 2, -2])


def test_tubes_on_an_oblique_grid_equal_their_distance_wherever_they_are_near() -> None:
    line = spline([(-20, 0, 0), (0, 8, 5), (20, 0, -4)])
    shape = tubes((line, np.linspace(5, 2, len(line))))
    grid = oblique_grid(np.zeros(3), 60, (3.0, 2.0, 2.5))
    field = shape.on(grid).ravel()
    exact = shape.distance(coordinates(grid))
    near = exact < 3.9
    assert near.sum() > 100
    assert field[near] == pytest.approx(exact[near], abs=1e-4)
    assert (field[~near] >= 3.89).all()
    assert (field == FAR_MM).any()


def test_smooth_joins_bound_the_sharp_ones() -> None:
    p = cloud()
    a, b = ellipsoid(p, (0, 0, 0), (15, 15, 15)), ellipsoid(p, (12, 0, 0), (10, 10, 10))
    assert (union(a, b, 6.0) <= np.minimum(a, b) + 1e-12).all()
    assert (common(a, b, 6.0) >= np.maximum(a, b) - 1e-12).all()
    assert (without(a, b, 6.0) >= np.maximum(a, -b) - 1e-12).all()
    apart = np.abs(a - b) > 6.0
    assert union(a, b, 6.0)[apart] == pytest.approx(np.minimum(a, b)[apart])


def test_a_spline_passes_through_its_points_in_order() -> None:
    knots = np.array([(0, 0, 0), (10, 5, 0), (20, -5, 8), (26, 0, 20)], dtype=float)
    line = spline(knots, step_mm=1.0)
    at = [int(np.linalg.norm(line - k, axis=1).argmin()) for k in knots]
    assert at == sorted(at)
    assert line[at] == pytest.approx(knots)
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).max() < 2.0


@pytest.mark.parametrize("seed", range(6))
def test_place_and_bend_are_inverse(seed: int) -> None:
    individual = Individual.draw(seed)
    points = cloud(50, 120.0).T
    placed = individual.place(points)
    assert pytest.approx(points, abs=1e-6) == individual.bend(np.ascontiguousarray(placed.T)).T
    assert np.abs(placed - points).max() > 0.5


def test_coordinates_are_those_of_the_geometry() -> None:
    grid = oblique_grid(np.array([3.0, -5, 8]), 20, (4.0, 3.0, 2.0))
    indices = np.indices(grid.shape).reshape(3, -1).T
    assert pytest.approx(grid.to_lps(indices)) == coordinates(grid).T
    assert Geometry(shape=grid.shape, affine=grid.affine).matches(grid)
