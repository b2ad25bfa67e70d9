"""A small liver on an oblique grid, a tiny network, and folders of one's own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari", reason="needs the gui extra")

from napari.components import ViewerModel

from napari_surgplan._planner import Planner
from napari_surgplan._session import Session
from surgplan.io import write_label_map, write_volume
from surgplan.volume import (
    ANATOMY,
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    Volume,
)

needs_screen = pytest.mark.skipif(
    sys.platform.startswith("linux") and not os.environ.get("DISPLAY"),
    reason="no screen; scripts/test brings one",
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Autosaves and preferences of a test stay in its own folder."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("napari_surgplan._autosave.user_data_path", lambda *a, **k: tmp_path / "d")
    monkeypatch.setattr(
        "napari_surgplan._preferences.user_config_path", lambda *a, **k: tmp_path / "c"
    )
    return tmp_path


TUMOUR = (-35.0, 10.0, 5.0, 15.0)
BESIDE_VESSELS = (-48.0, 5.0, -14.0, 10.0)
"""Centre and radius of a tumour that a single branch of the portal vein serves."""


def make_body(
    *, tilt_degrees: float = 0.0, spacing=(6.0, 4.0, 4.0), tumour=TUMOUR
) -> tuple[Volume, LabelMap]:
    """An egg of liver with a ball of tumour, a cross of each vein; CT without noise."""
    angle = np.radians(tilt_degrees)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)[::-1]
    shape = (26, 40, 48)
    affine[:3, 3] = -affine[:3, :3] @ (np.asarray(shape) - 1) / 2
    geometry = Geometry(shape=shape, affine=affine)
    points = geometry.to_lps(np.indices(shape).reshape(3, -1).T)
    x, y, z = points.T
    array = np.zeros(len(points), dtype=np.uint8)
    array[(x / 75) ** 2 + (y / 60) ** 2 + (z / 55) ** 2 < 1] = LIVER.label
    inside = array > 0
    portal = (z - 10) ** 2 + np.minimum(y**2, (x + 10) ** 2) < 36
    array[inside & portal] = PORTAL_VEIN.label
    hepatic = (x - 25) ** 2 + np.minimum(y**2, (z + 15) ** 2) < 36
    array[inside & hepatic] = HEPATIC_VEINS.label
    away = points - tumour[:3]
    array[(away**2).sum(axis=1) < tumour[3] ** 2] = LIVER_TUMOUR.label
    grey = np.array([-60, 100, 50, 170, 150])[array].astype(np.int16)
    volume = Volume(array=grey.reshape(shape), geometry=geometry, modality="CT")
    return volume, LabelMap(array=array.reshape(shape), geometry=geometry, segments=ANATOMY)


@pytest.fixture(scope="session")
def body() -> tuple[Volume, LabelMap]:
    return make_body()


@pytest.fixture(scope="session")
def oblique() -> tuple[Volume, LabelMap]:
    return make_body(tilt_degrees=17)


@pytest.fixture(scope="session")
def files(body, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_volume(body[0], folder / "scan.nii.gz")
    write_label_map(body[1], folder / "labels.seg.nrrd")
    return folder


@pytest.fixture
def plain_trees(monkeypatch) -> None:
    """A few tubes stand for all vessels of a liver; to be asked for before the case is opened."""
    monkeypatch.setattr("surgplan.planning._perfusion.LEAST_REACH_PERCENT", 0.0)


@pytest.fixture
def session(files):
    """A scan with structures, in a viewer without a window."""
    session = Session(ViewerModel())
    session.open(files / "scan.nii.gz")
    session.open(files / "labels.seg.nrrd")
    yield session
    session.close()


@pytest.fixture
def planner(session):
    """Ready to plan on it, with a margin of 5 mm."""
    planner = Planner(session)
    planner.take_ready(planner.make_ready())
    planner.wish(margin_mm=5.0)
    yield planner
    settled(planner)


def settled(planner: Planner) -> None:
    """Wait until the engine has nothing to do."""
    end = time.monotonic() + 60
    while any(
        n.busy for n in (planner.maker, planner.drawer, planner.judge, planner.stager.worker)
    ):
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def driver(make_napari_viewer, qtbot, monkeypatch, home):
    """Hands on a window with the dock."""
    from .driver import Driver

    driver = Driver(make_napari_viewer(show=True), qtbot, monkeypatch, home)
    yield driver
    driver.close()
