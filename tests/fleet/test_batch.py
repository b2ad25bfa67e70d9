"""Batches of small processes: what fails is told, what is done is kept, nothing is left running."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import surgplan
from surgplan.errors import CorruptFileError, InputRefusedError, NothingToDoError
from surgplan.fleet import (
    BatchSettings,
    Job,
    Result,
    Study,
    read_studies,
    run_batch,
    write_summary,
)
from surgplan.io import write_label_map, write_volume
from surgplan.volume import LIVER, LIVER_TUMOUR, Geometry, Volume, label_map_from_masks

COPY = """
import json, shutil, sys
shutil.copy(sys.argv[1], sys.argv[2])
print("words of a library")
print(json.dumps({"structures": [{"name": "liver tumour", "volume_ml": 4.5}]}))
"""
REFUSE = "import json; print(json.dumps({'message': 'a slice is missing'})); raise SystemExit(3)"
CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
HANG = "import time; time.sleep(600)"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    grid = Geometry.from_spacing(shape=(12, 20, 24), spacing_mm=(5, 4, 4))
    liver = np.zeros(grid.shape, dtype=bool)
    liver[3:9, 5:15, 4:18] = True
    tumour = np.zeros(grid.shape, dtype=bool)
    tumour[5:7, 8:11, 8:11] = True
    array = np.where(tumour, 60, np.where(liver, 110, -50)).astype(np.int16)
    write_volume(Volume(array=array, geometry=grid, modality="CT"), folder / "scan.nii.gz")
    labels = label_map_from_masks([(LIVER, liver), (LIVER_TUMOUR, tumour)], grid)
    write_label_map(labels, folder / "labels.nii.gz")
    return folder


def job(name: str, inputs: Path, out: Path, code: str) -> Job:
    labels = out / name / "labels.nii.gz"
    labels.parent.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-c", code, str(inputs / "labels.nii.gz"), str(labels))
    study = Study(name=name, scan=inputs / "scan.nii.gz")
    return Job(study=study, command=command, image=study.scan, labels=labels)


def test_one_failure_never_stops_the_rest(inputs, tmp_path) -> None:
    codes = {"a": COPY, "refused": REFUSE, "crashed": CRASH, "hangs": HANG, "z": COPY}
    jobs = [job(name, inputs, tmp_path, code) for name, code in codes.items()]
    start = time.monotonic()
    heard: list[float] = []
    results = run_batch(
        jobs,
        tmp_path,
        settings=BatchSettings(workers=3, timeout_s=4.0),
        progress=lambda fraction, word: heard.append(fraction),
    )
    assert time.monotonic() - start < 60
    assert [r.name for r in results] == list(codes)
    assert [r.state for r in results] == ["done", "failed", "failed", "failed", "done"]
    assert results[1].message == "a slice is missing"
    assert results[1].exit_code == 3
    assert "SIGKILL" in results[2].message
    assert "no end within" in results[3].message
    assert heard[-1] == 1.0
    assert len(heard) == len(jobs)
    for name in ("a", "z"):
        assert (tmp_path / "previews" / f"{name}.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_what_is_done_is_kept_until_its_input_or_command_changes(inputs, tmp_path) -> None:
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes((inputs / "scan.nii.gz").read_bytes())
    one = job("one", inputs, tmp_path / "out", COPY)
    one = Job(
        study=Study(name="one", scan=scan), command=one.command, image=scan, labels=one.labels
    )
    first = run_batch([one], tmp_path / "out")[0]
    again = run_batch([one], tmp_path / "out")[0]
    assert (first.state, again.state) == ("done", "kept")
    assert again.answer == first.answer
    forced = run_batch([one], tmp_path / "out", settings=BatchSettings(force=True))[0]
    assert forced.state == "done"
    other = Job(study=one.study, command=(*one.command, "more"), image=one.image, labels=one.labels)
    assert run_batch([other], tmp_path / "out")[0].state == "done"
    scan.touch()
    assert run_batch([other], tmp_path / "out")[0].state == "done"
    one.labels.unlink()
    assert run_batch([other], tmp_path / "out")[0].state == "done"


def test_an_interrupted_batch_ends_its_processes(inputs, tmp_path) -> None:
    jobs = [job("quick", inputs, tmp_path, REFUSE), job("slow", inputs, tmp_path, HANG)]

    def interrupt(fraction: float, word: str) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, tmp_path, settings=BatchSettings(workers=2), progress=interrupt)
    assert time.monotonic() - start < 60


def test_a_folder_is_read_as_studies(tmp_path) -> None:
    for name in ("b.nii.gz", "a scan.nrrd", "notes.txt", ".hidden.nii.gz", "own.seg.nrrd"):
        (tmp_path / name).touch()
    (tmp_path / "dicom.series").mkdir()
    studies = read_studies(tmp_path)
    assert [s.name for s in studies] == ["a_scan", "b", "dicom.series"]
    assert studies[1].scan == tmp_path / "b.nii.gz"


def test_a_manifest_is_read_as_studies(tmp_path) -> None:
    (tmp_path / "list.csv").write_text(
        "scan,name,labels,modality\none/ct.nii.gz,p1,one/seg.nrrd,CT\ntwo,,,\n", encoding="utf-8"
    )
    first, second = read_studies(tmp_path / "list.csv")
    assert first.scan == tmp_path / "one" / "ct.nii.gz"
    assert (first.name, first.labels, first.modality) == ("p1", tmp_path / "one/seg.nrrd", "ct")
    assert (second.name, second.labels, second.modality) == ("two", None, None)


@pytest.mark.parametrize(
    ("text", "error", "word"),
    [
        ("scan\n", NothingToDoError, "no scan"),
        ("file\na.nii\n", InputRefusedError, "scan always"),
        ("scan,age\na.nii,4\n", InputRefusedError, "columns"),
        ("scan,name\na.nii,p\nb.nii,P\n", InputRefusedError, "two studies"),
        ("scan,name\na.nii,../p\n", InputRefusedError, "letters"),
        ("scan,modality\na.nii,PET\n", InputRefusedError, "ct or mr"),
        (b"\xff\xfe\x00scan", CorruptFileError, "no CSV"),
    ],
)
def test_a_manifest_that_cannot_be_right_is_refused(tmp_path, text, error, word) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(error, match=word):
        read_studies(tmp_path / "list.csv")


def test_no_studies_where_there_is_nothing(tmp_path) -> None:
    with pytest.raises(NothingToDoError):
        read_studies(tmp_path / "nowhere")
    with pytest.raises(NothingToDoError):
        read_studies(tmp_path)


def test_the_summary_is_harmless_and_says_what_it_is(tmp_path) -> None:
    results = (
        Result(name="a", state="failed", message="=HYPERLINK(1)<script>", exit_code=3),
        Result(
            name="b",
            state="done",
            seconds=2.5,
            answer={
                "structures": [{"name": "liver tumour", "volume_ml": 4.5}],
                "plans": [{"name": "wedges", "flr_percent": 71.25}],
            },
        ),
    )
    write_summary(results, tmp_path)
    with (tmp_path / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["message"].startswith("'=")
    assert rows[1]["flr_percent"] == "71.25"
    assert {row["notice"] for row in rows} == {surgplan.NOT_A_MEDICAL_DEVICE}
    page = (tmp_path / "summary.html").read_text()
    assert "<script" not in page
    assert surgplan.NOT_A_MEDICAL_DEVICE in page
    assert "2 studies, 1 failed" in page
    told = json.loads((tmp_path / "summary.json").read_text())
    assert [row["tumour_ml"] for row in told["studies"]] == [None, 4.5]
