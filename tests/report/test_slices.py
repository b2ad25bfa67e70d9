from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import image
from scipy import ndimage

from surgplan.report._slice_picture import GAP_PX, PANEL_PX, SliceStack, slice_picture
from surgplan.report._slices import DISPLAY_AXES, Plane, planes_through, tilt_deg
from surgplan.report._window import Window
from surgplan.volume import LIVER, Geometry, LabelMap, Volume, label_map_from_masks, reorient

BALL_MM = 12.0
ALL_AXES = ("SPL", "IAR", "LPS", "PSR", "RIA", "AIL")


def straight(shape: tuple[int, int, int] = (30, 50, 60)) -> Geometry:
    spacing = (4.0, 2.0, 2.0)
    origin = tuple(-(n - 1) * s / 2 for n, s in zip(shape[::-1], spacing[::-1], strict=True))
    return Geometry.from_spacing(shape=shape, spacing_mm=spacing, origin_mm=origin)


def at(geometry: Geometry) -> npt.NDArray[np.float64]:
    return geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))


def ball(geometry: Geometry, centre_mm: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = np.linalg.norm(at(geometry) - centre_mm, axis=-1) <= BALL_MM
    return inside


def stack_with_ball(geometry: Geometry, centre_mm: tuple[float, float, float]) -> SliceStack:
    """A white ball on black, as a scan read in some other order of axes would come."""
    white = ball(geometry, centre_mm)
    everything = np.ones(geometry.shape, dtype=bool)
    labels = label_map_from_masks([(LIVER, everything)], geometry)
    values = np.where(white, 1000, -1000).astype(np.int16)
    volume = Volume(array=values, geometry=geometry, modality="CT")
    return SliceStack(
        volume=reorient(volume, DISPLAY_AXES),
        label_map=reorient(labels, DISPLAY_AXES),
        liver=np.zeros(reorient(labels, DISPLAY_AXES).array.shape, dtype=bool),
        structures=(),
        window=Window(level=0, width=100, unit=" HU"),
    )


def panels(data: bytes) -> list[npt.NDArray[np.bool_]]:
    """Axial, coronal and sagittal panel of a 120 x 100 x 120 mm scan: its largest white patch."""
    white = image.imread(io.BytesIO(data), format="jpeg")[..., 0] > 128
    panel = 3 * PANEL_PX / (120 + 120 + 100)
    starts = [0, 120 * panel + GAP_PX, 240 * panel + 2 * GAP_PX]
    widths = [120 * panel, 120 * panel, 100 * panel]
    cut = [white[:, round(s) : round(s + w)] for s, w in zip(starts, widths, strict=True)]
    return [_largest(panel) for panel in cut]


def _largest(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    pieces, _ = ndimage.label(mask)
    largest: npt.NDArray[np.bool_] = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return largest


def centre(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Where the white lies, -1..1 from left to right and from bottom to top."""
    rows, columns = np.nonzero(mask)
    high, wide = mask.shape
    return 2 * float(np.median(columns)) / wide - 1, 1 - 2 * float(np.median(rows)) / high


@pytest.mark.parametrize("axes", ALL_AXES)
def test_the_patients_left_is_on_the_right_and_anterior_is_up(axes: str) -> None:
    """Whatever the order of the scan: a ball left, anterior and superior of the middle."""
    centre_mm = (30.0, -22.0, 26.0)
    empty = label_map_from_masks([(LIVER, np.zeros((30, 50, 60), dtype=bool))], straight())
    geometry = reorient(empty, axes).geometry
    stack = stack_with_ball(geometry, centre_mm)
    picture = slice_picture(stack, centre_mm, cut=None, alt="a", caption="c")
    axial, coronal, sagittal = (centre(p) for p in panels(picture.data))
    assert axial[0] > 0.2  # patient's left on the right
    assert axial[1] > 0.2  # anterior up
    assert coronal[0] > 0.2
    assert coronal[1] > 0.2  # superior up
    assert sagittal[0] < -0.2  # anterior on the left
    assert sagittal[1] > 0.2


def test_a_ball_is_round_in_all_three_pictures_of_an_anisotropic_scan() -> None:
    stack = stack_with_ball(straight(), (0.0, 0.0, 2.0))
    picture = slice_picture(stack, (0.0, 0.0, 2.0), cut=None, alt="a", caption="c")
    for panel in panels(picture.data):
        rows, columns = np.nonzero(panel)
        across, along = np.ptp(columns), np.ptp(rows)
        assert across == pytest.approx(along, rel=0.12)


def test_the_picture_is_as_wide_as_three_panels() -> None:
    stack = stack_with_ball(straight(), (0.0, 0.0, 2.0))
    picture = slice_picture(stack, (0.0, 0.0, 2.0), cut=None, alt="a", caption="c")
    assert picture.width == 3 * PANEL_PX + 2 * GAP_PX
    assert image.imread(io.BytesIO(picture.data), format="jpeg").shape[:2] == (
        picture.height,
        picture.width,
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_pixel_lies_where_place_says(grid: Geometry, number: int) -> None:
    plane = planes_through(grid, (10.0, -5.0, 7.0))[number]
    points = plane.points_mm()
    down, across = plane.spacing_mm
    for row, column in ((0, 0), (3, 7), (points.shape[0] - 1, points.shape[1] - 1)):
        assert plane.place(points[row, column]) == pytest.approx((column * across, -row * down))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_pixels_and_values_belong_together(grid: Geometry, number: int) -> None:
    plane = planes_through(grid, (10.0, -5.0, 7.0))[number]
    values = at(grid) @ np.array([1.0, 10.0, 100.0])
    np.testing.assert_allclose(plane.cut(values), plane.points_mm() @ [1.0, 10.0, 100.0])


def test_letters_name_the_edges_of_straight_planes() -> None:
    axial, coronal, sagittal = planes_through(straight(), (0, 0, 0))
    assert axial.letters == ("R", "L", "A", "P")
    assert coronal.letters == ("R", "L", "S", "I")
    assert sagittal.letters == ("A", "P", "S", "I")


def test_a_tilted_scan_has_two_letters_where_two_directions_share(grid: Geometry) -> None:
    turn = np.radians(40)
    affine = straight().affine.copy()
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    affine[:3, :3] = rotation @ affine[:3, :3]
    axial, _, _ = planes_through(Geometry(shape=(30, 50, 60), affine=affine), (0, 0, 0))
    assert axial.letters == ("RA", "LP", "AL", "PR")
    assert tilt_deg(axial.geometry) == pytest.approx(40)
    assert tilt_deg(straight()) == pytest.approx(0, abs=1e-5)


def test_a_point_outside_the_scan_is_shown_at_its_edge() -> None:
    planes = planes_through(straight(), (0.0, 0.0, 900.0))
    assert [p.index for p in planes] == [29, 24, 30]


def test_an_outline_runs_below_the_size_of_a_pixel() -> None:
    plane = planes_through(straight(), (0.0, 0.0, 2.0))[0]
    mask = ball(straight(), (0.0, 0.0, 2.0))
    (outline,) = plane.outlines(plane.cut(mask))
    middle = np.array(plane.place((0.0, 0.0, 2.0)))
    radius = np.linalg.norm(outline - middle, axis=1)
    assert radius.mean() == pytest.approx(BALL_MM, abs=0.5)
    assert radius.std() < 0.6  # stairs of 2 mm pixels would give more


def test_an_outline_closes_at_the_edge_of_the_scan() -> None:
    plane = planes_through(straight(), (0.0, 0.0, 0.0))[0]
    (outline,) = plane.outlines(np.ones((50, 60), dtype=bool))
    np.testing.assert_allclose(outline[0], outline[-1])


def test_the_cut_line_lies_on_the_plane_and_ends_at_the_liver(
    grid: Geometry, anatomy_on: Callable[..., LabelMap]
) -> None:
    liver = anatomy_on(grid).whole_liver()
    normal = np.array([0.8, 0.5, -0.2]) / np.linalg.norm([0.8, 0.5, -0.2])
    for plane in planes_through(grid, (4.0, 3.0, -2.0)):
        values = (plane.points_mm() - (4.0, 3.0, -2.0)) @ normal
        inside = plane.cut(liver)
        (line,) = plane.zero_line(values, inside)
        drawn = line[np.isfinite(line).all(axis=1)]
        assert len(drawn) > 10
        pixels = drawn / (plane.spacing_mm[1], -plane.spacing_mm[0])
        on_cut = np.array([_interpolated(values, x, y) for x, y in pixels])
        assert np.abs(on_cut).max() < 1e-6
        nearest = np.rint(pixels).astype(int)
        assert inside[nearest[:, 1], nearest[:, 0]].mean() > 0.95


def _interpolated(values: npt.NDArray[np.float64], x: float, y: float) -> float:
    column, row = min(int(x), values.shape[1] - 2), min(int(y), values.shape[0] - 2)
    across, down = x - column, y - row
    upper = values[row, column] * (1 - across) + values[row, column + 1] * across
    lower = values[row + 1, column] * (1 - across) + values[row + 1, column + 1] * across
    return float(upper * (1 - down) + lower * down)


def test_planes_are_named_after_the_axis_they_cut() -> None:
    assert Plane(name="coronal", index=0, geometry=straight()).axis == 1
