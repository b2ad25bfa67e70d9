"""The shipped samples are what their script makes and what their manifest says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import surgplan
from surgplan.io import list_series, read_couinaud, read_label_map, read_volume, sha256_of
from surgplan.phantom import PHANTOM_VERSION, Phantom
from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, Volume

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "sample_volumes"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", ROOT / "scripts/make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / SCRIPT.MANIFEST).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    made: Phantom = SCRIPT.sample_phantom()
    return made


def assert_within_rounding(made: Volume, shipped: Volume) -> None:
    assert shipped.modality == made.modality
    assert shipped.geometry.matches(made.geometry)
    difference = np.abs(made.array.astype(int) - shipped.array.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_every_file_has_the_checksum_of_the_manifest(manifest: dict[str, Any]) -> None:
    listed = {entry["path"]: entry for entry in manifest["files"]}
    there = {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file()}
    assert there == {*listed, SCRIPT.MANIFEST}
    for path, entry in listed.items():
        assert sha256_of(FOLDER / path) == entry["sha256"], path
        assert (FOLDER / path).stat().st_size == entry["bytes"], path


def test_samples_are_small(manifest: dict[str, Any]) -> None:
    assert sum(entry["bytes"] for entry in manifest["files"]) < 12e6


def test_the_manifest_says_what_they_are(manifest: dict[str, Any]) -> None:
    assert manifest["synthetic"] is True
    assert manifest["notice"] == surgplan.NOT_A_MEDICAL_DEVICE
    assert manifest["phantom_version"] == PHANTOM_VERSION
    assert manifest["seed"] == SCRIPT.SEED
    assert "CC0" in manifest["licence"]


def test_labels_come_out_exactly_again(phantom: Phantom) -> None:
    labels = read_label_map(FOLDER / SCRIPT.LABELS)
    assert np.array_equal(labels.array, phantom.label_map.array)
    assert labels.geometry.matches(phantom.label_map.geometry)
    assert [s.code for s in labels.segments] == [s.code for s in phantom.label_map.segments]
    couinaud = read_couinaud(FOLDER / SCRIPT.COUINAUD)
    assert np.array_equal(couinaud.array, phantom.couinaud.array)


def test_the_ct_comes_out_again_within_rounding(phantom: Phantom) -> None:
    assert_within_rounding(SCRIPT.sample_ct(phantom), read_volume(FOLDER / SCRIPT.CT))


def test_the_mr_comes_out_again_within_rounding(phantom: Phantom) -> None:
    assert_within_rounding(
        SCRIPT.sample_mr(phantom), read_volume(FOLDER / SCRIPT.MR, modality="MR")
    )


def test_the_dicom_series_comes_out_again_within_rounding(phantom: Phantom) -> None:
    folder = FOLDER / SCRIPT.DICOM
    (series,) = list_series(folder)
    assert series.modality == "CT"
    assert_within_rounding(SCRIPT.sample_dicom(phantom), read_volume(folder))


def test_known_answers_are_those_of_the_phantom(phantom: Phantom, manifest: dict[str, Any]) -> None:
    made, shipped = phantom.known_answers(), manifest["known_answers"]
    assert made.keys() == shipped.keys()
    assert shipped["volumes_ml"] == made["volumes_ml"]
    assert [v["label"] for v in shipped["vessels"]] == [v["label"] for v in made["vessels"]]
    for key in ("radius_mm", "length_mm", "start_mm", "end_mm"):
        mine, theirs = (np.array([v[key] for v in a["vessels"]]) for a in (made, shipped))
        assert theirs == pytest.approx(mine, abs=2e-3)
    for mine, theirs in zip(made["lesions"], shipped["lesions"], strict=True):
        assert theirs["volume_ml"] == pytest.approx(mine["volume_ml"])
        assert theirs["centre_mm"] == pytest.approx(mine["centre_mm"], abs=1e-3)


def test_lesions_of_the_label_file_have_their_analytic_volume(manifest: dict[str, Any]) -> None:
    labels = read_label_map(FOLDER / SCRIPT.LABELS)
    for segment in (LIVER_TUMOUR, LIVER_CYST):
        analytic_ml = sum(
            lesion["volume_ml"]
            for lesion in manifest["known_answers"]["lesions"]
            if lesion["label"] == segment.label
        )
        assert labels.volume_ml(segment) == pytest.approx(analytic_ml, rel=0.02)
