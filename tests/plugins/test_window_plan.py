"""A real window: cuts begun by clicks, dragged by the mouse, shown flat, and rehearsed."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np
import pytest

from .conftest import BESIDE_VESSELS, make_body, needs_screen

pytest.importorskip("qtpy")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_surgplan._kind_row import KINDS
from napari_surgplan._plan_clicks import HINTS
from napari_surgplan._plan_rows import headline
from napari_surgplan._plan_tab import PlanTab
from napari_surgplan._rehearse_tab import RehearseTab
from napari_surgplan._stage_box import BY_HAND, WAITING
from surgplan.io import write_label_map, write_volume
from surgplan.planning import TwoStageResection, assess, stages_of

from .driver import LEFT, NONE

pytestmark = [pytest.mark.gui, pytest.mark.slow, needs_screen]
MARGIN_MM = 5.0
VESSEL_MM = (-62.0, 0.0, 10.0)
"""On the portal vein, on the tumour's side of it."""
THROUGH_IT_MM = ((-45.0, -10.0, 40.0), (-45.0, -10.0, -40.0))
"""On the front of the liver, across the tumour."""
PATH_MM = ((-5.0, -10.0, 52.0), (-5.0, -10.0, -52.0))
"""On the front of the liver, the tumour on one side."""


@pytest.fixture
def ready(driver, tmp_path):
    """A window with structures, ready to plan."""
    volume, label_map = make_body(tumour=BESIDE_VESSELS)
    write_volume(volume, tmp_path / "scan.nii.gz")
    write_label_map(label_map, tmp_path / "labels.seg.nrrd")
    driver.open(tmp_path / "scan.nii.gz", tmp_path / "labels.seg.nrrd")
    tab = driver.show(PlanTab)
    driver.until(lambda: tab.planner.prepared is not None)
    driver.idle()
    tab.wishes.margin.setValue(MARGIN_MM)
    return driver


def test_every_kind_of_cut_is_a_feasible_plan_within_three_clicks(ready) -> None:
    driver, tab, session = ready, ready.dock.tab(PlanTab), ready.session
    for kind, *_ in KINDS:
        before, known = len(driver.done), len(session.plans)
        driver.click(tab.buttons[kind])
        for point in {"territory": (VESSEL_MM,), "drawn": PATH_MM}.get(kind, ()):
            assert tab.hint.text() == HINTS[kind]
            driver.click_at(point)
        driver.until(lambda known=known: len(session.plans) > known)
        plan = session.current_plan
        driver.picture(f"plan-{kind}")
        assert plan.name == kind
        assert len(driver.done) - before <= 3
        assert headline(tab.planner.standing).feasible
        assert plan.assessment == assess(session.label_map, plan.resection, margin_mm=MARGIN_MM)
        assert tab.verdict.text() == headline(tab.planner.standing).text
    tab.pages.setCurrentWidget(tab.compare)
    assert tab.compare.columnCount() == len(KINDS)
    driver.picture("plan-compare")


def test_a_path_drawn_at_a_stroke_is_made_feasible_in_three_clicks(ready) -> None:
    driver, tab, session = ready, ready.dock.tab(PlanTab), ready.session
    before, camera = len(driver.done), driver.pane().viewer.scene.camera.angles
    steps, _ = session.history.steps
    driver.click(tab.buttons["drawn"])
    start, end = (driver.pixel(point) for point in THROUGH_IT_MM)
    driver.drag(THROUGH_IT_MM[0], end - start, steps=12)
    driver.until(lambda: session.current_plan is not None and tab.nearest.isEnabled())
    begun = session.current_plan
    driver.picture("plan-stroke")
    assert driver.pane().viewer.scene.camera.angles == camera
    assert session.history.steps == (steps + 1, 0)  # a stroke is a step
    assert 3 <= len(begun.resection.path_mm) < 12
    assert tab.verdict.text().startswith("Not feasible: tumour 1")
    driver.click(tab.nearest)
    driver.until(lambda: session.current_plan is not begun)
    assert len(driver.done) - before == 3
    plan = session.current_plan
    assert plan.assessment == assess(session.label_map, plan.resection, margin_mm=MARGIN_MM)
    driver.until(lambda: tab.verdict.text().startswith("Feasible"))
    assert tab.why.text() == plan.why
    assert plan.why.startswith("Nearest feasible: ")
    assert tab.clicks.mode is None
    driver.picture("plan-made-feasible")
    driver.click(tab.bar.undo)
    assert session.current_plan.resection == begun.resection


