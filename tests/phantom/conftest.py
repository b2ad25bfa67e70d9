from __future__ import annotations

import numpy as np
import pytest

from surgplan.phantom import Phantom, PhantomSettings, make_phantom
from surgplan.volume import Geometry


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """One abdomen, coarse; `Phantom.on` samples it finer where a test needs that."""
    return make_phantom(PhantomSettings(seed=2, spacing_mm=(5.0, 4.0, 4.0)))


def oblique_grid(
    centre_mm: np.ndarray, extent_mm: float, spacing_mm: tuple[float, float, float]
) -> Geometry:
    """A cube around a point, turned about two axes, with its own spacing along each."""
    a, b = np.deg2rad(23), np.deg2rad(-31)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    shape = tuple(round(extent_mm / s) for s in spacing_mm)
    affine = np.eye(4)
    affine[:3, :3] = (about_z @ about_x)[:, ::-1] * spacing_mm
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape=shape, affine=affine)
