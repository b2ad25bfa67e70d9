"""Grids that lie askew in the patient, and what to put on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surgplan.mesh import Surface
from surgplan.volume import LIVER_TUMOUR, Geometry

CENTRE_MM = np.array([-40.0, 75.0, -620.0])
TILT = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix()


def grid(size_mm: float, spacing: tuple[float, ...], *, mirrored=False, shear=0.0) -> Geometry:
    """An oblique grid around `CENTRE_MM`, off every symmetry of the body."""
    shape = tuple(int(np.ceil(size_mm / s)) + 5 for s in spacing)
    skew = np.eye(3)
    skew[1, 0] = shear
    affine = np.eye(4)
    affine[:3, :3] = TILT @ skew @ np.diag(spacing)
    if mirrored:
        affine[:3, 1] *= -1
    affine[:3, 3] = CENTRE_MM - affine[:3, :3] @ ((np.array(shape) - 1) / 2 + (0.23, -0.31, 0.11))
    return Geometry(shape=shape, affine=affine)


def places(geometry: Geometry) -> np.ndarray:
    """``(slice, row, column, 3)`` millimetres from `CENTRE_MM`."""
    return geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1)) - CENTRE_MM


def tree(geometry: Geometry, radius_mm: float) -> np.ndarray:
    """A trunk that branches twice, each branch thinner by the cube root of two."""
    segments = [
        ((-20, 0, -12), (0, 2, 0), 1.0), ((0, 2, 0), (18, 12, 9), 0.79),
        ((0, 2, 0), (16, -14, 4), 0.79), ((18, 12, 9), (24, 22, 6), 0.63),
        ((18, 12, 9), (27, 10, 20), 0.63), ((16, -14, 4), (26, -20, -8), 0.63),
    ]  # fmt: skip
    where = places(geometry)
    mask = np.zeros(geometry.shape, dtype=bool)
    for start, end, share in segments:
        axis = np.subtract(end, start)
        along = np.clip((where - start) @ axis / (axis @ axis), 0, 1)[..., None]
        mask |= np.linalg.norm(where - start - along * axis, axis=-1) <= radius_mm * share
    return mask


def euler_characteristic(surface: Surface) -> int:
    t = surface.triangles
    edges = np.unique(np.sort(np.vstack([t[:, :2], t[:, 1:], t[:, ::2]]), axis=1), axis=0)
    return len(np.unique(t)) - len(edges) + len(t)


def box_surface(size_mm: tuple[float, float, float], at_mm=(0.0, 0.0, 0.0)) -> Surface:
    corners = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)]) * size_mm + at_mm
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Surface(points=corners, triangles=np.array(triangles), segment=LIVER_TUMOUR)


@pytest.fixture(name="grid", scope="session")
def _grid() -> Callable[..., Geometry]:
    return grid


@pytest.fixture(name="places", scope="session")
def _places() -> Callable[[Geometry], np.ndarray]:
    return places


@pytest.fixture(name="tree", scope="session")
def _tree() -> Callable[[Geometry, float], np.ndarray]:
    return tree


@pytest.fixture(name="euler_characteristic", scope="session")
def _euler_characteristic() -> Callable[[Surface], int]:
    return euler_characteristic


@pytest.fixture(name="box", scope="session")
def _box() -> Callable[..., Surface]:
    return box_surface
