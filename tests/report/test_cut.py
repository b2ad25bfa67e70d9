from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from surgplan.planning import PlaneResection, WedgeResection, tumours_of
from surgplan.report._cut import LiverInside, cut_sheet
from surgplan.volume import Geometry, LabelMap

HALF_AXES_MM = np.array([60.0, 45.0, 38.0])  # of the liver of conftest.py


@pytest.fixture
def labels(grid: Geometry, anatomy_on: Callable[..., LabelMap]) -> LabelMap:
    return anatomy_on(grid)


@pytest.fixture
def inside(labels: LabelMap) -> LiverInside:
    return LiverInside(labels.whole_liver(), labels.geometry)


@pytest.fixture
def on_liver() -> npt.NDArray[np.float64]:
    generator = np.random.default_rng(5)
    directions = generator.normal(size=(400, 3))
    return HALF_AXES_MM * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def test_inside_is_positive_in_the_liver_and_negative_around_it(
    inside: LiverInside, on_liver: npt.NDArray[np.float64]
) -> None:
    assert (inside(0.9 * on_liver) > 0).all()
    assert (inside(1.1 * on_liver) < 0).all()


def test_the_sheet_of_a_plane_is_that_plane(
    inside: LiverInside, on_liver: npt.NDArray[np.float64]
) -> None:
    plane = PlaneResection(point_mm=(10.0, 2.0, -3.0), normal=(0.7, -0.3, 0.2))
    sheet = cut_sheet(plane.distance_mm, inside, on_liver)
    assert sheet is not None
    assert np.abs(plane.distance_mm(sheet.points)).max() < 1e-3
    towards = sheet.towards_resected / np.linalg.norm(sheet.towards_resected)
    assert towards @ np.asarray(plane.normal) == pytest.approx(1, abs=1e-3)
    # its part in the liver is an ellipse of known area
    a, b, c = (sheet.points[sheet.triangles[:, n]] for n in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    within = (sheet.inside[sheet.triangles] > 0).all(axis=1)
    assert area[within].sum() == pytest.approx(_ellipse_mm2(plane), rel=0.06)


def _ellipse_mm2(plane: PlaneResection) -> float:
    """Area of an ellipsoid's section: pi abc sqrt(k) (1 - d2/k) / k with k = sum (a n)2."""
    stretched = float(((HALF_AXES_MM * plane.normal) ** 2).sum())
    offset = float(np.asarray(plane.point_mm) @ np.asarray(plane.normal))
    volume_like = np.pi * float(np.prod(HALF_AXES_MM))
    return volume_like / np.sqrt(stretched) * (1 - offset**2 / stretched)


def test_the_sheet_of_a_wedge_lies_at_its_margin(
    labels: LabelMap, inside: LiverInside, on_liver: npt.NDArray[np.float64]
) -> None:
    wedge = WedgeResection.around(labels, tumours_of(labels), 10.0)
    sheet = cut_sheet(wedge.distance_mm, inside, on_liver)
    assert sheet is not None
    shown = sheet.points[sheet.inside > 0]
    assert np.abs(wedge.distance_mm(shown)).mean() < 0.3
    assert np.abs(wedge.distance_mm(shown)).max() < 2.0


def test_a_resection_beside_the_liver_has_no_sheet(
    inside: LiverInside, on_liver: npt.NDArray[np.float64]
) -> None:
    plane = PlaneResection(point_mm=(400.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0))
    assert cut_sheet(plane.distance_mm, inside, on_liver) is None
    near = PlaneResection(point_mm=(63.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0))
    assert cut_sheet(near.distance_mm, inside, on_liver) is None
