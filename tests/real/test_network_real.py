"""The shipped network on real scans that it was never trained on."""

import json
from pathlib import Path

import pytest

from surgplan.cli import main
from surgplan.evaluation import score_masks
from surgplan.io import read_numbers, read_volume
from surgplan.segmentation import SegmentSettings, segment, shipped_models

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"real cases are not at {CASES}"),
    pytest.mark.skipif(not shipped_models(), reason="no model is shipped"),
]


@pytest.mark.parametrize(("case", "image"), [("ircadb-01", "ct.nii.gz"), ("ircadb-17", "dicom")])
def test_the_whole_liver_is_found(case: str, image: str) -> None:
    scan = read_volume(CASES / case / image, modality="CT")
    found = segment(scan, settings=SegmentSettings(threads=2)).label_map
    numbers, grid = read_numbers(CASES / case / "liver.nii.gz")
    assert grid.matches(scan.geometry, atol_mm=0.01)
    score = score_masks("whole liver", found.whole_liver(), numbers > 0, grid)
    assert score.dice >= 0.92, score


@pytest.mark.slow
def test_a_folder_of_slices_becomes_a_complete_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = tmp_path / "case"
    code = main(["run", str(CASES / "ircadb-17" / "dicom"), str(case), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert len(answer["plans"]) >= 3
    for part in (
        "case.json", "image.nii.gz", "labels.nii.gz", "labels.seg.nrrd", "confidence.nii.gz",
        "scene.glb", "report.html", "report.json",
    ):  # fmt: skip
        assert (case / part).stat().st_size > 1000, part
    assert len(list((case / "plans").glob("*.mrk.json"))) >= 3
    assert list((case / "surfaces").glob("*.stl"))
