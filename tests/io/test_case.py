import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import surgplan
from surgplan.errors import (
    CorruptFileError,
    NothingToDoError,
    OutputError,
    ScanMismatchError,
)
from surgplan.io import Case, write_label_map, write_scalar_map, write_volume
from surgplan.volume import LIVER, Geometry, LabelMap, Volume

GRID = Geometry.from_spacing(shape=(4, 5, 6), spacing_mm=(2.5, 0.8, 0.7))


def a_scan():
    array = np.arange(-1000, -880, dtype=np.int16).reshape(GRID.shape)
    return Volume(array=array, geometry=GRID, modality="CT")


def labels():
    array = np.zeros(GRID.shape, dtype=np.uint8)
    array[1:3] = 1
    return LabelMap(array=array, geometry=GRID, segments=(LIVER,))


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_volume(a_scan(), path)
    return path


@pytest.fixture
def case(tmp_path, scan):
    return Case.create(tmp_path / "case", inputs={"scan": scan}, model={"name": "m", "sha256": "0"})


def do(case, name="image", text="one", *, file="image.nii.gz", **keywords):
    with case.stage(name, **keywords) as stage:
        stage.path(file).write_text(text)


def files(case):
    return sorted(p.relative_to(case.folder).as_posix() for p in case.folder.rglob("*"))


def test_a_new_case_says_what_it_is_made_of(case, scan):
    manifest = json.loads((case.folder / "case.json").read_text())
    assert manifest["schema_version"] == 1
    assert manifest["notice"] == surgplan.NOT_A_MEDICAL_DEVICE
    assert manifest["software"]["surgplan"] == surgplan.__version__
    assert manifest["model"] == {"name": "m", "sha256": "0"}
    (given,) = manifest["inputs"]
    assert (given["role"], given["name"], given["files"]) == ("scan", "scan.nii.gz", 1)
    assert given["bytes"] == scan.stat().st_size
    assert given["sha256"] == hashlib.sha256(scan.read_bytes()).hexdigest()
    assert manifest["stages"] == {}


def test_two_cases_of_one_scan_are_the_same_bytes(case, scan, tmp_path):
    other = Case.create(
        tmp_path / "other", inputs={"scan": scan}, model={"name": "m", "sha256": "0"}
    )
    for one in (case, other):
        do(one, settings={"margin_mm": 10.0})
    assert (case.folder / "case.json").read_bytes() == (other.folder / "case.json").read_bytes()


def test_a_folder_is_known_by_what_is_in_it_whatever_the_names(tmp_path):
    for name, first, second in (("a", "1", "2"), ("b", "x", "y")):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / first).write_text("slice one")
        (tmp_path / name / "sub" / second).write_text("slice two")
    Case.create(tmp_path / "case", inputs={"scan": tmp_path / "a"})
    Case.create(tmp_path / "case", inputs={"scan": tmp_path / "b"}, resume=True)
    (tmp_path / "b" / "x").write_text("slice three")
    with pytest.raises(ScanMismatchError, match=r"made of another scan \(a\), not of b"):
        Case.create(tmp_path / "case", inputs={"scan": tmp_path / "b"}, resume=True)


def test_folders_that_hold_other_things_are_left_alone(tmp_path, scan):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.docx").write_text("")
    for resume in (False, True):
        with pytest.raises(OutputError, match="not empty and no case; name a new folder"):
            Case.create(tmp_path / "full", inputs={"scan": scan}, resume=resume)
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["thesis.docx"]
    with pytest.raises(OutputError, match="is a file"):
        Case.create(scan, inputs={"scan": scan})


def test_an_existing_case_is_continued_only_when_asked(case, scan):
    with pytest.raises(OutputError, match="a case already; go on with `resume=True`"):
        Case.create(case.folder, inputs={"scan": scan})
    do(case)
    again = Case.create(case.folder, inputs={"scan": scan}, resume=True)
    assert again.is_done("image")


