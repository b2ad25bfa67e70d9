"""Data sets of synthetic scans: resumable, the same for any number of workers, marked synthetic."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from surgplan.errors import InputRefusedError, NothingToDoError, UsageError
from surgplan.io import read_label_map, read_volume, sha256_of, write_label_map
from surgplan.synthesis import GateReport, GateSettings, LesionWish, VolumeSettings
from surgplan.training import DatasetSettings, find_label_maps, generate_volumes, stream_volumes
from surgplan.training import _volumes_out as out
from surgplan.volume import ANATOMY, LIVER, SPLEEN, Geometry, LabelMap, Volume

VOLUMES = VolumeSettings(
    look="portal", spacing_mm=6.0, lesions=(LesionWish(kind="metastasis", diameter_mm=30),)
)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A liver and a spleen as balls."""
    geometry = Geometry.from_spacing(shape=(36, 40, 56), spacing_mm=(6.0, 6.0, 6.0))
    z, y, x = np.mgrid[:36, :40, :56]
    array = np.zeros(geometry.shape, np.uint8)
    array[(z - 18) ** 2 + (y - 20) ** 2 + (x - 18) ** 2 < 121] = LIVER.label
    array[(z - 18) ** 2 + (y - 24) ** 2 + (x - 44) ** 2 < 36] = SPLEEN.label
    path = tmp_path / "maps" / "labels.nii.gz"
    write_label_map(LabelMap(array=array, geometry=geometry, segments=ANATOMY), path)
    return path


def dataset(labels: Path, **changes: object) -> DatasetSettings:
    """Balls are no organs: the gate is left out unless it is asked for."""
    given = {"count": 2, "volumes": VOLUMES, "labels": (labels,), "gate": None, "attempts": 3}
    return DatasetSettings(**(given | changes))  # type: ignore[arg-type]


def test_a_data_set_says_what_it_is(labels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    manifest = generate_volumes(dataset(labels), folder)
    assert [r["folder"] for r in manifest["scans"]] == ["sub-synth0000", "sub-synth0001"]
    row = manifest["scans"][0]
    place = folder / row["folder"]
    image = read_volume(place / row["image"])
    found = read_label_map(place / row["labels"])
    assert image.modality == "CT"
    assert image.is_synthetic
    assert "synthetic" in row["image"]
    assert image.geometry.matches(found.geometry)
    assert row["sha256"][row["image"]] == sha256_of(place / row["image"])
    lesions = json.loads((place / "lesions.json").read_text())
    assert lesions["synthetic"] is True
    assert lesions["lesions"][0]["diameter_mm"] == 30
    assert "Not a medical device" in lesions["notice"]
    header = nibabel.load(place / row["image"]).header
    assert any(b"synthetic" in extension.get_content() for extension in header.extensions)
    assert (folder / "preview.png").stat().st_size > 5000
    description = json.loads((folder / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["Synthetic"] is True


def test_a_data_set_goes_on_where_it_was_cut_off(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generate_volumes(dataset(labels, count=3), tmp_path / "whole")
    generate_volumes(dataset(labels, count=2), tmp_path / "cut")
    (tmp_path / "cut/sub-synth0001/facts.json").unlink()  # as if it ended while writing
    made = []
    real = out._write
    monkeypatch.setattr(out, "_write", lambda *call: made.append(call[2]) or real(*call))
    again = generate_volumes(dataset(labels, count=3), tmp_path / "cut")
    assert made == [1, 2]
    assert [r["sha256"] for r in again["scans"]] == [r["sha256"] for r in whole["scans"]]
    with pytest.raises(InputRefusedError, match="other settings"):
        generate_volumes(dataset(labels, seed=1), tmp_path / "cut")


def test_streaming_gives_the_same_scans(labels: Path, tmp_path: Path) -> None:
    settings = dataset(labels)
    manifest = generate_volumes(settings, tmp_path / "set")
    for number, made in stream_volumes(settings):
        place = tmp_path / "set" / manifest["scans"][number]["folder"]
        written = read_volume(place / manifest["scans"][number]["image"])
        np.testing.assert_array_equal(made.image.array, written.array)


@pytest.mark.slow
def test_workers_change_no_voxel(labels: Path, tmp_path: Path) -> None:
    one = generate_volumes(dataset(labels, count=3), tmp_path / "one")
    two = generate_volumes(dataset(labels, count=3, workers=2), tmp_path / "two")
    assert [r["sha256"] for r in one["scans"]] == [r["sha256"] for r in two["scans"]]


def test_the_gate_counts_what_it_refuses(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Report:
        def __init__(self, reasons: tuple[str, ...]) -> None:
            self.reasons, self.figures, self.passed = reasons, {"dice": {}}, not reasons

    verdicts = iter([("too dark",), (), ("a: 3", "a: 4"), ("b: 1",), ("a: 5",)])
    monkeypatch.setattr(out, "check_volume", lambda *_: Report(next(verdicts)))
    manifest = generate_volumes(dataset(labels, gate=GateSettings()), tmp_path / "set")
    assert manifest["refused_attempts"] == 4
    assert manifest["refused_for"] == {"a": 2, "too dark": 1, "b": 1}
    assert manifest["refused_scans"] == 1
    assert [r["folder"] for r in manifest["scans"]] == ["sub-synth0000"]
    assert manifest["scans"][0]["refusals"] == [["too dark"]]


def test_a_judged_data_set_goes_on_too(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "check_volume", lambda *_: GateReport(reasons=(), figures={}))
    for count in (1, 2):
        settings = dataset(labels, count=count, gate=GateSettings())
        assert len(generate_volumes(settings, tmp_path / "set")["scans"]) == count
    with pytest.raises(InputRefusedError, match="other settings"):
        generate_volumes(dataset(labels, gate=GateSettings(tumour_cnr=2.0)), tmp_path / "set")


def test_implausible_scans_are_refused_without_being_asked_to(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = out.check_plausible
    verdicts = iter([False, True, True])

    def judge(image: Volume, label_map: LabelMap) -> GateReport:
        return real(image, label_map) if next(verdicts) else GateReport(reasons=("x",), figures={})

    monkeypatch.setattr(out, "check_plausible", judge)
    manifest = generate_volumes(dataset(labels), tmp_path / "set")
    assert manifest["refused_attempts"] == 1
    assert len(manifest["scans"]) == 2


def test_streaming_leaves_out_what_is_given_up(
    labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = iter(["no", "no", "no", ""])
    monkeypatch.setattr(
        out,
        "check_plausible",
        lambda *_: GateReport(reasons=tuple(filter(None, [next(verdicts)])), figures={}),
    )
    assert [number for number, _ in stream_volumes(dataset(labels))] == [1]


def test_label_maps_are_found(labels: Path, tmp_path: Path) -> None:
    assert find_label_maps(labels) == (labels,)
    assert find_label_maps(labels.parent) == (labels,)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToDoError, match="phantom"):
        find_label_maps(tmp_path / "empty")
    with pytest.raises(UsageError, match="count"):
        DatasetSettings(count=0)
