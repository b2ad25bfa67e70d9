"""A session without a window: open, change, undo, save, come back after a crash."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_surgplan._eyes import SCAN, STRUCTURES, role_of
from napari_surgplan._history import STEPS, History
from napari_surgplan._session import Session
from napari_surgplan._shown import NEEDED
from napari_surgplan._state import State
from surgplan.errors import GeometryMismatchError, NothingToDoError, ScanMismatchError
from surgplan.io import Case, read_label_map
from surgplan.mesh import reconstruct_all
from surgplan.planning import Plan, PlaneResection, assess
from surgplan.volume import LIVER_TUMOUR

from .conftest import make_body


def plan_of(label_map, name: str, x: float = -10.0) -> Plan:
    cut = PlaneResection(point_mm=(x, 0, 0), normal=(1, 0, 0))
    return Plan(
        name=name,
        resection=cut,
        assessment=assess(label_map, cut, margin_mm=5),
        labels_fingerprint=label_map.fingerprint(),
    )


def test_layers_carry_millimetres_roles_and_uint8_labels(session, body) -> None:
    layers = session.viewer.layers
    roles = [role_of(x) for x in layers]
    assert roles == [SCAN, STRUCTURES]
    assert sorted(session.shown.solids.keys()) == [1, 2, 3, 4]
    assert all(str(u) == "millimeter" for x in layers for u in x.units)
    structures = session.shown.layer(STRUCTURES)
    assert structures.data.dtype == np.uint8
    world = structures.data_to_world((3, 4, 5))
    np.testing.assert_allclose(body[1].geometry.to_lps((3, 4, 5))[::-1], world)
    assert str(layers[0].axis_labels) == "('z', 'y', 'x')"


def test_surfaces_are_those_of_the_engine(session, body) -> None:
    wanted = reconstruct_all(body[1], triangles=60_000)
    assert list(session.surfaces) == list(wanted)


def test_a_plan_of_labels_that_were_changed_since_is_refused(session, body) -> None:
    session.put_plan(plan_of(body[1], "left"))
    array = np.array(body[1].array)
    array[13, 20, 30] = LIVER_TUMOUR.label
    session.set_labels(body[1].with_array(array), surfaces=session.surfaces)
    with pytest.raises(ScanMismatchError, match="other labels"):
        session.put_plan(plan_of(body[1], "again"))
    session.put_plan(plan_of(session.label_map, "again"))
    assert session.current_plan.name == "again"


def test_an_edit_changes_only_what_it_touches_and_judges_plans_again(session, body) -> None:
    session.put_plan(plan_of(body[1], "left"))
    before = {s.segment.label: s for s in session.surfaces}
    flr = session.current_plan.assessment.flr_percent
    array = np.array(body[1].array)
    array[body[1].mask(LIVER_TUMOUR)] = 1
    array[13:15, 18:22, 18:22] = LIVER_TUMOUR.label
    session.set_labels(body[1].with_array(array))
    after = {s.segment.label: s for s in session.surfaces}
    assert after[4] is before[4]
    assert after[2] is not before[2]
    plan = session.current_plan
    assert plan.labels_fingerprint == session.label_map.fingerprint()
    assert plan.assessment == assess(session.label_map, plan.resection, margin_mm=5)
    assert plan.assessment.flr_percent != flr
    session.undo()
    assert session.label_map == body[1]
    assert session.current_plan.assessment.flr_percent == flr
    session.redo()
    assert np.array_equal(session.label_map.array, array)


def test_plans_on_other_labels_and_labels_on_other_grids_are_refused(session, body) -> None:
    other = make_body(tilt_degrees=5)[1]
    with pytest.raises(ScanMismatchError, match="other labels"):
        session.put_plan(plan_of(other, "foreign"))
    with pytest.raises(ScanMismatchError, match="grid of the scan"):
        session.set_labels(other)
    assert session.plans == ()
    assert session.label_map == body[1]


def test_a_segmentation_needs_its_scan(files) -> None:
    with pytest.raises(NothingToDoError, match="open the scan first"):
        Session().open(files / "labels.seg.nrrd")


def test_labels_of_another_scan_are_refused(session, tmp_path) -> None:
    from surgplan.io import write_label_map

    write_label_map(make_body(spacing=(5.0, 4.0, 4.0))[1], tmp_path / "other.seg.nrrd")
    with pytest.raises(GeometryMismatchError, match="another grid"):
        session.open(tmp_path / "other.seg.nrrd")


def test_a_hundred_steps_lead_back_and_forward_again(session, body) -> None:
    plan = plan_of(body[1], "left")
    for number in range(STEPS + 3):
        session.put_plan(replace(plan, why=str(number)))
    assert session.history.steps == (STEPS, 0)
    for number in reversed(range(2, STEPS + 2)):
        assert session.undo()
        assert session.current_plan.why == str(number)
    assert not session.undo()
    while session.redo():
        pass
    assert session.current_plan.why == str(STEPS + 2)


def test_history_keeps_label_maps_small_and_exact(body) -> None:
    history = History()
    maps = [body[1].with_array(np.roll(body[1].array, n, axis=2)) for n in range(5)]
    states = [State(label_map=m) for m in maps]
    for state in states[:-1]:
        history.push(state)
    now = states[-1]
    for wanted in reversed(maps[:-1]):
        now = history.back(now)
        assert now.label_map == wanted
    assert history.back(now) is None


def test_every_change_is_on_the_disk_and_comes_back(session, body) -> None:
    session.put_plan(plan_of(body[1], "left"))
    session.put_plan(plan_of(body[1], "right", x=20.0))
    session.choose_plan("left")
    session.autosave.wait()
    case = Case.open(session.case.folder)
    assert read_label_map(case.labels_path) == body[1]
    again = Session(ViewerModel())
    again.open(case.folder)
    assert [p.name for p in again.plans] == ["left", "right"]
    assert again.plans == session.plans
    assert [s.volume_ml for s in again.surfaces] == pytest.approx(
        [s.volume_ml for s in session.surfaces], rel=1e-4
    )
    before = case.manifest
    again.close()
    assert case.manifest == before  # opening writes nothing


def test_another_scan_takes_the_place_of_all_that_was(session, body, files) -> None:
    session.put_plan(plan_of(body[1], "left"))
    told: list[str] = []
    for name in ("scan_changed", "labels_changed", "plans_changed"):
        getattr(session, name).connect(lambda name=name: told.append(name))
    session.open(files / "scan.nii.gz")
    assert told == ["scan_changed", "labels_changed", "plans_changed"]
    assert (session.label_map, session.plans, session.surfaces) == (None, (), ())
    assert [role_of(x) for x in session.viewer.layers] == [SCAN]
    assert not session.undo()


CRASH = """
import os, signal, sys
sys.path[:0] = {paths!r}
import napari_surgplan._autosave as autosave
from pathlib import Path
autosave.user_data_path = lambda *a, **k: Path({home!r})
from dataclasses import replace
from napari_surgplan._session import Session
from napari_surgplan._shown import NEEDED
from surgplan.planning import Plan, PlaneResection, assess
session = Session()
session.open({scan!r})
session.open({labels!r})
cut = PlaneResection(point_mm=(-10, 0, 0), normal=(1, 0, 0))
plan = Plan(
    name="left", resection=cut, assessment=assess(session.label_map, cut, margin_mm=5),
    labels_fingerprint=session.label_map.fingerprint(),
)
for number in range(4):
    session.autosave.wait()
    session.put_plan(replace(plan, why=str(number)))
    print(session.case.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_kill_9_at_most_the_last_action_is_lost(files, tmp_path) -> None:
    code = textwrap.dedent(CRASH).format(
        paths=[p for p in sys.path if p],
        home=str(tmp_path / "data"),
        scan=str(files / "scan.nii.gz"),
        labels=str(files / "labels.seg.nrrd"),
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder = done.stdout.splitlines()[-1]
    session = Session()
    session.open(folder)
    assert session.plans[0].why in ("2", "3")
    assert session.label_map is not None
    session.close()


def test_a_plan_saved_before_the_labels_is_judged_anew(session, body) -> None:
    session.put_plan(plan_of(body[1], "left"))
    session.autosave.wait()
    case = session.case
    changed = np.array(body[1].array)
    changed[13, 20, 24] = LIVER_TUMOUR.label
    with case.stage("labels", needs=("image.nii.gz",)) as stage:  # and then the power failed
        from surgplan.io import write_label_map

        write_label_map(body[1].with_array(changed), stage.path("labels.nii.gz"))
    again = Session()
    again.open(case.folder)
    (plan,) = again.plans
    assert plan.labels_fingerprint == again.label_map.fingerprint()
    assert plan.assessment == assess(again.label_map, plan.resection, margin_mm=5)
    assert [s.segment.label for s in again.surfaces] == [1, 2, 3, 4]
    again.close()


def test_what_cannot_be_saved_is_told(session, body, monkeypatch) -> None:
    from surgplan.errors import OutputError

    def full(*_, **__):
        msg = "cannot write: no room"
        raise OutputError(msg)

    told: list[str] = []
    session.message.connect(told.append)
    session.autosave.wait()
    monkeypatch.setattr("napari_surgplan._autosave.save", full)
    session.put_plan(plan_of(body[1], "left"))
    session.autosave.wait()
    assert told == ["Not saved: cannot write: no room. Export the case to another folder to keep "
                    "your work."]  # fmt: skip
    assert session.current_plan.name == "left"


def test_a_layer_that_the_case_needs_comes_back(session) -> None:
    told = []
    session.message.connect(told.append)
    layers = session.viewer.layers
    for name in ("structures", "CT scan"):
        layers.remove(name)
        assert {layer.name for layer in layers} == {"structures", "CT scan"}
    assert told == [NEEDED, NEEDED]
    session.undo()
    assert [layer.name for layer in layers] == ["CT scan"]
    session.redo()
    assert {layer.name for layer in layers} == {"structures", "CT scan"}
    assert len(told) == 2


def test_another_scan_says_where_the_case_before_is_kept(session, files) -> None:
    session.autosave.wait()
    told, before = [], session.case.folder
    session.message.connect(told.append)
    session.open(files / "scan.nii.gz")
    assert told == [f"The case before is kept in {before}."]
