from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surgplan.errors import UsageError
from surgplan.report._views import direction_letters, direction_words, look_from

CORNERS = np.array([[x, y, z] for x in (-60, 50) for y in (-30, 40) for z in (100, 180)], float)
parts = st.floats(-1, 1, allow_nan=False)


@pytest.mark.parametrize(
    ("direction", "right", "up"),
    [((0, -1, 0), "L", "S"), ((0, 0, -1), "L", "A"), ((0, 0, 1), "L", "P"), ((1, 0, 0), "P", "S")],
)
def test_the_camera_keeps_the_conventions(
    direction: tuple[float, float, float], right: str, up: str
) -> None:
    camera = look_from(direction, CORNERS, size=(400, 300))
    assert direction_letters(camera.right) == right
    assert direction_letters(camera.up) == up


@given(st.tuples(parts, parts, parts).filter(lambda v: np.linalg.norm(v) > 0.05))
def test_every_point_fits_into_the_picture(direction: tuple[float, float, float]) -> None:
    camera = look_from(direction, CORNERS, size=(400, 300))
    frame = np.stack([camera.right, camera.up, camera.towards])
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(frame) == pytest.approx(1)  # no mirror image
    across, along = (
        (CORNERS - camera.focal_mm) @ camera.right,
        (CORNERS - camera.focal_mm) @ camera.up,
    )
    assert np.abs(across).max() <= camera.half_width_mm
    assert np.abs(along).max() <= camera.half_height_mm
    fill = max(
        np.abs(across).max() / camera.half_width_mm, np.abs(along).max() / camera.half_height_mm
    )
    assert fill > 0.8  # and fills it
    assert camera.mm_per_pixel * 300 == pytest.approx(2 * camera.half_height_mm)


def test_a_camera_without_direction_or_points_is_refused() -> None:
    with pytest.raises(UsageError, match="a direction and points"):
        look_from((0, 0, 0), CORNERS, size=(400, 300))
    with pytest.raises(UsageError, match="a direction and points"):
        look_from((0, 1, 0), np.empty((0, 3)), size=(400, 300))


def test_words_say_from_where_one_looks() -> None:
    assert direction_words(np.array([0.1, -1.0, 0.2])) == "from the front"
    assert direction_words(np.array([-1.0, 0.1, 0.9])) == "from the right and above"