def test_a_cut_is_begun_where_a_handle_of_the_one_before_lies(ready) -> None:
    driver, tab, session = ready, ready.dock.tab(PlanTab), ready.session
    driver.click(tab.buttons["plane"])
    driver.until(lambda: bool(tab.scene.handles) and tab.planner.standing is not None)
    plane, (at, *_) = session.current_plan, (h.point_mm for h in tab.scene.handles)
    driver.click(tab.buttons["drawn"])
    driver.drag(at, QPoint(0, 60), steps=12)
    driver.until(lambda: session.current_plan.name == "drawn")
    assert session.state.plan("plane") == plane


def test_where_no_cut_is_feasible_the_dock_says_which_limit_is_missed(driver, tmp_path) -> None:
    volume, label_map = make_body(tumour=(0.0, 0.0, 0.0, 35.0))
    write_volume(volume, tmp_path / "scan.nii.gz")
    write_label_map(label_map, tmp_path / "labels.seg.nrrd")
    driver.open(tmp_path / "scan.nii.gz", tmp_path / "labels.seg.nrrd")
    tab = driver.show(PlanTab)
    driver.until(lambda: tab.planner.prepared is not None)
    tab.wishes.margin.setValue(30.0)
    driver.click(tab.buttons["plane"])
    driver.until(tab.nearest.isEnabled)
    driver.click(tab.nearest)
    driver.idle()
    told = driver.dock.status.message.text()
    assert "no cut like this one is feasible" in told
    assert "cleared by 30 mm, at most " in told
    assert "at least 25 % wanted. Take a smaller margin" in told
    driver.picture("plan-no-cut-is-feasible")


def test_two_stages_are_planned_in_three_clicks_and_change_with_growth(ready) -> None:
    driver, tab, session = ready, ready.dock.tab(PlanTab), ready.session
    box, before = tab.stages, len(ready.done)
    driver.click(tab.buttons["plane"])
    driver.until(lambda: session.current_plan is not None)
    first = session.current_plan
    driver.click(box.button)
    driver.until(lambda: tab.hint.text() == WAITING)
    assert box.growth.isVisible()
    driver.click(tab.buttons["wedge"])
    driver.until(lambda: isinstance(session.current_plan.resection, TwoStageResection))
    plan = session.current_plan
    assert len(driver.done) - before == 3
    assert plan.resection.first == first.resection
    driver.until(lambda: not tab.hint.isVisible())
    driver.until(lambda: tab.planner.standing is not None)
    found = stages_of(tab.planner.prepared, plan.resection)
    assert tab.planner.standing.stages == found
    shown = {(row.group, row.name): row.value for row in tab.table.rows}
    assert shown["Second operation", "Remnant to be"] == found[1].flr_ml
    assert tab.verdict.text() == headline(tab.planner.standing).text
    driver.picture("plan-two-stages")
    box.growth.setValue(1.0)
    driver.until(lambda: session.current_plan.resection.growth.factor == 1.0)
    assert session.current_plan.resection.growth.source == BY_HAND
    driver.until(lambda: tab.planner.standing is not None)
    assert tab.planner.standing.stages[1].flr_ml < found[1].flr_ml
    driver.click(tab.bar.undo)
    assert session.current_plan.resection == plan.resection
    assert box.growth.value() == round(plan.resection.growth.factor, 2)