def test_another_scan_or_missing_labels_do_not_continue_a_case(case, scan, tmp_path):
    other = tmp_path / "other.nii.gz"
    other.write_bytes(b"another scan")
    with pytest.raises(ScanMismatchError, match="another scan"):
        Case.create(case.folder, inputs={"scan": other}, resume=True)
    with pytest.raises(ScanMismatchError, match="another labels"):
        Case.create(case.folder, inputs={"scan": scan, "labels": other}, resume=True)
    with_labels = {"scan": scan, "labels": other}
    Case.create(tmp_path / "two", inputs=with_labels)
    with pytest.raises(ScanMismatchError, match="made with labels given"):
        Case.create(tmp_path / "two", inputs={"scan": scan}, resume=True)
    with pytest.raises(ScanMismatchError, match="another scan"):
        Case.open(case.folder, scan=other)
    Case.open(case.folder, scan=scan)


def test_a_missing_input_makes_no_case(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        with pytest.raises(NothingToDoError, match="no input at"):
            Case.create(tmp_path / "case", inputs={"scan": tmp_path / name})
    assert not (tmp_path / "case").exists()


def test_a_case_that_cannot_be_written_is_an_output_error(tmp_path, scan):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        Case.create(tmp_path / "file" / "case", inputs={"scan": scan})


# stages


def test_files_appear_when_the_stage_has_ended(case):
    with case.stage("surfaces") as stage:
        stage.path("surfaces/liver.stl").write_text("solid")
        stage.path("scene.glb").write_text("glTF")
        stage.facts["triangles"] = 12
        assert not case.scene_path.exists()
        assert case.manifest["stages"]["surfaces"]["state"] == "running"
    assert files(case) == ["case.json", "scene.glb", "surfaces", "surfaces/liver.stl"]
    record = case.manifest["stages"]["surfaces"]
    assert record["state"] == "done"
    assert set(record["outputs"]) == {"scene.glb", "surfaces/liver.stl"}
    assert case.facts("surfaces") == {"triangles": 12}
    assert case.is_done("surfaces")


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_failed_stage_leaves_nothing_and_is_done_again(case, problem):
    def fail():
        with case.stage("image") as stage:
            stage.path("image.nii.gz").write_text("half")
            raise problem

    with pytest.raises(problem):
        fail()
    assert files(case) == ["case.json"]
    assert not case.is_done("image")
    assert case.facts("image") == {}
    do(case)
    assert case.is_done("image")


def test_a_stage_is_done_only_with_the_same_settings_version_and_needed_files(case, monkeypatch):
    do(case)
    keywords = {"settings": {"margin_mm": 10.0, "sizes": (1, 2)}, "needs": ["image.nii.gz"]}
    do(case, "plans", file="plans/1.json", **keywords)
    assert case.is_done("plans", **keywords)
    assert not case.is_done("plans", settings={"margin_mm": 5.0}, needs=["image.nii.gz"])
    assert not case.is_done("plans", settings=keywords["settings"])
    do(case, text="another")
    assert not case.is_done("plans", **keywords), "what it needed has changed"
    do(case, "plans", file="plans/1.json", **keywords)
    assert case.is_done("plans", **keywords)
    monkeypatch.setattr("surgplan.io._case.__version__", "99")
    assert not case.is_done("plans", **keywords)


def test_a_stage_is_not_done_when_its_files_are_missing_or_changed(case):
    do(case)
    case.image_path.write_text("edited")
    assert not case.is_done("image")
    case.image_path.unlink()
    assert not case.is_done("image")
    do(case)
    assert case.is_done("image")


def test_what_was_edited_by_hand_is_never_overwritten(case):
    do(case)
    case.image_path.write_text("an hour of work by hand")
    with pytest.raises(CorruptFileError, match="changed after surgplan wrote it; move it away"):
        do(case, text="two")
    assert case.image_path.read_text() == "an hour of work by hand"


def test_files_that_a_stage_no_longer_writes_are_removed(case):
    do(case, "plans", file="plans/3.json")
    do(case, "report", file="report.html")
    do(case, "plans", file="plans/1.json")
    assert [p.name for p in case.plan_paths()] == ["1.json"]
    assert case.report_path.exists(), "files of other stages stay"


def test_a_needed_file_that_is_missing_stops_the_stage(case):
    with pytest.raises(NothingToDoError, match=r"plans needs .*labels.nii.gz, which is not there"):
        do(case, "plans", needs=["labels.nii.gz"])


def test_a_full_disk_while_publishing_leaves_the_stage_undone(case, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        do(case)
    assert files(case) == ["case.json"]
    assert not case.is_done("image")


def test_plans_are_listed_without_their_markups(case):
    with case.stage("plans") as stage:
        for name in ("b.json", "a.json", "a.mrk.json"):
            stage.path(f"plans/{name}").write_text("{}")
    assert [p.name for p in case.plan_paths()] == ["a.json", "b.json"]


# images


def test_images_go_there_and_back(case):
    confidence = np.linspace(0, 1, 120, dtype=np.float32).reshape(GRID.shape)
    assert case.read_confidence() is None
    with case.stage("all") as stage:
        write_volume(a_scan(), stage.path("image.nii.gz"))
        write_label_map(labels(), stage.path("labels.nii.gz"))
        write_scalar_map(confidence, GRID, stage.path("confidence.nii.gz"), what="confidence")
    assert case.read_image().fingerprint() == a_scan().fingerprint()
    assert case.read_labels() == labels()
    values, place = case.read_confidence()
    assert np.array_equal(values, confidence)
    assert place == GRID


# opening


def test_opening_verifies_every_file(case):
    do(case)
    do(case, "report", file="report.html")
    assert Case.open(case.folder) == case
    case.image_path.write_text("edited")
    with pytest.raises(CorruptFileError, match=r"image.nii.gz was changed after surgplan wrote it"):
        Case.open(case.folder)
    case.image_path.unlink()
    with pytest.raises(CorruptFileError, match=r"lacks image.nii.gz of its image"):
        Case.open(case.folder)


def test_what_is_no_case_is_nothing_to_do(tmp_path):
    with pytest.raises(NothingToDoError, match="is no case"):
        Case.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "something"}, "does not describe a surgplan case"),
        ({"schema_version": 2}, "has version 2, this surgplan reads 1"),
        ({"stages": []}, "incomplete or was changed by hand"),
        ({"stages": {"a": {"state": "done"}}}, "incomplete or was changed by hand"),
        ({"inputs": [{"role": "scan"}]}, "incomplete or was changed by hand"),
    ],
)
def test_a_manifest_of_another_form_is_refused(case, change, words):
    path = case.folder / "case.json"
    path.write_text(json.dumps(case.manifest | change))
    with pytest.raises(CorruptFileError, match=words):
        Case.open(case.folder)


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "plans/../../secret"])
def test_a_manifest_that_points_out_of_its_folder_is_refused(case, file):
    do(case)
    manifest = case.manifest
    manifest["stages"]["image"]["outputs"] = {file: "0"}
    (case.folder / "case.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptFileError, match="changed by hand"):
        do(case)


@pytest.mark.parametrize("content", ["", "{", "[]", '"case"', '{"schema": "surgplan case"}'])
def test_a_damaged_manifest_is_refused(case, content):
    (case.folder / "case.json").write_text(content)
    with pytest.raises(CorruptFileError):
        Case.open(case.folder)


# interruption

KILLED = """\
import sys, time
from surgplan.io import Case
case = Case.create(sys.argv[1], inputs={"scan": sys.argv[2]})
with case.stage("image") as stage:
    stage.path("image.nii.gz").write_text("one")
with case.stage("plans") as stage:
    stage.path("plans/1.json").write_text("half")
    (case.folder / "plans").mkdir()
    (case.folder / "plans" / ".0123456789ab.2.json").write_text("half")
    print("working", flush=True)
    time.sleep(60)
"""


def test_a_killed_run_is_taken_up_where_it_was(tmp_path, scan):
    folder = tmp_path / "case"
    command = [sys.executable, "-c", KILLED, str(folder), str(scan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout.readline() == b"working\n"
        process.kill()
    case = Case.create(folder, inputs={"scan": scan}, resume=True)
    assert files(case) == ["case.json", "image.nii.gz", "plans"], "leftovers are gone"
    assert case.manifest["stages"]["plans"]["state"] == "running"
    assert case.is_done("image")
    assert not case.is_done("plans")
    do(case, "plans", file="plans/1.json")
    assert Case.open(folder).is_done("plans")
