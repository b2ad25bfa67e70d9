"""Livers with a known answer, on straight and oblique grids."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surgplan.planning import _perfusion
from surgplan.volume import (
    BILIARY,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SEGMENTS = (LIVER, LIVER_TUMOUR, PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, BILIARY, LIVER_CYST)


@dataclass(frozen=True)
class Body:
    """A label map under construction: everything is said in LPS millimetres."""

    geometry: Geometry
    points: np.ndarray
    array: np.ndarray

    def ellipsoid(self, segment, centre, half_axes) -> "Body":
        inside = (((self.points - centre) / half_axes) ** 2).sum(axis=-1) < 1
        return self.paint(segment, inside)

    def ball(self, segment, centre, radius) -> "Body":
        return self.ellipsoid(segment, centre, (radius, radius, radius))

    def tube(self, segment, start, direction, radius) -> "Body":
        unit = np.asarray(direction) / np.linalg.norm(direction)
        offset = self.points - start
        across = offset - (offset @ unit)[..., None] * unit
        return self.paint(segment, (across**2).sum(axis=-1) < radius**2)

    def paint(self, segment, inside) -> "Body":
        array = self.array.copy()
        array[inside] = segment.label
        return Body(self.geometry, self.points, array)

    @property
    def label_map(self) -> LabelMap:
        return LabelMap(array=self.array, geometry=self.geometry, segments=SEGMENTS)


def space(spacing_mm: Sequence[float], half_mm: Sequence[float], turn: int | None = None) -> Body:
    """An empty box around the origin; ``turn`` seeds a random rotation of its axes."""
    axes = np.eye(3)[:, ::-1]  # slice, row, column run along z, y, x
    half = np.asarray(half_mm, dtype=float)[::-1]
    if turn is not None:
        axes = Rotation.from_quat(np.random.default_rng(turn).normal(size=4)).as_matrix()
        half = np.full(3, max(half_mm))
    shape = tuple(int(n) for n in np.ceil(2 * half / np.asarray(spacing_mm)) + 3)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.asarray(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    geometry = Geometry(shape=shape, affine=affine)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return Body(geometry, geometry.to_lps(index), np.zeros(shape, dtype=np.uint8))


@pytest.fixture(scope="session", name="space")
def space_fixture() -> Callable[..., Body]:
    return space


@pytest.fixture(scope="session")
def of_benchmarks() -> Iterator[Callable[[str], ModuleType]]:
    """What tests share with a benchmark, by the name of its module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module


@pytest.fixture(scope="module")
def plain_trees() -> Iterator[None]:
    """A few tubes stand for all vessels of a liver, however little of it they reach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_perfusion, "LEAST_REACH_PERCENT", 0.0)
        yield


@pytest.fixture(scope="session")
def three_tumours() -> LabelMap:
    """A liver with three tumours in it, a cyst, both vein systems, vena cava and gallbladder."""
    body = space((2.0, 1.5, 1.5), (62, 48, 44)).ellipsoid(LIVER, (0, 0, 0), (60, 46, 42))
    body = body.tube(PORTAL_VEIN, (0, 0, -10), (1, 0.2, 0.1), 3).tube(
        HEPATIC_VEINS, (0, 10, 10), (0.1, 0, 1), 3
    )
    body = body.tube(VENA_CAVA, (0, 44, 0), (0, 0, 1), 8).ball(BILIARY, (-12, -40, -22), 9)
    body = body.ball(LIVER_TUMOUR, (-38, -4, 4), 9).ball(LIVER_TUMOUR, (30, -14, 12), 6)
    return body.ball(LIVER_TUMOUR, (-12, -20, 18), 4).ball(LIVER_CYST, (20, 15, -15), 5).label_map
