"""A rehearsal without a window: parts, order of vessels, clamps, film."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_surgplan._clamp_mouse import ClampMouse
from napari_surgplan._film import check_film, write_film
from napari_surgplan._layers import to_world
from napari_surgplan._planner import Planner
from napari_surgplan._rehearse_scene import LOST_COLOURS, RehearseScene
from napari_surgplan._rehearser import Rehearser
from napari_surgplan._session import Session
from surgplan.errors import MissingExtraError, NothingToDoError, UsageError
from surgplan.planning import Plan, PlaneResection, assess
from surgplan.volume import LIVER, LIVER_TUMOUR, PORTAL_VEIN


@pytest.fixture
def session(files):
    session = Session(ViewerModel(ndisplay=3))
    session.open(files / "scan.nii.gz")
    session.open(files / "labels.seg.nrrd")
    yield session
    session.close()


@pytest.fixture
def rehearser(session, plain_trees):
    cut = PlaneResection(point_mm=(-5, 0, 0), normal=(-1, 0, 0))
    label_map = session.label_map
    session.put_plan(
        Plan(
            name="half",
            resection=cut,
            assessment=assess(label_map, cut, margin_mm=5),
            labels_fingerprint=label_map.fingerprint(),
        )
    )
    rehearser = Rehearser(session)
    scene = RehearseScene(rehearser)
    rehearser.take_stage(rehearser.make_stage())
    rehearser.scene = scene  # kept alive
    return rehearser


def test_branches_that_serve_nobody_knows_what_cannot_be_clamped(rehearser, monkeypatch):
    assert rehearser.branches()
    monkeypatch.setattr("surgplan.planning._perfusion.LEAST_REACH_PERCENT", 100.1)
    rehearser.leave()
    rehearser.take_stage(rehearser.make_stage())
    assert rehearser.branches() == ()


def test_without_a_plan_the_way_out_is_named(session):
    with pytest.raises(NothingToDoError, match="tab Plan"):
        Rehearser(session).make_stage()


def test_the_specimen_leaves_the_remnant_and_takes_the_tumour_along(rehearser):
    remnant, closed = rehearser.parts()
    rehearser.go_to(1.0)
    rehearser.move_apart(40.0)
    still, lifted = rehearser.parts()
    np.testing.assert_array_equal(still.points, remnant.points)
    way = lifted.points.mean(axis=0) - closed.points.mean(axis=0)
    assert way[0] < -40  # the patient's right is resected
    tumour = rehearser.carried_points(LIVER_TUMOUR.label)
    surface = next(s for s in rehearser.session.surfaces if s.segment.code == LIVER_TUMOUR.code)
    assert (tumour - surface.points).mean(axis=0)[0] < -40
    solid = rehearser.scene.solids.get("specimen")
    np.testing.assert_allclose(to_world(solid.points), lifted.points, atol=1e-2)


def test_vessels_come_in_the_order_of_the_cut(rehearser):
    vessels = rehearser.stage.rehearsal.vessels
    assert vessels
    seen = []
    for progress in np.linspace(0, 1, 41):
        rehearser.go_to(progress)
        vessel = rehearser.next_vessel
        if vessel is not None:
            assert vessel.progress >= progress
            seen.append(vessels.index(vessel))
            mark = to_world(rehearser.scene.solids.mark)
            np.testing.assert_allclose(mark, vessel.vessel.point_mm, atol=1e-4)
    assert seen == sorted(seen)
    rehearser.go_to(1.0)
    if vessels[-1].progress < 1.0:
        assert rehearser.next_vessel is None
        assert rehearser.scene.solids.mark is None


def test_a_clamp_darkens_what_hangs_on_the_branch_and_opens_again(rehearser):
    perfusion = rehearser.stage.prepared.perfusions.each()[0]
    system = perfusion.tree.system
    clamp = rehearser.clamp_at(system, perfusion.tree.roots[0])
    first = np.flatnonzero(perfusion.nodes.branch == clamp.branch)[0]
    assert clamp.lost_ml == perfusion.downstream_ml[first] > 0
    before = np.array(rehearser.scene.solids.get("remnant").colours)
    rehearser.clamp(clamp)
    lost = rehearser.lost()[system]
    behind = perfusion.tree.subtree(clamp.branch)
    np.testing.assert_array_equal(lost, np.isin(rehearser.stage.served[system], behind))
    assert lost.any()
    dark = np.array(rehearser.scene.solids.get("remnant").colours)
    count = len(rehearser.parts()[0].points)
    hue = dark[lost[:count], :3] / dark[lost[:count], :3].max(axis=1, keepdims=True)
    wanted = np.array(LOST_COLOURS[system])
    np.testing.assert_allclose(hue, np.tile(wanted / wanted.max(), (len(hue), 1)), atol=1e-3)
    rehearser.clamp(clamp)
    np.testing.assert_array_equal(rehearser.scene.solids.get("remnant").colours, before)


def test_the_camera_looks_into_the_cut(rehearser):
    rehearser.go_to(0.5)
    viewer = rehearser.session.viewer
    rehearser.scene.follow((viewer,))
    view = rehearser.view
    np.testing.assert_allclose(to_world(viewer.scene.camera.center), view.point_mm, atol=1e-6)
    np.testing.assert_allclose(
        to_world(viewer.scene.camera.view_direction), view.direction, atol=1e-3
    )


def test_leaving_puts_the_liver_together_again(rehearser):
    shown = rehearser.session.shown
    assert not shown.surface_of(LIVER.label).visible
    shown.set_look(LIVER, opacity=0.3)
    assert not shown.surface_of(LIVER.label).visible
    rehearser.go_to(1.0)
    rehearser.leave()
    assert shown.surface_of(LIVER.label).visible
    assert rehearser.scene.solids.get("remnant") is None
    for surface in rehearser.session.surfaces:
        solid = shown.surface_of(surface.segment.label)
        np.testing.assert_allclose(to_world(solid.points), surface.points, atol=1e-2)


def test_another_plan_clears_the_stage(rehearser):
    rehearser.session.remove_plan("half")
    assert rehearser.stage is None


def test_a_new_planner_and_a_rehearsal_share_a_session(rehearser):
    planner = Planner(rehearser.session)
    planner.take_ready(planner.make_ready())
    assert planner.draft.name == "half"


@pytest.mark.parametrize("apart_mm", [0.0, 40.0])
def test_a_vessel_is_clamped_by_a_click_where_it_lies_now(rehearser, apart_mm):
    rehearser.go_to(1.0 if apart_mm else 0.0)
    rehearser.move_apart(apart_mm)
    (portal,) = (s for s in rehearser.session.surfaces if s.segment.label == PORTAL_VEIN.label)
    corner = int(np.argmin(portal.points[:, 0]))  # on the side of the specimen
    triangle = portal.triangles[(portal.triangles == corner).any(axis=1)][0]
    point = rehearser.carried_points(PORTAL_VEIN.label)[triangle].mean(axis=0)
    away = np.array([0.0, 1.0, 0.0])
    view = rehearser.session.viewer
    mouse = ClampMouse(rehearser, view)

    def click(at, *, moved=False) -> None:
        event = SimpleNamespace(
            button=1, type="mouse_press", dims_displayed=[0, 1, 2],
            view_direction=to_world(-away), position=tuple(to_world(at)),
        )  # fmt: skip
        steps = mouse.click(view, event)
        next(steps)
        if moved:
            event.type = "mouse_move"
            next(steps)
        event.type = "mouse_release"
        assert next(steps, "over") == "over"

    click(point + 300 * away, moved=True)
    assert rehearser.clamps == ()  # a turn of the camera
    click(point + 300 * away)
    (clamp,) = rehearser.clamps
    assert clamp.system == "portal"
    assert rehearser.lost()["portal"].any()
    click(point + 300 * away)
    assert rehearser.clamps == ()
    mouse.close()
    assert mouse.click not in view.mouse_drag_callbacks


def test_a_film_is_as_long_as_its_pictures(tmp_path):
    import imageio.v3 as imageio

    pictures = [np.full((20, 30, 4), 20 * n, dtype=np.uint8) for n in range(5)]
    path = write_film(tmp_path / "film.gif", pictures)
    assert imageio.imread(path).shape[:3] == (5, 20, 30)
    with pytest.raises(NothingToDoError, match="pictures"):
        write_film(tmp_path / "none.gif", [])


def test_a_film_that_cannot_be_written_is_refused_before_it_is_recorded(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"written as .gif or .mp4, got film.avi"):
        check_film(tmp_path / "film.avi")
    monkeypatch.setattr("napari_surgplan._film.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'surgplan\[film\]'"):
        check_film(tmp_path / "film.mp4")
    check_film(tmp_path / "film.GIF")
