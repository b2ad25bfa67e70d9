"""Cases as napari layers, without a window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.mesh import Surface
from surgplan.volume import LIVER, LIVER_TUMOUR, PORTAL_VEIN, Geometry, LabelMap, Volume, reorient

pytest.importorskip("napari", reason="needs the gui extra")

from napari.components import ViewerModel
from napari.layers import Layer

from napari_surgplan._layers import (
    image_layer,
    labels_layer,
    layers_of,
    surface_layer,
    to_world,
    upright,
)

SHAPE = (7, 9, 11)


def _geometry(turn_deg: tuple[float, float, float], spacing_mm: tuple[float, ...]) -> Geometry:
    straight = Geometry.from_spacing(shape=SHAPE, spacing_mm=spacing_mm, origin_mm=(-40, 25, 310))
    affine = straight.affine.copy()
    turn = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    affine[:3, :3] = turn @ affine[:3, :3]
    return Geometry(shape=SHAPE, affine=affine)


def _volume(geometry: Geometry, modality: str = "CT") -> Volume:
    array = np.arange(np.prod(geometry.shape), dtype=np.int16).reshape(geometry.shape)
    return Volume(array=array, geometry=geometry, modality=modality)


def _label_map(geometry: Geometry) -> LabelMap:
    array = np.zeros(geometry.shape, np.uint8)
    array[1:6, 2:7, 2:8] = LIVER.label
    array[3, 4, 5] = LIVER_TUMOUR.label
    return LabelMap(array=array, geometry=geometry, segments=(LIVER, LIVER_TUMOUR, PORTAL_VEIN))


def _tetrahedron(segment=LIVER_TUMOUR) -> Surface:
    corners = [(0, 0, 0), (10, 0, 0), (0, 20, 0), (0, 0, 30)]
    faces = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]
    return Surface(points=corners, triangles=faces, segment=segment)


AXIS_CODES = ["SPL", "IPL", "SAR", "LPS", "PSL", "RIA"]


@given(
    points=st.lists(st.tuples(*[st.floats(-1e4, 1e4)] * 3), min_size=1, max_size=5),
)
@settings(max_examples=30, deadline=None)
def test_world_is_lps_backwards_and_back_again(points) -> None:
    np.testing.assert_array_equal(to_world(to_world(points)), np.asarray(points, float))
    np.testing.assert_array_equal(to_world(points)[:, 0], [p[2] for p in points])


@given(
    codes=st.sampled_from(AXIS_CODES),
    spacing=st.tuples(*[st.floats(0.4, 6)] * 3),
    index=st.tuples(*[st.integers(0, n - 1) for n in SHAPE]),
)
@settings(max_examples=25, deadline=None)
def test_every_voxel_of_a_straight_scan_shows_at_its_place_in_the_patient(
    codes, spacing, index
) -> None:
    turned = reorient(_volume(_geometry((0, 0, 0), spacing)), codes)
    layer = Layer.create(*image_layer(turned))
    here = np.argwhere(turned.array == index[0] * 99 + index[1] * 11 + index[2])[0]
    shown = np.argwhere(np.asarray(layer.data) == turned.array[tuple(here)])[0]
    expected = to_world(turned.geometry.to_lps(here))
    np.testing.assert_allclose(layer.data_to_world(shown), expected, atol=1e-6)


@given(turn=st.tuples(*[st.floats(-35, 35)] * 3))
@settings(max_examples=10, deadline=None)
def test_an_oblique_scan_is_shown_straight_and_in_place(turn) -> None:
    geometry = _geometry(turn, (3.0, 1.2, 0.9))
    x, y, z = (geometry.to_lps(np.moveaxis(np.indices(SHAPE), 0, -1))[..., a] for a in range(3))
    values = (100 + 2 * x - 3 * y + z).astype(np.float32)  # linear, so blending is exact
    shown = upright(Volume(array=values, geometry=geometry, modality="CT"))
    assert shown.geometry.axis_codes == "SPL"
    inside = shown.array != -1000
    assert inside.sum() > 100
    places = shown.geometry.to_lps(np.argwhere(inside))
    at = geometry.to_index(places)
    core = ((at >= 1) & (at <= np.asarray(SHAPE) - 2)).all(axis=1)
    expected = 100 + places @ (2, -3, 1)
    np.testing.assert_allclose(shown.array[inside][core], expected[core], atol=0.1)
    corners = shown.geometry.to_index(geometry.to_lps(np.argwhere(np.ones((2, 2, 2)))))
    assert corners.min() >= -1e-6


def test_a_straight_scan_keeps_every_value_and_is_not_resampled() -> None:
    volume = reorient(_volume(_geometry((0, 0, 0), (5, 0.8, 0.7))), "RIA")
    shown = upright(volume)
    assert shown.array.dtype == np.int16
    assert sorted(shown.array.ravel()) == sorted(volume.array.ravel())


def test_surface_and_image_meet_in_the_world() -> None:
    geometry = _geometry((0, 0, 0), (2, 1, 1))
    point = geometry.to_lps((3, 4, 5))
    surface = Surface(
        points=point + np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)]),
        triangles=[(0, 1, 2)],
        segment=LIVER,
    )
    vertices, _ = surface_layer(surface)[0]
    image = Layer.create(*image_layer(_volume(geometry)))
    np.testing.assert_allclose(image.data_to_world((3, 4, 5)), vertices[0], atol=1e-4)


@pytest.mark.parametrize("turn", [(0, 0, 0), (12, -20, 30)])
def test_all_layers_in_one_viewer_in_millimetres_without_a_warning(turn) -> None:
    geometry = _geometry(turn, (3, 1, 1))
    surfaces = (_tetrahedron(LIVER), _tetrahedron())
    viewer = ViewerModel()
    for layer in layers_of(_volume(geometry), _label_map(geometry), surfaces):
        viewer.add_layer(Layer.create(*layer))
    viewer.dims.ndisplay = 3
    assert [layer.name for layer in viewer.layers] == [
        "CT scan",
        "structures",
        "liver tumour surface",
        "liver parenchyma surface",  # translucent, so it comes last
    ]
    for layer in viewer.layers:
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
        assert layer.axis_labels == ("z", "y", "x")


def test_labels_stay_small_integers_with_colour_and_name() -> None:
    layer = Layer.create(*labels_layer(_label_map(_geometry((0, 0, 0), (3, 1, 1)))))
    assert layer.data.dtype == np.uint8
    np.testing.assert_allclose(
        layer.get_color(LIVER_TUMOUR.label)[:3], np.divide((240, 205, 70), 255), atol=1e-3
    )
    viewer = ViewerModel()
    viewer.add_layer(layer)
    place = layer.data_to_world((3, 4, 5))
    viewer.dims.set_point(0, place[0])
    status = layer.get_status(place, world=True, dims_displayed=[1, 2])
    assert "structure: liver tumour" in status["value"]


def test_oblique_labels_are_never_blended() -> None:
    label_map = _label_map(_geometry((20, 10, 30), (3, 1, 1)))
    assert set(np.unique(upright(label_map).array)) <= {0, LIVER.label, LIVER_TUMOUR.label}


def test_mr_is_windowed_by_its_own_values() -> None:
    low, high = image_layer(_volume(_geometry((0, 0, 0), (3, 1, 1)), "MR"))[1]["contrast_limits"]
    assert 0 < low < high < 693


def test_the_original_grid_is_kept_for_export() -> None:
    geometry = _geometry((20, 10, 30), (3, 1, 1))
    metadata = image_layer(_volume(geometry))[1]["metadata"]
    np.testing.assert_array_equal(metadata["surgplan_affine"], geometry.affine)
