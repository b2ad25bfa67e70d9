"""Calibration finds the mistakes that were put in."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surgplan.segmentation import METADATA, Reliability, Segmentation
from surgplan.training import Calibration, calibrate, calibration_error
from surgplan.training import _calibrate as under_test
from surgplan.volume import ANATOMY, LIVER, SPLEEN, Geometry, LabelMap, Volume

GRID = Geometry.from_spacing(shape=(20, 30, 30), spacing_mm=(3.0, 2.0, 2.0))


def truth_of(seed: int) -> LabelMap:
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[4:16, 5 : 15 + seed % 7, 5:20] = LIVER.label
    labels[4:8, 5:10, 22:28] = SPLEEN.label
    return LabelMap(array=labels, geometry=GRID, segments=ANATOMY)


@pytest.fixture
def overconfident(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that says 0.97 where it is right in four of five voxels, and loses a tenth."""

    def case(seed: int, number: int) -> tuple[Volume, LabelMap]:
        image = np.full(GRID.shape, float(seed), dtype=np.float32)
        return Volume(array=image, geometry=GRID, modality="CT"), truth_of(seed)

    def segment(volume: Volume, *, settings: object) -> Segmentation:
        seed = int(volume.array.flat[0])
        rng = np.random.default_rng(seed)
        labels = truth_of(seed).array.copy()
        labels[4:16, 5:6] = 0
        labels[rng.random(GRID.shape) < 0.2] = SPLEEN.label
        return Segmentation(
            label_map=LabelMap(array=labels, geometry=GRID, segments=ANATOMY),
            confidence=np.full(GRID.shape, 0.97, dtype=np.float32),
            doubts=(),
            provenance={},
        )

    monkeypatch.setattr(under_test, "_case", case)
    monkeypatch.setattr(under_test, "segment", segment)


@pytest.mark.usefixtures("overconfident")
def test_overconfidence_is_measured_and_taken_back() -> None:
    found = calibrate("any", range(12))
    assert found.ece_before == pytest.approx(0.97 - 0.77, abs=0.03)
    assert found.ece_after < 0.02
    assert found.temperature > 1.5
    liver = found.structures["whole liver"]
    assert liver.cases == 12
    low, _ = liver.volume_ml(100)
    assert low < 80
    assert liver.boundary_mm >= 2.0


@pytest.mark.usefixtures("overconfident")
def test_it_is_written_beside_what_the_bundle_said(tmp_path: Path) -> None:
    (tmp_path / METADATA).parent.mkdir(parents=True)
    (tmp_path / METADATA).write_text(json.dumps({"surgplan": {"temperature": 2.0, "name": "x"}}))
    found = calibrate("any", range(10))
    found.write_into(tmp_path)
    own = json.loads((tmp_path / METADATA).read_text())["surgplan"]
    assert own["name"] == "x"
    assert own["temperature"] == pytest.approx(2 * found.temperature, abs=1e-3)
    assert own["reliability"]["whole liver"]["cases"] == 10
    useless = Reliability(volume_factor=40.0, boundary_mm=90.0, cases=10)
    worse = replace(found, ece_after=found.ece_before + 0.01, structures={"spleen": useless})
    worse.write_into(tmp_path)
    again = json.loads((tmp_path / METADATA).read_text())["surgplan"]
    assert again["temperature"] == own["temperature"]
    assert again["reliability"] == {}
    assert isinstance(found, Calibration)


def test_calibration_error_is_the_mean_gap() -> None:
    counts = np.zeros((257, 2))
    counts[round(0.9 * 256)] = (100, 70)
    counts[round(0.5 * 256)] = (300, 150)
    assert calibration_error(counts, 1.0) == pytest.approx(0.25 * 0.2, abs=2e-3)
    counts[round(0.9 * 256), 1] = 90
    assert calibration_error(counts, 1.0) < 2e-3
