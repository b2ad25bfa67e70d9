"""Views beside each other show the same, and follow one point."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_surgplan._cross import cross_of, hit_of, keep_context
from napari_surgplan._dress import BRUSH, FROM_THE_FRONT, dress
from napari_surgplan._eyes import SCAN, STRUCTURES, is_empty, role_of
from napari_surgplan._layers import upright
from napari_surgplan._mirror import Mirror
from napari_surgplan._session import Session
from napari_surgplan._tools import TOOLS
from napari_surgplan._warm import keep_warm, make_room
from surgplan.volume import LIVER, LIVER_TUMOUR

from .conftest import needs_screen


@pytest.fixture
def pane(session) -> ViewerModel:
    pane = ViewerModel(order=(1, 0, 2))
    mirror = Mirror(session.viewer, session.shown.eyes, pane)
    session.shown.cross.join(pane)
    yield pane
    mirror.close()
    assert len(pane.layers) == 0


def role(pane, wanted):
    return next(x for x in pane.layers if role_of(x) == wanted)


def test_slices_show_voxels_and_3d_shows_none_whatever_the_main_view_does(session, pane):
    for main, other in ((2, 2), (2, 3), (3, 2), (3, 3)):
        session.viewer.dims.ndisplay, pane.dims.ndisplay = main, other
        for view, ndisplay in ((session.viewer, main), (pane, other)):
            assert role(view, SCAN).visible == (ndisplay == 2)


def test_a_hidden_structure_stays_hidden_when_views_turn(session, pane) -> None:
    session.shown.set_look(LIVER, visible=False)
    for ndisplay in (3, 2, 3):
        session.viewer.dims.ndisplay = pane.dims.ndisplay = ndisplay
        assert not session.shown.surface_of(LIVER.label).visible
    colours = session.shown.layer(STRUCTURES).colormap.color_dict
    assert colours[LIVER.label][3] == 0
    assert colours[LIVER_TUMOUR.label][3] == 1
    session.shown.set_look(LIVER, visible=True)
    assert session.shown.surface_of(LIVER.label).visible


def test_the_eye_of_the_layer_list_counts_in_all_views(session, pane) -> None:
    layer = session.shown.layer(STRUCTURES)
    layer.visible = False
    assert not role(pane, STRUCTURES).visible
    session.viewer.dims.ndisplay = 3
    session.viewer.dims.ndisplay = 2
    assert not layer.visible
    layer.visible = True
    assert role(pane, STRUCTURES).visible


def test_painting_in_a_pane_paints_the_same_voxels(session, pane) -> None:
    main, copy = session.shown.layer(STRUCTURES), role(pane, STRUCTURES)
    assert copy.data is main.data or np.shares_memory(copy.data, main.data)
    main.mode = "paint"
    assert copy.mode == "paint"
    copy.data_setitem((np.array([3]), np.array([4]), np.array([5])), LIVER_TUMOUR.label)
    assert main.data[3, 4, 5] == LIVER_TUMOUR.label


def test_what_is_looked_at_is_shared_and_what_is_painted_on_is_a_copy(session, pane) -> None:
    layer, whole = session.shown.layer(STRUCTURES), upright(session.label_map).array
    assert np.shares_memory(layer.data, whole)
    layer.mode = "paint"
    layer.data_setitem((np.array([3]), np.array([4]), np.array([5])), LIVER_TUMOUR.label)
    assert layer.data[3, 4, 5] == LIVER_TUMOUR.label != whole[3, 4, 5]
    assert np.shares_memory(layer.data, role(pane, STRUCTURES).data)


def test_points_dragged_in_a_pane_are_dragged_in_the_viewer(session, pane) -> None:
    points = session.viewer.add_points(np.zeros((2, 3)), units=("mm",) * 3)
    copy = pane.layers[-1]
    copy.data = np.ones((2, 3))
    np.testing.assert_array_equal(points.data, np.ones((2, 3)))
    points.data = np.full((3, 3), 2.0)
    np.testing.assert_array_equal(copy.data, np.full((3, 3), 2.0))
    session.viewer.layers.remove(points)
    assert copy not in pane.layers


def test_all_views_go_to_the_point_looked_at(session, pane) -> None:
    session.focus((8.0, -14.0, 21.0))
    assert session.viewer.dims.point[0] == pytest.approx(21, abs=3)
    assert pane.dims.point[1] == pytest.approx(-14, abs=2)
    ends = cross_of(session.focus_mm, session.volume.geometry)
    for axis, (low, high) in enumerate(ends):
        aside = [a for a in range(3) if a != axis]
        np.testing.assert_allclose(low[aside], np.array([21, -14, 8])[aside])
        np.testing.assert_allclose(high[aside], low[aside])
        assert low[axis] < (21, -14, 8)[axis] < high[axis]


def test_who_draws_on_slices_hears_once_a_late_view_stands_at_the_point(session) -> None:
    session.focus((8.0, -14.0, 21.0))
    pane = ViewerModel(order=(1, 0, 2))
    keep_warm(pane)  # as a view that is opened beside a cut; its layers come in later turns
    session.shown.cross.join(pane)
    heard: list[float] = []
    session.shown.cross.placed.connect(lambda: heard.append(pane.dims.point[1]))
    mirror = Mirror(session.viewer, session.shown.eyes, pane)
    assert heard[-1] == pane.dims.point[1] == pytest.approx(-14, abs=2)
    mirror.close()


def test_a_view_is_cut_once_for_a_point_between_two_slices(session, pane) -> None:
    cuts = []
    role(pane, SCAN).events.set_data.connect(lambda: cuts.append(pane.dims.point[1]))

    def slide() -> None:  # as the sliders of a window do: they know whole slices only
        pane.dims.set_current_step(1, pane.dims.current_step[1])

    pane.dims.events.current_step.connect(slide)
    session.focus((8.0, -15.3, 21.0))
    assert len(cuts) == 1
    assert cuts[0] == pytest.approx(-15.3, abs=2)


def test_a_view_in_3d_gets_the_layers_of_slices_when_it_turns_to_them(session) -> None:
    pane = ViewerModel(ndisplay=3)
    mirror = Mirror(session.viewer, session.shown.eyes, pane)
    assert [role_of(x) for x in pane.layers] == [SCAN]
    pane.dims.ndisplay = 2
    assert [role_of(x) for x in pane.layers] == [SCAN, STRUCTURES]
    assert all(layer.visible for layer in pane.layers)
    mirror.close()


def test_scrolling_moves_the_point_along_one_axis(session, pane) -> None:
    session.focus((8.0, -14.0, 21.0))
    pane.dims.set_current_step(1, pane.dims.current_step[1] + 3)
    np.testing.assert_allclose(session.focus_mm, (8, -14 + 12, 21), atol=2.1)
    assert session.focus_mm[0] == 8
    assert session.focus_mm[2] == 21


def click(view, position, *, button=1, moved=0.0):
    """What napari does for a press, a move and a release."""
    event = SimpleNamespace(
        button=button,
        pos=np.zeros(2),
        position=position,
        type="mouse_press",
        view_direction=(0.0, 1.0, 0.0),
    )
    (callback,) = [c for c in view.mouse_drag_callbacks if hasattr(c, "__self__")]
    steps = callback(view, event)
    next(steps, None)
    event.type, event.pos = "mouse_move", np.full(2, moved)
    next(steps, None)
    event.type = "mouse_release"
    next(steps, None)


def test_a_click_looks_there_and_a_drag_does_not(session, pane) -> None:
    click(session.viewer, (6.0, 5.0, 4.0))
    np.testing.assert_allclose(session.focus_mm, (4, 5, 6))
    click(session.viewer, (1.0, 1.0, 1.0), moved=30)
    np.testing.assert_allclose(session.focus_mm, (4, 5, 6))
    session.viewer.layers.selection.active = session.shown.layer(STRUCTURES)
    session.shown.layer(STRUCTURES).mode = "paint"
    click(session.viewer, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(session.focus_mm, (4, 5, 6))


def test_a_click_in_3d_goes_through_the_translucent_liver_to_the_tumour(session, pane) -> None:
    session.viewer.dims.ndisplay = 3
    start, along = np.array([5.0, -300.0, -35.0]), np.array([0.0, 1.0, 0.0])
    hit = hit_of(session.shown.solids, start, along)
    assert np.linalg.norm(hit - (5, 10 - 15, -35)) < 4  # the front of the ball
    session.shown.set_look(LIVER_TUMOUR, visible=False)
    front = hit_of(session.shown.solids, start, along)
    assert front[1] < -40  # now the liver in front of it
    assert hit_of(session.shown.solids, np.array([500.0, 0, 0]), along) is None


def test_a_view_that_is_solid_from_the_start_looks_from_the_front(session) -> None:
    pane = ViewerModel(ndisplay=3)
    dress(pane)
    mirror = Mirror(session.viewer, session.shown.eyes, pane)
    np.testing.assert_allclose(pane.scene.camera.view_direction, FROM_THE_FRONT, atol=1e-6)
    mirror.close()


def test_scans_lie_on_black_whatever_the_theme() -> None:
    for theme in ("light", "dark"):
        viewer = ViewerModel()
        viewer.theme = theme
        dress(viewer)
        assert viewer.canvas.background_color[:3].tolist() == [0, 0, 0]


def test_the_ring_of_the_brush_waits_outside_a_view_for_the_mouse() -> None:
    pane = ViewerModel()
    dress(pane)
    assert max(pane.canvas.overlays[BRUSH].position) < -pane.canvas.overlays[BRUSH].size


def test_a_view_is_cleaned_up_in_its_own_context() -> None:
    order = []
    context = SimpleNamespace(finish=lambda: order.append("clean up"))
    scene = SimpleNamespace(context=context, set_current=lambda: order.append("own context"))
    keep_context(SimpleNamespace(_scene_canvas=scene))
    context.finish()
    assert order == ["own context", "clean up"]


@pytest.mark.gui
@pytest.mark.slow
@needs_screen
def test_the_view_of_a_window_is_cleaned_up_in_its_own_context(
    make_napari_viewer, monkeypatch
) -> None:
    viewer = make_napari_viewer()
    session = Session(viewer)
    scene, order = viewer.window._qt_viewer.canvas._scene_canvas, []
    monkeypatch.setattr(scene, "set_current", lambda: order.append("own context"))
    scene.context.finish()
    assert order == ["own context"]
    monkeypatch.undo()
    session.close()


def test_drawing_tools_are_pictured_once_one_is_taken_up(session) -> None:
    layer = session.shown.layer(STRUCTURES)
    overlays = [layer._overlays[name] for name in TOOLS]
    assert not any(overlay.visible for overlay in overlays)
    layer.mode = "paint"
    assert [overlay.visible for overlay in overlays] == [name == "brush_stroke" for name in TOOLS]


def test_a_view_that_is_kept_warm_is_empty_and_has_the_room_of_the_scan(session) -> None:
    pane = ViewerModel(order=(1, 0, 2))
    keep_warm(pane)
    assert is_empty(pane)
    looked = session.focus_mm
    session.shown.cross.join(pane)
    mirror = Mirror(session.viewer, session.shown.eyes, pane)
    assert not is_empty(pane)
    scan = session.shown.layer(SCAN)
    np.testing.assert_allclose(pane.layers.extent.world, scan.extent.world)
    np.testing.assert_array_equal(session.focus_mm, looked)
    assert pane.dims.point[1] == pytest.approx(looked[1], abs=2)
    mirror.close()
    assert is_empty(pane)


def test_the_scan_is_chosen_even_where_the_view_is_still_being_warmed(files) -> None:
    session = Session(ViewerModel())
    session.open(files / "scan.nii.gz")
    assert role_of(session.viewer.layers.selection.active) == SCAN
    keep_warm(session.viewer)
    assert role_of(session.viewer.layers.selection.active) != SCAN
    session.open(files / "labels.seg.nrrd")
    assert role_of(session.viewer.layers.selection.active) == SCAN
    session.close()


def test_what_keeps_a_view_warm_makes_room_far_from_the_origin() -> None:
    pane = ViewerModel()
    keep_warm(pane)
    far = Image(np.zeros((5, 6, 7)), scale=(3, 2, 2), translate=(900, -400, 70), units=("mm",) * 3)
    make_room(pane, far)
    pane.layers.append(far)
    np.testing.assert_allclose(pane.layers.extent.world, far.extent.world)
