"""A case in the window: the right way round, the right way up, lit, in millimetres."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

import surgplan
from surgplan.cli import _options
from surgplan.volume import LIVER_TUMOUR

pytest.importorskip("napari", reason="needs the gui extra")

from matplotlib.image import imread
from napari.components import ViewerModel
from scipy import ndimage

from napari_surgplan._dress import Dress, directions, dress
from napari_surgplan._session import Session

needs_screen = pytest.mark.skipif(
    sys.platform.startswith("linux") and not os.environ.get("DISPLAY"),
    reason="no screen; scripts/test brings one",
)
LETTERS = {0: "IS", 1: "AP", 2: "RL"}


@pytest.fixture
def session(made) -> Iterator[Session]:
    session = Session(ViewerModel())
    session.open(made)
    yield session
    session.close()


@pytest.fixture
def dressed(session) -> Dress:
    return dress(session.viewer)


@pytest.fixture
def viewer(session, dressed) -> ViewerModel:
    return session.viewer


def test_a_case_becomes_scan_structures_and_surfaces(session, made) -> None:
    assert [layer.name for layer in session.viewer.layers] == ["CT scan", "structures"]
    assert len(session.shown.solids.visible()) == len(list((made / "surfaces").glob("*.stl"))) == 4
    assert session.shown.solids.visible()[-1].see_through


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_letters_say_where_the_edges_of_the_picture_lie_in_the_patient(
    viewer, dressed, order
) -> None:
    viewer.dims.order = order
    down, across = viewer.dims.displayed
    vertical, horizontal = (str(o) for o in viewer.scene.camera.orientation2d)
    low, high = LETTERS[down] if vertical == "down" else LETTERS[down][::-1]
    left, right = LETTERS[across] if horizontal == "right" else LETTERS[across][::-1]
    wanted = {"top": low, "bottom": high, "left": left, "right": right}
    assert directions(viewer.dims.displayed) == wanted
    assert dressed.letters == wanted
    assert dressed.name == {0: "Axial", 1: "Coronal", 2: "Sagittal"}[order[0]]
    notice = viewer.canvas.overlays["notice"].text.replace("\n", " ")
    assert notice == surgplan.NOT_A_MEDICAL_DEVICE


@pytest.mark.parametrize(
    ("displayed", "top_left"), [((1, 2), "AR"), ((0, 2), "SR"), ((0, 1), "SA")]
)
def test_axial_coronal_and_sagittal_stand_as_radiologists_read_them(displayed, top_left) -> None:
    letters = directions(displayed)
    assert letters["top"] + letters["left"] == top_left


def test_the_3d_view_is_not_mirrored_and_shows_the_patient_from_the_front(viewer) -> None:
    viewer.dims.order = (1, 0, 2)
    viewer.dims.order = (0, 1, 2)
    viewer.dims.ndisplay = 3
    assert [str(o) for o in viewer.scene.camera.orientation] == ["away", "down", "right"]
    np.testing.assert_allclose(viewer.scene.camera.view_direction, (0, 1, 0), atol=1e-6)
    np.testing.assert_allclose(viewer.scene.camera.up_direction, (1, 0, 0), atol=1e-6)
    assert not viewer.layers["CT scan"].visible
    viewer.dims.ndisplay = 2
    assert viewer.layers["CT scan"].visible


def test_it_opens_at_the_tumours(viewer, body) -> None:
    _, label_map = body
    index = np.argwhere(label_map.mask(LIVER_TUMOUR)).mean(axis=0)
    middle = label_map.geometry.to_lps(index)[::-1]
    for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        viewer.dims.order = order
        assert abs(viewer.dims.point[order[0]] - middle[order[0]]) <= 4.1  # half a voxel


def _yellow(picture: np.ndarray) -> list[tuple[int, float, float]]:
    """Size, row and column of the two tumours in a picture, the larger first."""
    red, green, blue = (picture[..., c].astype(float) for c in range(3))
    yellow = (red > 0.3) & (green > 0.55 * red) & (green < 0.85 * red) & (blue < 0.5 * red)
    parts, count = ndimage.label(yellow)
    sizes = ndimage.sum_labels(yellow, parts, range(1, count + 1))
    largest = np.argsort(sizes)[::-1][:2] + 1
    centres = ndimage.center_of_mass(yellow, parts, largest)
    return [(int(sizes[n - 1]), *centre) for n, centre in zip(largest, centres, strict=True)]


def _picture(case: Path, path: Path, *words: str) -> np.ndarray:
    code = "from surgplan.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "view", str(case), "--screenshot", str(path), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert surgplan.NOT_A_MEDICAL_DEVICE in done.stdout
    return imread(path)


@pytest.mark.gui
@needs_screen
def test_a_real_window_shows_surfaces_the_right_way_round_and_lit(made, tmp_path) -> None:
    picture = _picture(made, tmp_path / "view.png", "--3d")
    large, small = _yellow(picture)
    assert large[0] > small[0] > 300  # bright enough to be told
    assert large[2] < small[2] - 50  # the larger one lies further to the right of the patient
    assert large[1] > small[1] + 20  # and lower, when the head is up
    # The portal vein runs in front of the hepatic vein, so a picture from behind, or mirrored,
    # would show grey-blue and not purple where they cross.
    crossing = int((large[2] + small[2]) / 2) + 20
    red, green, blue = picture[int(large[1]), crossing, :3]
    assert green < 0.7 * red
    assert blue > 0.6 * red


@pytest.mark.slow
@pytest.mark.gui
@needs_screen
@pytest.mark.parametrize("what", ["", "image.nii.gz"])
def test_a_real_window_shows_slices(made, tmp_path, what) -> None:
    picture = _picture(made / what, tmp_path / "view.png")
    assert picture[..., :3].std() > 0.05


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nothing",), 4),
        (("CASE", "--screenshot", "a.jpg"), 2),
        (("CASE", "--screenshot", "f/a.png"), 5),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    surgplan_cli, made, tmp_path, monkeypatch, words, code
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").touch()
    told = surgplan_cli("view", *[made if w == "CASE" else w for w in words])
    assert told.code == code
    assert told.error


def test_without_a_screen_it_says_so(surgplan_cli, made, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    told = surgplan_cli("view", made)
    assert told.code == 2
    assert "screen" in told.error


def test_without_napari_the_install_line_is_named(surgplan_cli, made, monkeypatch) -> None:
    monkeypatch.setattr(_options, "find_spec", lambda name: None)
    told = surgplan_cli("view", made)
    assert told.code == 7
    assert "pip install 'surgplan[gui]'" in told.error
