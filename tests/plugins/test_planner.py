"""Plans made, held, judged, undone and compared, without a window."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from scipy.spatial import cKDTree

from napari_surgplan._contour import crossing, ribbon
from napari_surgplan._cut_scene import HANDLE_MM, CutScene
from napari_surgplan._handles import handles_of, moved, pulled
from napari_surgplan._layers import to_world
from napari_surgplan._map_layout import in_rows
from napari_surgplan._map_picture import picture_of
from napari_surgplan._margin_bands import BANDS, band_of, colours_of
from napari_surgplan._mirror import Mirror
from napari_surgplan._mouse import CutMouse, Pointer
from napari_surgplan._newest import Newest
from napari_surgplan._pick import first_hit
from napari_surgplan._plan_clicks import DOUBTFUL, PlanClicks
from napari_surgplan._plan_columns import compared
from napari_surgplan._plan_rows import headline, rows_of
from napari_surgplan._planner import STARTS, Planner
from napari_surgplan._sides import resected_points
from surgplan.planning import (
    BezierResection,
    CutSheet,
    FreehandResection,
    Plan,
    PlaneResection,
    Standing,
    TerritoryResection,
    assess,
    cut_sheet,
    propose,
)

from .conftest import settled

VESSEL_MM = np.array((-62.0, 0.0, 10.0))
"""In the middle of the portal vein, 6 mm from its wall."""


def alone(plan: Plan) -> Standing:
    """How a plan of one operation stands."""
    return Standing(plan=plan, stages=())


def plan_of(label_map, name, cut) -> Plan:
    return Plan(
        name=name,
        resection=cut,
        assessment=assess(label_map, cut, margin_mm=5),
        labels_fingerprint=label_map.fingerprint(),
    )


@pytest.fixture
def scene(planner):
    return CutScene(planner)


def begin(planner: Planner, kind: str) -> None:
    planner.begin(kind, planner.start_of(kind))
    settled(planner)


@pytest.mark.parametrize("kind", list(STARTS))
def test_each_kind_gives_a_feasible_plan_with_the_numbers_of_the_command_line(planner, kind):
    begin(planner, kind)
    plan = planner.session.current_plan
    assert plan is not None
    assert plan.name == kind
    assert headline(alone(plan)).feasible
    assert plan.assessment == assess(planner.session.label_map, plan.resection, margin_mm=5.0)


def test_a_remnant_without_its_vessels_is_said_in_the_first_line(plain_trees, planner):
    begin(planner, "plane")
    plan = planner.session.current_plan
    assert plan is not None
    said = plan.assessment
    assert said.function is not None
    none = replace(said.function, flr_percent=0.0, functional_ml=0.0)
    told = headline(alone(replace(plan, assessment=replace(said, function=none))))
    assert told.text.startswith("Feasible by volume, not by function")
    assert told.flagged


def test_a_drag_shows_each_cut_at_once_and_keeps_one_step_to_undo(planner, scene):
    begin(planner, "plane")
    before = planner.session.current_plan
    steps = planner.session.history.steps[0]
    handle = scene.handles[0]
    for far in (1.0, 2.0, 3.0, 4.0):
        cut = moved(before.resection, handle, handle.point_mm + far, planner.session.label_map)
        planner.hold(cut)
        assert planner.draft.resection is cut
        assert np.abs(cut.distance_mm(planner.draft.sheet.points_mm)).max() < 1e-6
    planner.let_go()
    settled(planner)
    after = planner.session.current_plan
    assert after.resection == cut
    assert planner.session.history.steps[0] == steps + 1
    planner.session.undo()
    settled(planner)
    assert planner.session.current_plan.resection == before.resection
    assert planner.draft.resection == before.resection
    planner.session.redo()
    settled(planner)
    assert planner.draft.assessment == after.assessment


def test_a_wedge_follows_the_margin(planner):
    begin(planner, "wedge")
    narrow = planner.session.current_plan.assessment
    planner.widen(9.0)
    settled(planner)
    wide = planner.session.current_plan.assessment
    assert wide.margin_mm == 9.0
    assert wide.smallest_margin_mm == pytest.approx(9.1, abs=0.4)
    assert narrow.smallest_margin_mm == pytest.approx(5.1, abs=0.4)
    assert wide.resected_ml > narrow.resected_ml


def test_views_show_cut_line_handles_and_specimen_in_their_places(planner, scene):
    begin(planner, "curved")
    viewer, pane = planner.session.viewer, ViewerModel(order=(1, 0, 2))
    mirror = Mirror(viewer, planner.session.shown.eyes, pane)
    planner.session.shown.cross.join(pane)
    cut = planner.draft.resection
    for view in (viewer, pane):
        across = view.dims.order[0]
        line = scene.sketch(view)
        assert len(line.triangles) > 5
        np.testing.assert_allclose(line.points[:, across], view.dims.point[across])
        assert np.abs(cut.distance_mm(to_world(line.points))).max() < 2
        assert (np.abs(line.handles[:, across] - view.dims.point[across]) <= HANDLE_MM).all()
    viewer.dims.ndisplay = 3
    solid = scene.sketch(viewer)
    assert np.abs(cut.distance_mm(to_world(solid.points))).max() < 0.5
    np.testing.assert_allclose(to_world(solid.handles), cut.control_points_mm.reshape(-1, 3))
    scene.show(shown=False)  # the rehearsal has the stage: the line on slices stays
    assert not len(scene.sketch(viewer).triangles)
    assert len(scene.sketch(pane).triangles)
    assert not len(scene.sketch(pane).handles)
    scene.show(shown=True)
    planner.session.remove_plan("curved")
    for view in (viewer, pane):
        assert not len(scene.sketch(view).triangles)
        assert not len(scene.sketch(view).handles)
    assert scene.specimen is None
    mirror.close()


def test_a_cut_has_the_colours_of_its_margins(planner, scene):
    begin(planner, "plane")
    planner.session.viewer.dims.ndisplay = 3
    sketch = scene.sketch(planner.session.viewer)
    tree = cKDTree(planner.draft.sheet.points_mm)
    away, nearest = tree.query(to_world(sketch.points))
    alike = away < 1e-6  # the others stand where a band ends
    wanted = colours_of(planner.draft.sheet.margin_mm[nearest[alike]])
    hue = sketch.colours[alike, :3] / sketch.colours[alike, :3].max(axis=1, keepdims=True)
    np.testing.assert_allclose(hue, wanted / wanted.max(axis=1, keepdims=True), atol=1e-5)


def test_a_cut_is_coarse_while_it_is_held_and_fine_at_rest(planner, scene):
    begin(planner, "curved")
    fine = len(planner.draft.sheet.triangles)
    handle = scene.handles[0]
    cut = moved(planner.draft.resection, handle, handle.point_mm + 2, planner.session.label_map)
    planner.hold(cut)
    settled(planner)
    assert len(planner.draft.sheet.triangles) < fine / 2
    planner.let_go()
    settled(planner)
    assert len(planner.draft.sheet.triangles) > fine / 2
    assert planner.session.current_plan.assessment == assess(
        planner.session.label_map, cut, margin_mm=5.0
    )


def test_cuts_come_and_go_without_a_layer_and_nobody_looks_elsewhere(planner, scene):
    viewer = planner.session.viewer
    looked, moved_layers = [], []
    for word in ("inserted", "removed"):
        getattr(viewer.layers.events, word).connect(lambda: moved_layers.append(True))
    planner.session.focus_changed.connect(looked.append)
    planner.session.focus((25.3, 10.1, 4.7))
    begin(planner, "plane")
    begin(planner, "curved")
    assert scene.specimen is not None
    planner.session.undo()
    planner.session.undo()
    assert scene.specimen is None
    assert len(looked) == 1
    assert not moved_layers


def test_the_tint_lies_on_the_slice_where_the_engine_resects(planner, scene):
    begin(planner, "plane")
    for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1)):
        view = ViewerModel(order=order)
        planner.session.shown.cross.join(view)
        view.dims.range = planner.session.viewer.dims.range
        planner.session.focus((-30.0, 6.0, 4.0))
        tint = scene.sketch(view).tint
        across, (down, wide) = order[0], view.dims.displayed
        rows, columns = np.nonzero(tint.rgba[..., 3])
        world = np.zeros((len(rows), 3))
        world[:, across] = view.dims.point[across]
        world[:, down] = tint.first_mm[0] + rows * tint.step_mm[0]
        world[:, wide] = tint.first_mm[1] + columns * tint.step_mm[1]
        assert len(rows) > 20
        resected = planner.draft.resection.distance_mm(to_world(world)) < 0
        assert resected.mean() > 0.97  # the grid's own slice lies a millimetre away
        label_map = planner.session.label_map
        index = np.round(label_map.geometry.to_index(to_world(world))).astype(int)
        assert (label_map.array[tuple(index.T)] > 0).mean() > 0.9
        planner.session.shown.cross.leave(view)


def test_line_and_tint_on_slices_have_eyes_of_their_own(planner, scene):
    begin(planner, "plane")
    view = planner.session.viewer
    scene.show_on_slices(line=False)
    assert not len(scene.sketch(view).triangles)
    assert scene.sketch(view).tint is not None
    scene.show_on_slices(line=True, tint=False)
    assert len(scene.sketch(view).triangles)
    assert scene.sketch(view).tint is None


def test_while_it_is_held_a_cut_is_drawn_in_3d_and_under_the_hand_and_then_everywhere(
    planner, scene
):
    begin(planner, "plane")
    drawn = []

    def drawing(name):
        return SimpleNamespace(show_cut=lambda _: drawn.append(name), show_solids=lambda _: None)

    cross = planner.session.shown.cross
    views = {
        "axial": ViewerModel(),
        "coronal": ViewerModel(order=(1, 0, 2)),
        "solid": ViewerModel(ndisplay=3),
    }
    cross.drawings.update({view: drawing(name) for name, view in views.items()})
    scene.hold_in(views["coronal"])
    cut = planner.draft.resection
    handle = scene.handles[0]
    planner.hold(moved(cut, handle, handle.point_mm + 2, planner.session.label_map))
    assert drawn == ["coronal", "solid"]
    drawn.clear()
    scene.catch_up()
    assert drawn == ["axial", "coronal", "solid"]
    drawn.clear()
    scene.catch_up()
    assert drawn == []
    planner.let_go()
    settled(planner)
    assert set(drawn) == set(views)


def test_an_undone_cut_comes_back_in_3d_first_and_everywhere_once_it_is_drawn_well(planner, scene):
    begin(planner, "plane")
    handle = scene.handles[0]
    away = handle.point_mm + 4
    planner.change(moved(planner.draft.resection, handle, away, planner.session.label_map))
    settled(planner)
    drawn = []

    def drawing(name):
        return SimpleNamespace(show_cut=lambda _: drawn.append(name), show_solids=lambda _: None)

    views = {"axial": ViewerModel(), "solid": ViewerModel(ndisplay=3)}
    cross = planner.session.shown.cross
    cross.drawings.update({view: drawing(name) for name, view in views.items()})
    planner.drawer.ask = lambda draft: None  # what it makes would come at any time
    planner.session.undo()
    assert drawn == ["solid"]
    drawn.clear()
    planner._show(planner.draft, planner._drawn(planner.draft))
    assert drawn == ["axial", "solid"]


def test_the_specimen_on_slices_is_what_the_engine_resects(planner, scene):
    begin(planner, "plane")
    resected, grid = planner.draft.resected, planner.grid
    truth = planner.draft.resection.distance_mm(grid.points_mm) < 0
    np.testing.assert_array_equal(resected, truth)
    bend = BezierResection.from_plane(
        planner.draft.resection.point_mm, planner.draft.resection.normal, size_mm=150
    )
    quick = resected_points(bend, cut_sheet(planner.prepared, bend), grid.points_mm)
    assert (quick == (bend.distance_mm(grid.points_mm) < 0)).mean() > 0.99


def test_handles_change_what_they_say(planner):
    label_map = planner.session.label_map
    plane = PlaneResection(point_mm=(0, 0, 0), normal=(1, 0, 0))
    middle, up, *_ = handles_of(plane, reach_mm=40)
    assert moved(plane, middle, np.array([5.0, 1, 2]), label_map).point_mm == (5, 1, 2)
    tilted = moved(plane, up, up.point_mm + np.array([10, 0, 0]), label_map, reach_mm=40)
    assert abs(tilted.distance_mm((up.point_mm + np.array([10, 0, 0]))[None])[0]) < 1e-9
    assert abs(tilted.distance_mm(np.zeros((1, 3)))[0]) < 1e-9
    path = FreehandResection(path_mm=np.array([[-50.0, 0, 0], [50, 0, 0]]), direction=(0, 0, -1))
    first = handles_of(path)[0]
    assert moved(path, first, np.array([-50.0, 9, 0]), label_map).path_mm[0, 1] == 9
    assert pulled(plane, np.zeros(3), np.array([3.0, 0, 0])).point_mm == (3, 0, 0)
    wedge = planner.start_of("wedge")
    out = handles_of(wedge)[0]
    centre = np.asarray(wedge.swept[0].centre_mm)
    turned = moved(wedge, out, centre + np.array([0, -90.0, 0]), label_map)
    np.testing.assert_allclose(turned.corridors[0].direction, (0, -1, 0), atol=1e-9)


class Mouse:
    """A drag as napari sends it."""

    def __init__(self, viewer, mouse: CutMouse) -> None:
        self.viewer, self.mouse = viewer, mouse

    def drag(self, *points_mm, direction=None) -> None:
        solid = direction is not None
        event = SimpleNamespace(
            button=1, type="mouse_press", dims_displayed=[0, 1, 2] if solid else [1, 2],
            view_direction=None if direction is None else to_world(direction),
            position=tuple(to_world(points_mm[0])),
        )  # fmt: skip
        steps = self.mouse.drag(self.viewer, event)
        next(steps)
        for point in points_mm[1:]:
            event.type, event.position = "mouse_move", tuple(to_world(point))
            next(steps)
        event.type = "mouse_release"
        assert next(steps, "over") == "over"


def test_a_handle_is_dragged_in_3d_in_the_plane_of_the_screen(planner, scene):
    begin(planner, "plane")
    viewer = planner.session.viewer
    mouse = Mouse(viewer, CutMouse(planner, scene, viewer))
    cut = planner.draft.resection
    start, ahead = np.asarray(cut.point_mm), np.asarray(cut.normal)
    aside = scene.handles[1].point_mm - start
    aside *= 7 / np.linalg.norm(aside)
    mouse.drag(start - 70 * ahead, start - 70 * ahead + aside, direction=ahead)
    settled(planner)
    np.testing.assert_allclose(
        planner.session.current_plan.resection.point_mm, start + aside, atol=1e-6
    )
    assert viewer.scene.camera.mouse_pan


def test_a_fold_is_refused_in_words_and_the_cut_stays(planner, scene):
    begin(planner, "curved")
    told = []
    planner.session.message.connect(told.append)
    viewer = planner.session.viewer
    mouse = Mouse(viewer, CutMouse(planner, scene, viewer))
    before = planner.draft.resection
    corner, other = before.control_points_mm[0, 0], before.control_points_mm[3, 3]
    ahead = np.cross(corner - other, before.control_points_mm[0, 3] - corner)
    ahead /= np.linalg.norm(ahead)
    mouse.drag(corner - 300 * ahead, 2.5 * other - 1.5 * corner - 300 * ahead, direction=ahead)
    assert planner.draft.resection is before
    assert any("fold" in sentence for sentence in told)


def test_a_vessel_clicked_is_a_territory(planner):
    clicks = PlanClicks(planner)
    clicks.start("territory")
    assert clicks.hint
    trees = {p.tree.system: p for p in planner.prepared.perfusions.each()}
    tree = trees["portal"].tree
    leaf = max(range(len(tree.branches)), key=lambda b: tree.branches[b].order)
    point = tree.branches[leaf].points_mm[-1]
    told = []
    planner.session.message.connect(told.append)
    used = clicks.click(Pointer(point_mm=point, direction=None, pixel_mm=1.0))
    settled(planner)
    assert used
    plan = planner.session.current_plan
    if plan is None:  # a straight tube has one branch only: nothing would stay
        assert "remnant" in told[0]
    else:
        assert isinstance(plan.resection, TerritoryResection)


@pytest.mark.parametrize("known", [True, False])
def test_a_branch_of_vessels_found_in_part_says_that_it_is_not_sure(planner, monkeypatch, known):
    monkeypatch.setattr("surgplan.planning._perfusion.LEAST_REACH_PERCENT", 0.0 if known else 100.1)
    clicks = PlanClicks(planner)
    clicks.start("territory")
    clicks.click(Pointer(point_mm=VESSEL_MM, direction=None, pixel_mm=1.0))
    settled(planner)
    plan = planner.session.current_plan
    assert isinstance(plan.resection, TerritoryResection)
    assert (DOUBTFUL in plan.why) is not known


@pytest.mark.parametrize(("beside_mm", "found"), [(8.0, True), (16.0, False)])
def test_a_click_just_beside_a_vessel_is_on_it(planner, beside_mm, found):
    told = []
    planner.session.message.connect(told.append)
    clicks = PlanClicks(planner)
    clicks.start("territory")
    ahead = np.array([0.0, 1.0, 0.0])
    point = VESSEL_MM - 300 * ahead + [0.0, 0.0, beside_mm]
    assert clicks._vessels()
    clicks.click(Pointer(point_mm=point, direction=ahead, pixel_mm=1.0))
    settled(planner)
    assert (planner.session.current_plan is not None) is found
    assert any("no vessel is there" in sentence for sentence in told) is not found


def test_points_clicked_on_the_liver_are_a_drawn_cut(planner):
    clicks = PlanClicks(planner)
    clicks.start("drawn")
    ahead = np.array([0.0, 1.0, 0.0])
    for x, z in ((5.0, 200.0), (0.0, 40.0), (0.0, -40.0)):
        clicks.click(Pointer(point_mm=np.array([x, -200, z]), direction=ahead, pixel_mm=1.0))
    settled(planner)
    plan = planner.session.current_plan
    assert len(clicks.path) == 2
    assert isinstance(plan.resection, FreehandResection)
    assert plan.assessment.tumours[0].resected
    np.testing.assert_allclose(plan.resection.direction, ahead)


def test_a_ray_meets_the_near_side_first(planner):
    liver = planner.session.surfaces[0]
    hit = first_hit([liver], np.array([3.0, 300, 2]), np.array([0.0, -1, 0]))
    back = first_hit([liver], np.array([3.0, 300, 2]), np.array([0.0, 1, 0]))
    assert hit.point_mm[1] == pytest.approx(60, abs=3)
    assert back.point_mm[1] == pytest.approx(-60, abs=3)
    assert first_hit([liver], np.array([200.0, 0, 0]), np.array([0.0, 1, 0])) is None


def test_the_line_on_a_slice_lies_on_slice_and_cut(planner):
    cut = PlaneResection(point_mm=(3, 0, 0), normal=(1, 0.5, 0.2))
    sheet = cut_sheet(planner.prepared, cut)
    ends, _ = crossing(sheet, 2, 7.25)
    assert len(ends) > 5
    assert (ends[:, :, 2] == 7.25).all()
    assert np.abs(cut.distance_mm(ends.reshape(-1, 3))).max() < 1e-6
    points, triangles, margins = ribbon(sheet, 2, 7.25, 2.0)
    assert (points[:, 2] == 7.25).all()
    assert len(margins) == len(points) == 2 * len(triangles)


def test_rows_repeat_the_numbers_of_the_assessment(planner):
    begin(planner, "plane")
    assessment = planner.session.current_plan.assessment
    rows = rows_of(planner.standing)
    values = [row.value for row in rows]
    assert assessment.remnant_functional_ml in values
    assert assessment.flr_percent in values
    for tumour in assessment.tumours:
        row = next(r for r in rows if r.point_mm == tumour.at_mm)
        assert row.value == tumour.margin_mm
    for vessel in assessment.vessels_cut:
        assert any(r.point_mm == vessel.point_mm and r.value == vessel.diameter_mm for r in rows)
    verdict = next(r for r in rows if "≥" in r.text)
    assert assessment.verdicts[0].source in verdict.tip


def test_the_headline_says_what_is_in_the_way(planner):
    label_map = planner.session.label_map
    cut = PlaneResection(point_mm=(-35, 10, 5), normal=(-1, 0, 0))
    told = headline(alone(plan_of(label_map, "through", cut)))
    assert not told.feasible
    assert "cut through" in told.text
    too_much = PlaneResection(point_mm=(60, 0, 0), normal=(-1, 0, 0))
    assert "at least 25 %" in headline(alone(plan_of(label_map, "much", too_much))).text


def test_plans_side_by_side(planner):
    plans = propose(planner.session.label_map, margin_mm=5.0, count=2)
    names, columns = compared(plans, [alone(plan) for plan in plans])
    assert len(columns) == len(plans) == 2
    assert all(len(c) == len(names) for c in columns)
    assert columns[0][1] == f"{plans[0].assessment.remnant_functional_ml:.0f}"


def test_the_map_shows_margins_and_vessels_in_their_colours(planner):
    sheet = cut_sheet(planner.prepared, PlaneResection(point_mm=(0, 0, 0), normal=(-1, 0, 0)))
    picture = picture_of(sheet, planner.session.label_map)
    shown = {tuple(c) for c in picture.rgba[picture.map.on_cut][:, :3].tolist()}
    portal = next(s for s in planner.session.label_map.segments if s.label == 3)
    assert tuple(portal.colour) in shown
    assert tuple(round(255 * c) for c in BANDS[3].colour) in shown
    assert (picture.rgba[~picture.map.on_cut] == 0).all()


def test_bands_begin_where_their_words_say():
    assert band_of(np.array([0, 0.99, 1, 4.99, 5, 10, np.inf])).tolist() == [0, 0, 1, 1, 2, 3, 3]


def test_only_the_newest_request_is_worked_on():
    go, done = threading.Event(), []
    newest = Newest(lambda n: go.wait(5) and n)
    newest.done.connect(lambda asked, _: done.append(asked))
    for number in range(5):
        newest.ask(number)
        time.sleep(0.02)
    go.set()
    end = time.monotonic() + 5
    while newest.busy and time.monotonic() < end:
        time.sleep(0.005)
    assert done == [0, 4]


def test_parts_of_a_map_stand_in_rows_and_keep_their_shape(planner):
    sheet = cut_sheet(planner.prepared, PlaneResection(point_mm=(0, 0, 0), normal=(-1, 0, 0)))
    step = np.ptp(sheet.flat_mm[:, 0]) + 8.0
    count, points = 5, len(sheet.points_mm)
    row = CutSheet(
        points_mm=np.tile(sheet.points_mm, (count, 1)),
        triangles=np.concatenate([sheet.triangles + n * points for n in range(count)]),
        flat_mm=np.concatenate([sheet.flat_mm + np.array([n * step, 0]) for n in range(count)]),
        margin_mm=np.tile(sheet.margin_mm, count),
    )
    wide, tall = np.ptp(in_rows(row).flat_mm, axis=0)
    assert max(wide, tall) < 0.75 * np.ptp(row.flat_mm[:, 0])
    moves = (in_rows(row).flat_mm - row.flat_mm).reshape(count, points, 2)
    np.testing.assert_allclose(moves, np.repeat(moves[:, :1], points, axis=1), atol=1e-9)
    flat = in_rows(row).flat_mm.reshape(count, points, 2)
    for one in range(count):
        for other in range(one):
            apart = np.maximum(
                flat[one].min(axis=0) - flat[other].max(axis=0),
                flat[other].min(axis=0) - flat[one].max(axis=0),
            )
            assert apart.max() > 7.9
    alone_again = in_rows(sheet).flat_mm - sheet.flat_mm
    np.testing.assert_allclose(alone_again, np.tile(alone_again[0], (points, 1)), atol=1e-9)


def test_what_must_be_read_takes_as_many_lines_as_it_needs():
    from napari_surgplan._plan_rows import Row
    from napari_surgplan._plan_table import lines_of

    short = Row(group="Remnant", name="FLR of the liver " * 5, text="23.1 %")
    assert lines_of(short) == [short]
    sentence = (
        "The second operation counts on a remnant that grows from 23.1 to 32.0 % of the liver."
    )
    flag = Row(group="Read first", name=sentence, text="", state="bad")
    lines = lines_of(flag)
    assert len(lines) == 2
    assert " ".join(line.name.strip() for line in lines) == sentence
    assert lines[1].name.startswith(" ")
    assert all(len(line.name) <= 56 for line in lines)
    assert sentence in lines[1].tip
