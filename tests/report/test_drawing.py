"""3D views as drawn: these tests need OpenGL, with or without a screen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from skimage.measure import marching_cubes

from surgplan.report import ReportInput, _offscreen, write_report
from surgplan.report._offscreen import draw_views
from surgplan.report._views import Layer, View, look_from

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
SIZE = (120, 90)
FRONT = (0.0, -1.0, 0.0)
FRAME_MM = np.array([[-40.0, -30.0, -30.0], [40.0, 30.0, 30.0]])


def sphere(
    centre_mm: tuple[float, float, float],
    radius_mm: float,
    colour: tuple[int, int, int],
    **more: Any,
) -> Layer:
    axis = np.arange(-radius_mm - 2, radius_mm + 3)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    field = radius_mm - np.linalg.norm(grid, axis=-1)
    points, triangles, _, _ = marching_cubes(field, 0.0)
    placed = points.astype(float) + axis[0] + centre_mm
    keep = more.pop("keep", None)
    return Layer(
        points=placed,
        triangles=triangles,
        colour=colour,
        keep=None if keep is None else keep(placed),
        **more,
    )


def views() -> list[View]:
    front = look_from(FRONT, FRAME_MM, size=SIZE)
    left_red = sphere((25.0, 0.0, 0.0), 8, RED)
    up_green = sphere((-20.0, 0.0, 20.0), 8, GREEN)
    hidden = sphere((25.0, 20.0, 0.0), 6, BLUE)  # behind the red one
    upper_half = sphere((0.0, 0.0, 0.0), 20, RED, keep=lambda p: p[:, 2])
    glass = sphere((0.0, 0.0, 0.0), 20, RED, opacity=0.2)
    inner = sphere((0.0, 0.0, 0.0), 8, BLUE)
    return [
        View(camera=front, layers=(left_red, up_green, hidden)),
        View(camera=front, layers=(upper_half,)),
        View(camera=front, layers=(glass, inner)),
        View(camera=look_from((1.0, 0.0, 0.0), FRAME_MM, size=SIZE), layers=(glass, inner)),
    ]


@pytest.fixture(scope="module")
def pictures() -> tuple[npt.NDArray[np.uint8], ...]:
    drawn = draw_views(views())
    if drawn.reason:
        pytest.skip(drawn.reason)
    return drawn.pictures


def coloured(pixels: npt.NDArray[np.uint8], channel: int) -> npt.NDArray[np.bool_]:
    others = [c for c in range(3) if c != channel]
    found: npt.NDArray[np.bool_] = (
        pixels[..., channel].astype(int) - pixels[..., others].max(axis=-1) > 60
    )
    return found


def test_the_patients_left_is_drawn_on_the_right_and_superior_up(
    pictures: tuple[npt.NDArray[np.uint8], ...],
) -> None:
    red_rows, red_columns = np.nonzero(coloured(pictures[0], 0))
    green_rows, green_columns = np.nonzero(coloured(pictures[0], 1))
    assert red_columns.mean() > SIZE[0] / 2 + 10
    assert abs(red_rows.mean() - SIZE[1] / 2) < 3
    assert green_columns.mean() < SIZE[0] / 2 - 10
    assert green_rows.mean() < SIZE[1] / 2 - 10
    assert not coloured(pictures[0], 2).any()  # hidden behind the red one


def test_lengths_are_those_of_the_camera(pictures: tuple[npt.NDArray[np.uint8], ...]) -> None:
    mm_per_pixel = views()[0].camera.mm_per_pixel
    rows, columns = np.nonzero(coloured(pictures[0], 0))
    assert np.ptp(columns) * mm_per_pixel == pytest.approx(16, abs=3 * mm_per_pixel)
    assert np.ptp(rows) * mm_per_pixel == pytest.approx(16, abs=3 * mm_per_pixel)


def test_only_what_is_kept_is_drawn(pictures: tuple[npt.NDArray[np.uint8], ...]) -> None:
    rows, _ = np.nonzero((pictures[1] < 250).any(axis=-1))
    assert rows.max() <= SIZE[1] / 2 + 1
    assert rows.min() < SIZE[1] / 2 - 15


def test_what_lies_inside_glass_is_seen_from_every_side(
    pictures: tuple[npt.NDArray[np.uint8], ...],
) -> None:
    for picture in pictures[2:]:
        middle = picture[SIZE[1] // 2, SIZE[0] // 2].astype(int)
        assert middle[2] > middle[0]  # blue through the red glass
        rim = picture[SIZE[1] // 2, SIZE[0] // 2 - 14].astype(int)
        assert rim[0] > rim[2] + 20  # the glass itself
    np.testing.assert_array_equal(pictures[0][0, 0], (255, 255, 255))


def test_the_same_views_give_the_same_pixels(
    pictures: tuple[npt.NDArray[np.uint8], ...],
) -> None:
    again = draw_views(views())
    for one, two in zip(pictures, again.pictures, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_driver_that_crashes_costs_the_pictures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    drawn = draw_views(views()[:1])
    assert drawn.pictures == ()
    assert "no working OpenGL" in drawn.reason


def test_a_driver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired(sys.executable, timeout)

    monkeypatch.setattr(_offscreen.subprocess, "run", hang)
    drawn = draw_views(views()[:1])
    assert drawn.pictures == ()
    assert "did not end within 600 s" in drawn.reason


def test_a_driver_that_draws_nothing_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def blank(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        np.save(Path(command[-1]) / "view0.npy", np.full((90, 120, 3), 255, np.uint8))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(_offscreen.subprocess, "run", blank)
    drawn = draw_views(views()[:1])
    assert drawn.pictures == ()
    assert "draws empty pictures" in drawn.reason


def test_the_settings_for_drawing_do_not_reach_the_caller() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "import surgplan.report\n"
        "assert dict(os.environ) == before\n"
        "import sys; assert 'pyvista.plotting' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_whole_report_with_views(
    case: ReportInput,
    pictures: tuple[npt.NDArray[np.uint8], ...],
    tmp_path: Path,
    read_page: Callable[[str], Any],
) -> None:
    result = write_report(case, tmp_path)
    assert result.no_3d_because == ""
    page = read_page(result.html.read_text(encoding="utf-8"))
    shown = page.pictures()
    assert len(shown) == 2 + 1 + 3 * (2 + 1)
    assert all(pixels.std() > 15 for _, pixels in shown)
    overview = next(pixels for words, pixels in shown if "glass" in words)
    yellow = (overview[..., 0] > 150) & (overview[..., 2] < 110) & (overview[..., 1] > 120)
    assert np.nonzero(yellow)[1].mean() > overview.shape[1] / 2  # the tumour lies on the left