@pytest.mark.usefixtures("plain_trees")
def test_a_cut_is_dragged_shown_flat_undone_and_rehearsed(ready, tmp_path) -> None:
    driver, tab, session = ready, ready.dock.tab(PlanTab), ready.session
    driver.click(tab.buttons["plane"])
    driver.until(lambda: session.current_plan is not None)
    first = session.current_plan
    _cross_and_cut_are_drawn_in_every_view(driver, tab)
    tab.pages.setCurrentWidget(tab.map)  # drawn only where it is looked at
    driver.until(lambda: tab.map.picture is not None)
    _dragging_a_handle_moves_cut_and_numbers(driver, tab)
    _surfaces_laid_back_look_as_if_drawn(driver)
    _views_opened_again_show_the_cut_where_they_stand(driver, tab)
    drawn = tab.map.picture
    driver.click(tab.bar.undo)
    assert session.current_plan.resection == first.resection
    _a_click_on_the_map_looks_there(driver, tab, drawn)
    _the_margin_wanted_turns_the_verdict(driver, tab)
    _the_cut_is_rehearsed(driver, tmp_path)


def _cross_and_cut_are_drawn_in_every_view(driver, tab) -> None:
    driver.session.focus(first_handle := tab.scene.handles[0].point_mm)
    driver.until(lambda: not tab.planner.drawer.busy)  # the specimen is tinted at last
    driver.canvases()
    with_both = driver.canvases()
    driver.click(driver.dock.cross)
    without_cross = driver.canvases()
    tab.scene.show(shown=False)
    without_handles = driver.canvases()
    for before, after in zip(with_both, without_cross, strict=True):
        changed = (before != after).any(axis=-1)
        assert changed.sum() > 100
        assert changed.mean() < 0.05
    at = driver.pixel(first_handle)
    shown, gone = (shots[1][at.y(), at.x(), :3] for shots in (without_cross, without_handles))
    face_or_border = ((255, 255, 255), (21, 101, 192))  # of this one, or of one in front of it
    assert any(np.allclose(shown, colour, atol=15) for colour in face_or_border)
    assert not np.allclose(gone, shown, atol=15)
    tab.scene.show(shown=True)
    driver.click(driver.dock.cross)


def _dragging_a_handle_moves_cut_and_numbers(driver, tab) -> None:
    before = driver.session.current_plan
    handles = [h.point_mm for h in tab.scene.handles]
    camera = driver.pane().viewer.scene.camera.angles
    driver.drag(handles[0], QPoint(14, -9))
    driver.until(lambda: driver.session.current_plan.resection != before.resection)
    now = driver.session.current_plan
    assert driver.pane().viewer.scene.camera.angles == camera
    moves = np.subtract([h.point_mm for h in tab.scene.handles], handles)
    assert np.linalg.norm(moves, axis=1).max() > 1
    label_map = driver.session.label_map
    assert now.assessment == assess(label_map, now.resection, margin_mm=MARGIN_MM)
    assert now.assessment != before.assessment
    driver.picture("plan-dragged")


def _surfaces_laid_back_look_as_if_drawn(driver) -> None:
    driver.monkeypatch.setattr("napari_surgplan._still.SOFTWARE", ("",))  # whatever draws here
    pane = driver.pane()
    still = driver.session.shown.cross.drawings[pane.viewer]._surfaces._still
    pane.canvas.native.grabFramebuffer()
    assert still._scene is not None
    laid_back = pane.canvas.native.grabFramebuffer()
    still.forget()
    assert pane.canvas.native.grabFramebuffer() == laid_back


def _views_opened_again_show_the_cut_where_they_stand(driver, tab) -> None:
    main = driver.viewer.window._qt_viewer
    driver.session.focus(tab.planner.draft.sheet.points_mm.mean(axis=0) + np.array([-9, 7, 5]))
    driver.click(driver.dock.four)
    QApplication.processEvents()
    assert main.width() > 0.9 * main.window().centralWidget().width()
    driver.click(driver.dock.four)
    driver.idle()
    driver.until(lambda: tab.scene.specimen is not None)
    drawings = driver.session.shown.cross.drawings
    assert len(drawings) == 4
    tints = [(d._shown.tint, tab.scene.sketch(v).tint) for v, d in drawings.items()]
    assert sum(wanted is not None for _, wanted in tints) == 3
    for shown, wanted in tints:
        if wanted is not None:
            assert (shown.first_mm, shown.step_mm) == (wanted.first_mm, wanted.step_mm)
            np.testing.assert_array_equal(shown.rgba, wanted.rgba)
    driver.picture("plan-opened-again")


