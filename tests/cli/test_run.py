"""From a scan with labels to a complete case, interrupted, resumed and changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import surgplan
import surgplan.planning
import surgplan.report
from surgplan.io import Case, write_json, write_label_map, write_volume
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    crop,
    label_map_from_masks,
    reorient,
)

STAGES = ["image", "labels", "surfaces", "couinaud", "plans", "report"]


def _words(inputs: Path, case: Path) -> list[str | Path]:
    return ["run", inputs / "scan.nii.gz", case, "--labels", inputs / "labels.nii.gz", "--json"]


@pytest.fixture
def quick_report(monkeypatch) -> None:
    """A page without pictures: those of `made` are real and take most of the time of a run."""

    def write(report: surgplan.report.ReportInput, folder: Path) -> None:
        (folder / "report.html").write_text(", ".join(p.name for p in report.plans))
        write_json({"plans": len(report.plans)}, folder / "report.json")

    monkeypatch.setattr(surgplan.report, "write_report", write)


def _files(case: Path) -> dict[str, tuple[int, bytes]]:
    found = (p for p in case.rglob("*") if p.is_file() and p.name != "case.json")
    return {str(p.relative_to(case)): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def test_a_case_is_complete(made, body) -> None:
    files = set(_files(made))
    assert {
        "image.nii.gz",
        "labels.nii.gz",
        "labels.seg.nrrd",
        "scene.glb",
        "report.html",
        "report.json",
        "surfaces/01_liver.stl",
        "surfaces/02_liver_tumour.stl",
        "surfaces/03_portal_vein.stl",
        "surfaces/04_hepatic_veins.stl",
    } <= files
    plans = [f for f in files if f.startswith("plans/") and not f.endswith(".mrk.json")]
    assert len(plans) == 3
    assert all(f.replace(".json", ".mrk.json") in files for f in plans)
    assert "confidence.nii.gz" not in files
    volume, label_map = body
    case = Case.open(made)
    assert case.read_image().fingerprint() == volume.fingerprint()
    np.testing.assert_array_equal(case.read_labels().array, label_map.array)
    assert surgplan.NOT_A_MEDICAL_DEVICE in (made / "report.html").read_text()


def test_a_second_run_does_nothing_again(surgplan_cli, inputs, case, body) -> None:
    before = _files(case)
    told = surgplan_cli(*_words(inputs, case))
    assert told.code == 0, told.err
    assert told.answer["stages"] == dict.fromkeys(STAGES, "kept")
    assert _files(case) == before
    _, label_map = body
    tumour = next(s for s in told.answer["structures"] if s["name"] == "liver tumour")
    assert tumour["volume_ml"] == pytest.approx(label_map.volume_ml(LIVER_TUMOUR), abs=1e-3)
    best = told.answer["plans"][0]
    assert best["clears_tumours"]
    assert best["smallest_margin_mm"] >= 10
    assert best["flr_percent"] == max(p["flr_percent"] for p in told.answer["plans"])


@pytest.mark.usefixtures("quick_report")
def test_only_what_depends_on_a_changed_wish_is_done_again(surgplan_cli, inputs, case) -> None:
    told = surgplan_cli(*_words(inputs, case), "--margin-mm", "5")
    assert told.code == 0, told.err
    kept = dict.fromkeys(("image", "labels", "surfaces", "couinaud"), "kept")
    assert told.answer["stages"] == {**kept, "plans": "done", "report": "done"}
    assert 5 <= told.answer["plans"][0]["smallest_margin_mm"] < 10
    assert json.loads((case / "report.json").read_text())["plans"]


@pytest.mark.usefixtures("quick_report")
def test_an_interrupted_run_goes_on_where_it_stopped(
    surgplan_cli, inputs, tmp_path, monkeypatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    case = tmp_path / "case"
    with monkeypatch.context() as patch:
        patch.setattr(surgplan.planning, "propose", interrupted)
        told = surgplan_cli(*_words(inputs, case))
    assert told.code == 130
    assert "again" in told.error
    assert not (case / "plans").exists()
    assert not (case / "report.html").exists()
    told = surgplan_cli(*_words(inputs, case))
    assert told.code == 0, told.err
    kept = dict.fromkeys(("image", "labels", "surfaces", "couinaud"), "kept")
    assert told.answer["stages"] == {**kept, "plans": "done", "report": "done"}
    assert [p.name for p in case.iterdir() if p.name.startswith(".")] == []


@pytest.mark.usefixtures("quick_report")
def test_force_does_everything_again_with_the_same_result(surgplan_cli, inputs, case) -> None:
    before = _files(case)
    told = surgplan_cli(*_words(inputs, case), "--force")
    assert told.answer["stages"] == dict.fromkeys(STAGES, "done")
    after = _files(case)
    assert set(after) == set(before)
    for name in ("labels.nii.gz", "image.nii.gz", "scene.glb", "surfaces/01_liver.stl"):
        assert after[name][1] == before[name][1], name


def test_another_scan_is_refused(surgplan_cli, inputs, case, tmp_path, body) -> None:
    volume, _ = body
    write_volume(volume.with_array(volume.array + np.int16(1)), tmp_path / "scan.nii.gz")
    before = _files(case)
    words = _words(inputs, case)
    told = surgplan_cli(words[0], tmp_path / "scan.nii.gz", *words[2:])
    assert (told.code, told.answer["error"]) == (3, "ScanMismatchError")
    assert _files(case) == before


@pytest.mark.usefixtures("quick_report")
def test_labels_with_turned_axes_fit_as_they_are(surgplan_cli, inputs, tmp_path, body) -> None:
    volume, label_map = body
    write_label_map(reorient(label_map, "RAI"), tmp_path / "labels.nii.gz")
    told = surgplan_cli(
        "run", inputs / "scan.nii.gz", tmp_path / "case", "--labels", tmp_path / "labels.nii.gz",
        "--count", "1", "--json",
    )  # fmt: skip
    assert told.code == 0, told.err
    found = Case.open(tmp_path / "case").read_labels()
    np.testing.assert_array_equal(found.array, label_map.array)
    assert found.geometry == volume.geometry


@pytest.mark.usefixtures("quick_report")
def test_vessels_of_both_systems_in_one_mask_are_told_apart(
    surgplan_cli, inputs, tmp_path, body
) -> None:
    _, label_map = body
    both = np.isin(label_map.array, (PORTAL_VEIN.label, HEPATIC_VEINS.label))
    known = label_map.array.copy()
    for segment in (PORTAL_VEIN, HEPATIC_VEINS):  # a third of each is labelled as what it is
        index = np.argwhere(label_map.mask(segment))
        rest = index[len(index) // 3 :]
        known[tuple(rest.T)] = LIVER.label
    write_label_map(replace(label_map, array=known), tmp_path / "labels.nii.gz")
    mask = label_map_from_masks([(PORTAL_VEIN, both)], label_map.geometry)
    write_label_map(reorient(mask, "RAI"), tmp_path / "vessels.nii.gz")
    words = ["run", inputs / "scan.nii.gz", tmp_path / "case", "--count", "1", "--json"]
    words += ["--merged-vessels", tmp_path / "vessels.nii.gz"]
    assert surgplan_cli(*words).code == 2
    told = surgplan_cli(*words, "--labels", tmp_path / "labels.nii.gz")
    assert told.code == 0, told.err
    case = Case.open(tmp_path / "case")
    np.testing.assert_array_equal(case.read_labels().array, label_map.array)
    assert {i["role"] for i in case.manifest["inputs"]} == {"scan", "labels", "vessels"}


@pytest.mark.usefixtures("quick_report")
def test_vessels_of_both_systems_under_one_number_are_told_apart(
    surgplan_cli, inputs, tmp_path, body
) -> None:
    _, label_map = body
    both = replace(
        PORTAL_VEIN, label=99, name="liver vessels", code=replace(PORTAL_VEIN.code, value="both")
    )
    array = label_map.array.copy()
    for segment in (PORTAL_VEIN, HEPATIC_VEINS):  # a third of each is labelled as what it is
        index = np.argwhere(label_map.mask(segment))
        array[tuple(index[len(index) // 3 :].T)] = both.label
    merged = replace(label_map, array=array, segments=(*label_map.segments, both))
    write_label_map(merged, tmp_path / "labels.nii.gz")
    table: dict[str, object] = {s.name: s.label for s in label_map.segments}
    table[both.name] = {"label": both.label, "structure": "ignore"}
    (tmp_path / "names.json").write_text(json.dumps(table), encoding="utf-8")
    words = ["run", inputs / "scan.nii.gz", tmp_path / "case", "--count", "1", "--json"]
    words += ["--labels", tmp_path / "labels.nii.gz", "--label-names", tmp_path / "names.json"]
    refused = surgplan_cli(*words, "--merged-vessels", str(PORTAL_VEIN.label))
    assert refused.code == 3
    assert "ignore" in refused.error
    assert surgplan_cli(*words, "--merged-vessels", "77").code != 0
    done = surgplan_cli(*words, "--merged-vessels", "99")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(Case.open(tmp_path / "case").read_labels().array, label_map.array)


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.usefixtures("quick_report")
def test_labels_on_another_grid(surgplan_cli, inputs, tmp_path, allowed, body) -> None:
    _, label_map = body
    smaller = crop(label_map, (slice(1, 15), slice(2, 22), slice(1, 26)))
    assert smaller.volume_ml(LIVER) == label_map.volume_ml(LIVER)
    write_label_map(smaller, tmp_path / "labels.nii.gz")
    told = surgplan_cli(
        "run", inputs / "scan.nii.gz", tmp_path / "case", "--labels", tmp_path / "labels.nii.gz",
        "--count", "1", "--json", *(["--allow-resample"] if allowed else []),
    )  # fmt: skip
    if allowed:
        assert told.code == 0, told.err
        found = Case.open(tmp_path / "case").read_labels()
        np.testing.assert_array_equal(found.array, label_map.array)
    else:
        assert (told.code, told.answer["error"]) == (2, "GeometryMismatchError")
        assert "--allow-resample" in told.error
        assert not (tmp_path / "case").exists()


def test_labels_of_another_patient_are_refused_even_when_resampling(
    surgplan_cli, inputs, tmp_path, body
) -> None:
    _, label_map = body
    far = label_map.geometry.affine.copy()
    far[:3, 3] += (0, 60, 0)
    moved = LabelMap(
        array=label_map.array,
        geometry=Geometry(shape=label_map.geometry.shape, affine=far),
        segments=label_map.segments,
    )
    write_label_map(moved, tmp_path / "labels.nii.gz")
    told = surgplan_cli(
        "run", inputs / "scan.nii.gz", tmp_path / "case", "--labels", tmp_path / "labels.nii.gz",
        "--allow-resample",
    )  # fmt: skip
    assert told.code == 2
    assert "ml of the labels" in told.error
    assert not (tmp_path / "case").exists()


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (["--height-cm", "170"], "go together"),
        (["--height-cm", "1.7", "--weight-kg", "70"], "height_cm"),
        (["--margin-mm", "-1"], "margin-mm"),
        (["--condition", "excellent"], "condition"),
        (["--count", "0"], "count"),
    ],
)
def test_a_wish_that_cannot_be_is_a_usage_error(surgplan_cli, inputs, tmp_path, wish, said) -> None:
    told = surgplan_cli(*_words(inputs, tmp_path / "case"), *wish)
    assert told.code == 2
    assert said in told.error
    assert not (tmp_path / "case").exists()


def test_a_folder_with_other_things_is_not_touched(surgplan_cli, inputs, tmp_path) -> None:
    (tmp_path / "letter.txt").write_text("dear colleague")
    told = surgplan_cli(*_words(inputs, tmp_path))
    assert told.code == 5
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_plans_are_proposed_compared_assessed_and_replayed(surgplan_cli, case) -> None:
    told = surgplan_cli("plan", "compare", case, "--json")
    assert told.code == 0, told.err
    names = [p["name"] for p in told.answer["plans"]]
    assert len(names) == 3
    told = surgplan_cli("plan", "replay", case, names[0], "--json")
    assert told.answer["exact"] is True
    told = surgplan_cli("plan", "assess", case, case / "plans" / f"{names[0]}.json")
    assert told.code == 0, told.err
    assert "future liver remnant" in told.out
    told = surgplan_cli("plan", "propose", case, "--count", "1", "--json")
    assert len(told.answer["plans"]) == 1
    assert len(Case.open(case).plan_paths()) == 1
    told = surgplan_cli("plan", "assess", case, "no-such-plan")
    assert (told.code, told.out) == (4, "")
    assert "no-such-plan" in told.error


def test_a_plan_with_a_changed_number_is_refused(surgplan_cli, case, tmp_path) -> None:
    path = Case.open(case).plan_paths()[0]
    text = path.read_text()
    said = json.loads(text)["assessment"]["remnant_ml"]
    changed = tmp_path / "changed.json"
    changed.write_text(text.replace(str(said), str(said + 1)))
    told = surgplan_cli("plan", "replay", case, changed, "--json")
    assert told.code == 3
    assert told.answer["error"] in ("ScanMismatchError", "CorruptFileError")
    changed.write_text("no plan")
    assert surgplan_cli("plan", "replay", case, changed).code == 3


def test_a_changed_case_is_refused(surgplan_cli, case) -> None:
    (case / "labels.nii.gz").write_bytes((case / "labels.nii.gz").read_bytes()[:-1] + b"x")
    told = surgplan_cli("plan", "compare", case)
    assert told.code == 3
    assert "labels.nii.gz" in told.error
