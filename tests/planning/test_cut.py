from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.spatial.transform import Rotation

from surgplan.planning import PlaneResection, UnionResection, assess_prepared, cut_liver, prepare
from surgplan.planning._pieces import share_below
from surgplan.volume import LIVER, Geometry, LabelMap

HALF_AXES = np.array([47.0, 37.0, 32.0])
SPACINGS = [(0.8, 0.8, 0.8), (2.5, 0.8, 0.8), (5.0, 0.8, 0.8)]


@dataclass(frozen=True)
class BallResection:
    """Resects a ball: a curved cut with a known volume."""

    kind: ClassVar[str] = "ball"
    centre: tuple[float, float, float]
    radius: float

    def distance_mm(self, points_mm):
        return np.linalg.norm(points_mm - np.asarray(self.centre), axis=-1) - self.radius

    def lower(self, points_mm, distance_mm):
        np.minimum(distance_mm, self.distance_mm(points_mm), out=distance_mm)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap):
        raise NotImplementedError

    def markups(self):
        return []


@pytest.fixture(scope="module", params=[(s, t) for s in SPACINGS for t in (None, 7)], ids=str)
def liver(request, space):
    spacing, turn = request.param
    body = space(spacing, HALF_AXES, turn).ellipsoid(LIVER, (0, 0, 0), HALF_AXES)
    return prepare(body.label_map)


def plane_at(normal, distance) -> PlaneResection:
    unit = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
    return PlaneResection(point_mm=tuple(unit * distance), normal=tuple(unit))


def resected_ml(liver, resection) -> float:
    return float(cut_liver(liver.blocks, resection).resected_mm3[:8].sum()) / 1000


def total_ml(liver) -> float:
    return float(liver.liver.sum()) * liver.blocks.geometry.voxel_volume_mm3 / 1000


@pytest.mark.parametrize(("normal", "distance"), [((1, 0.4, -0.3), 10.0), ((0.2, 1, 1), -6.0)])
def test_a_plane_divides_an_ellipsoid_as_geometry_says(liver, normal, distance):
    unit = np.asarray(normal) / np.linalg.norm(normal)
    scaled = np.linalg.norm(HALF_AXES * unit)
    height = distance / scaled
    whole = 4 / 3 * np.pi * HALF_AXES.prod() / 1000
    truth = whole * (1 - height) ** 2 * (2 + height) / 4
    assert resected_ml(liver, plane_at(normal, distance)) == pytest.approx(truth, abs=0.003 * whole)


def test_the_cut_of_an_ellipsoid_has_the_area_of_the_ellipse(liver):
    unit = np.array([1, 0.4, -0.3]) / np.linalg.norm([1, 0.4, -0.3])
    scaled = np.linalg.norm(HALF_AXES * unit)
    truth = np.pi * HALF_AXES.prod() / scaled * (1 - (10 / scaled) ** 2)
    area = assess_prepared(liver, plane_at(unit, 10.0), margin_mm=10).cut_area_mm2
    assert area == pytest.approx(truth, rel=0.02)


def test_a_ball_takes_from_an_ellipsoid_of_revolution_what_the_integral_says(space):
    half, centre, radius = np.array([30.0, 30.0, 45.0]), 40.0, 25.0
    whole = 4 / 3 * np.pi * half.prod() / 1000

    def ring(z):
        return np.pi * max(0.0, min(30**2 * (1 - (z / 45) ** 2), radius**2 - (z - centre) ** 2))

    truth = quad(ring, centre - radius, 45.0, limit=200)[0] / 1000
    for spacing in SPACINGS:
        liver = prepare(space(spacing, half, 3).ellipsoid(LIVER, (0, 0, 0), half).label_map)
        ball = BallResection((0.0, 0.0, centre), radius)
        assert resected_ml(liver, ball) == pytest.approx(truth, abs=0.003 * whole)


