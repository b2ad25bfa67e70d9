"""`surgplan synthesize` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from surgplan.cli import main
from surgplan.cli._synthesize import lesion_words
from surgplan.errors import UsageError
from surgplan.io import write_label_map
from surgplan.volume import ANATOMY, LIVER, SPLEEN, Geometry, LabelMap


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    geometry = Geometry.from_spacing(shape=(36, 40, 56), spacing_mm=(6.0, 6.0, 6.0))
    z, y, x = np.mgrid[:36, :40, :56]
    array = np.zeros(geometry.shape, np.uint8)
    array[(z - 18) ** 2 + (y - 20) ** 2 + (x - 18) ** 2 < 121] = LIVER.label
    array[(z - 18) ** 2 + (y - 24) ** 2 + (x - 44) ** 2 < 36] = SPLEEN.label
    label_map = LabelMap(array=array, geometry=geometry, segments=ANATOMY)
    write_label_map(label_map, tmp_path / "maps" / "one.nii.gz")
    return tmp_path / "maps"


def test_scans_from_label_maps(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["synthesize", str(tmp_path / "out"), "--labels", str(maps), "--spacing-mm", "6"]
    words += ["--modality", "mr", "--phase", "t1", "--lesion", "cyst:30", "--json", "--no-gate"]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "surgplan.synthesize"
    (scan,) = answer["scans"]
    assert scan["image"].endswith("_desc-synthetic_mr.nii.gz")
    assert scan["look"] == "t1"
    assert (tmp_path / "out" / scan["folder"] / scan["labels"]).is_file()
    other = [*words, "--seed", "4"]
    assert main(other) == 3  # that folder holds another data set
    assert "other settings" in capsys.readouterr().err


def test_scans_that_show_something_else_are_refused(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["synthesize", str(tmp_path / "out"), "--labels", str(maps), "--spacing-mm", "6"]
    assert main([*words, "--phase", "portal", "--lesions", "0"]) == 3  # balls are no organs
    said = capsys.readouterr().err
    assert "none of 1 scans shows what its labels say" in said
    assert "--no-gate" in said
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["refused_attempts"], manifest["refused_scans"]) == (5, 1)
    assert manifest["refused_for"]


def test_wrong_words_are_usage_errors(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    for more, words in (
        (["--lesion", "cyst"], "KIND:MM:CONTACT"),
        (["--lesion", "abscess:20"], "kind"),
        (["--phase", "t2"], "native, arterial"),
        (["--liver-ml", "20"], "liver_ml"),
    ):
        assert main(["synthesize", out, "--labels", str(maps), *more]) == 2
        assert words in capsys.readouterr().err
    (tmp_path / "nothing").mkdir()
    assert main(["synthesize", out, "--labels", str(tmp_path / "nothing")]) == 4


def test_lesions_in_words() -> None:
    assert lesion_words("hcc:12.5")["contact"] == "avoid"
    with pytest.raises(UsageError):
        lesion_words("hcc:-3")