def _a_click_on_the_map_looks_there(driver, tab, drawn) -> None:
    tab.pages.setCurrentWidget(tab.map)
    driver.until(lambda: tab.map.picture is not drawn)
    driver.picture("plan-map")
    cut = driver.session.current_plan.resection
    at = tab.map.place_of(tab.planner.draft.sheet.points_mm.mean(axis=0)).toPoint()
    looked = driver.session.focus_mm
    driver.qtbot.mouseClick(tab.map, LEFT, NONE, at)
    assert not np.array_equal(driver.session.focus_mm, looked)
    assert abs(cut.distance_mm(driver.session.focus_mm[None])[0]) < 0.5
    for view in driver.session.shown.cross.views:
        if view.dims.ndisplay == 2:
            across = view.dims.order[0]
            assert abs(view.dims.point[across] - driver.session.focus_mm[2 - across]) < 6


def _the_margin_wanted_turns_the_verdict(driver, tab) -> None:
    tab.pages.setCurrentWidget(tab.table)
    tab.wishes.slider.setValue(tab.wishes.slider.maximum())
    driver.until(lambda: tab.verdict.text().startswith("Not feasible"))
    driver.picture("plan-not-feasible")
    tab.wishes.margin.setValue(MARGIN_MM)
    driver.until(lambda: not tab.verdict.text().startswith(("Not", "Working")))


def _the_cut_is_rehearsed(driver, tmp_path) -> None:
    tab, session = driver.show(RehearseTab), driver.session
    driver.click(tab.stage_button)
    driver.until(lambda: tab.rehearser.stage is not None)
    whole = driver.picture("rehearse-begin").read_bytes()
    met = tab.rehearser.stage.rehearsal.vessels
    assert tab.vessels.count() == len(met)
    tab.slider.setValue(500)
    tab.apart.setValue(40)
    vessel = tab.rehearser.next_vessel
    assert ("complete" if vessel is None else vessel.vessel.name) in tab.next.text()
    assert "50 % of the cut" in tab.next.text()
    assert driver.picture("rehearse-open").read_bytes() != whole
    tab.clamps.lines.item(0).setCheckState(Qt.CheckState.Checked)
    assert f"{tab.rehearser.branches()[0].lost_ml:.0f} ml" in tab.clamps.loss.text()
    driver.picture("rehearse-clamped")
    _the_rehearsal_is_filmed(driver, tab, tmp_path / "film.gif")
    driver.click(tab.leave_button)
    assert tab.rehearser.stage is None
    liver = next(s for s in session.surfaces if s.segment.label == 1)
    solid = session.shown.surface_of(1)
    assert solid.visible
    assert np.allclose(solid.points, liver.points[:, ::-1], atol=1e-3)
    driver.picture("rehearse-left")


def _the_rehearsal_is_filmed(driver, tab, film) -> None:
    driver.answer(film.with_suffix(".avi"))
    driver.click(tab.player.film)
    assert "a film is written as .gif or .mp4" in driver.dock.status.message.text()
    assert tab.player.pictures is None
    driver.answer(film.with_suffix(""))  # a GIF unless its name says otherwise
    driver.click(tab.player.film)
    driver.until(film.exists)
    driver.idle()
    shown, (first, *_, last) = tab._picture(), imageio.imread(film)
    assert first.shape[1] == shown.shape[1]
    foot = last[shown.shape[0] :]
    assert foot.max() > 200  # the disclaimer, white on black
    assert foot.mean() < 60
    assert (first != last).any()
    driver.answer(film.with_name("left.gif"))
    driver.click(tab.player.film)
    driver.until(lambda: bool(tab.player.pictures))
    tab.rehearser.stage_changed.emit()
    assert tab.player.pictures is None  # what is played later is no part of it
    assert not tab.player.button.isChecked()