def test_moving_a_plane_by_a_tenth_of_a_voxel_moves_a_tenth_of_a_layer(space):
    body = space((2.0, 1.0, 1.0), (12, 12, 12))
    box = (np.abs(body.points) < 10.2).all(axis=-1)
    liver = prepare(body.paint(LIVER, box).label_map)
    layer_ml = float(box.sum()) / box.any(axis=(1, 2)).sum() * 2.0 / 1000
    amounts = [resected_ml(liver, plane_at((0, 0, 1), z)) for z in np.arange(0.0, 2.01, 0.2)]
    assert np.diff(amounts) == pytest.approx(-layer_ml / 10, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    normal=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda n: np.linalg.norm(n) > 0.1),
    distance=st.floats(-25, 25),
    spacing=st.tuples(st.floats(0.7, 2), st.floats(0.7, 2), st.floats(1, 6)),
    seed=st.integers(0, 99),
)
def test_no_voxel_belongs_to_nobody(space, normal, distance, spacing, seed):
    half = (16.0, 12.0, 10.0)
    liver = prepare(space(spacing[::-1], half, seed).ellipsoid(LIVER, (0, 0, 0), half).label_map)
    whole = total_ml(liver)
    plane = plane_at(normal, distance)
    assessment = assess_prepared(liver, plane, margin_mm=1)
    assert assessment.resected_ml + assessment.remnant_ml == pytest.approx(whole, abs=1e-6)
    assert assessment.total_ml == pytest.approx(whole, abs=1e-6)
    assert -1e-9 <= assessment.resected_ml <= whole + 1e-9
    opposite = PlaneResection(point_mm=plane.point_mm, normal=tuple(-n for n in plane.normal))
    assert resected_ml(liver, opposite) == pytest.approx(assessment.remnant_ml, abs=1e-5)
    outward = resected_ml(liver, plane_at(normal, distance + 0.3))
    assert outward <= assessment.resected_ml + 1e-9


def test_turning_patient_and_plane_together_changes_nothing(space):
    body = space((2.5, 1.0, 1.0), (20, 16, 14)).ellipsoid(LIVER, (0, 0, 0), (19, 15, 13))
    plane = plane_at((0.3, -1, 0.6), 3.0)
    before = assess_prepared(prepare(body.label_map), plane, margin_mm=5)
    turn = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3] = turn @ body.geometry.affine[:3]
    turned = LabelMap(
        array=body.array,
        geometry=Geometry(shape=body.geometry.shape, affine=affine),
        segments=body.label_map.segments,
    )
    moved = PlaneResection(point_mm=tuple(turn @ plane.point_mm), normal=tuple(turn @ plane.normal))
    after = assess_prepared(prepare(turned), moved, margin_mm=5)
    assert after.resected_ml == pytest.approx(before.resected_ml, rel=1e-9)
    assert after.cut_area_mm2 == pytest.approx(before.cut_area_mm2, rel=1e-6)


def test_a_union_takes_what_either_takes(liver):
    first, second = plane_at((1, 0.2, 0), 12.0), plane_at((0, 0.4, -1), 8.0)
    geometry = liver.blocks.geometry
    centres = geometry.to_lps(np.argwhere(liver.liver))
    either = (first.distance_mm(centres) < 0) | (second.distance_mm(centres) < 0)
    voxels_ml = float(either.sum()) * geometry.voxel_volume_mm3 / 1000
    union = UnionResection(parts=(first, second))
    assert resected_ml(liver, union) == pytest.approx(voxels_ml, abs=0.003 * total_ml(liver))
    parts = resected_ml(liver, first), resected_ml(liver, second)
    assert max(parts) < resected_ml(liver, union) < sum(parts)
    same = UnionResection(parts=(first, first))
    assert resected_ml(liver, same) == pytest.approx(parts[0], abs=1e-9)


def test_the_share_of_a_box_below_a_plane_is_that_of_a_fine_raster():
    rng = np.random.default_rng(5)
    slope = rng.normal(size=(60, 3)) * rng.choice([1.0, 0.1, 1e-6], size=(60, 3))
    distance = rng.uniform(-1, 1, 60) * np.abs(slope).sum(axis=1) * 0.6
    raster = (np.arange(64) + 0.5) / 64 - 0.5
    cells = np.stack(np.meshgrid(raster, raster, raster), axis=-1).reshape(-1, 3)
    truth = [((cells @ s + d) < 0).mean() for s, d in zip(slope, distance, strict=True)]
    share, density = share_below(distance, slope)
    assert share == pytest.approx(truth, abs=0.01)
    step = 1e-5 * np.abs(slope).sum(axis=1)
    before, after = share_below(distance - step, slope)[0], share_below(distance + step, slope)[0]
    numeric = (before - after) / (2 * step)
    assert density == pytest.approx(numeric, rel=0.02, abs=0.02 / np.abs(slope).sum(axis=1).min())


def test_patches_lie_on_a_cut_with_a_shallow_crease(space):
    body = space((1.6, 0.8, 0.8), (30, 26, 26), 7).ellipsoid(LIVER, (0, 0, 0), (28, 24, 24))
    blocks = prepare(body.label_map).blocks
    rng = np.random.default_rng(0)
    for _ in range(12):
        first = rng.normal(size=3)
        second = first + 0.25 * rng.normal(size=3)
        planes = [
            PlaneResection(point_mm=tuple(rng.normal(scale=4, size=3)), normal=tuple(normal))
            for normal in (first, second)
        ]
        bent = UnionResection(parts=tuple(planes))
        off = bent.distance_mm(cut_liver(blocks, bent).patches.points_mm)
        assert np.abs(off).max() < 0.12
