"""Models listed, shown and verified; label maps meshed, compared; phantoms written."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import surgplan
from surgplan.cli import _options
from surgplan.io import read_couinaud, read_label_map, read_surface, read_volume, write_label_map
from surgplan.mesh import reconstruct_all
from surgplan.segmentation import METADATA, WEIGHTS
from surgplan.volume import LIVER, SPLEEN, Geometry, label_map_from_masks


@pytest.fixture
def bundle(tmp_path) -> Path:
    folder = tmp_path / "tiny"
    weights = np.arange(100, dtype=np.uint8).tobytes()
    metadata = {
        "version": "0.0.1",
        "description": "knows nothing",
        "surgplan": {
            "name": "tiny",
            "sha256": hashlib.sha256(weights).hexdigest(),
            "network": {"classes": 17},
            "spacing_mm": 3.0,
            "window": [32, 32, 32],
            "temperature": 1.0,
        },
    }
    for path, content in (
        (WEIGHTS, weights),
        (METADATA, json.dumps(metadata).encode()),
        (Path("docs/README.md"), b"# tiny\nFor tests alone."),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def labels(tmp_path) -> Path:
    geometry = Geometry.from_spacing(shape=(16, 24, 24), spacing_mm=(4, 3, 3))
    indices = np.indices(geometry.shape)
    liver = ((indices - np.array([8, 10, 8])[:, None, None, None]) ** 2).sum(axis=0) < 30
    spleen = ((indices - np.array([8, 12, 18])[:, None, None, None]) ** 2).sum(axis=0) < 12
    label_map = label_map_from_masks([(LIVER, liver), (SPLEEN, spleen)], geometry)
    path = tmp_path / "labels.seg.nrrd"
    write_label_map(label_map, path)
    return path


def test_shipped_models_are_listed_and_fit_their_checksums(surgplan_cli) -> None:
    listed = surgplan_cli("models", "list", "--json")
    assert listed.code == 0
    names = [m["name"] for m in listed.answer["models"]]
    verified = surgplan_cli("models", "verify", "--json")
    if names:
        assert [m["name"] for m in verified.answer["verified"]] == names
    else:
        assert verified.code == 4


def test_generators_are_models_too(surgplan_cli) -> None:
    listed = surgplan_cli("models", "list", "--json").answer["models"]
    uses = {m["name"]: m["use"] for m in listed}
    assert uses["generator-3mm"] == "synthesis"
    assert uses["abdomen-3mm"] == "segmentation"
    card = surgplan_cli("models", "show", "generator-3mm")
    assert card.code == 0
    assert "autoencoder" in card.out
    assert surgplan_cli("models", "verify", "generator-3mm").code == 0


def test_a_card_is_shown(surgplan_cli, bundle) -> None:
    told = surgplan_cli("models", "show", bundle)
    assert told.out == f"# tiny\nFor tests alone.\n{surgplan.NOT_A_MEDICAL_DEVICE}\n"
    assert surgplan_cli("models", "show", bundle, "--json").answer["name"] == "tiny"


def test_one_flipped_bit_ends_with_9(surgplan_cli, bundle) -> None:
    assert surgplan_cli("models", "verify", bundle).code == 0
    weights = bytearray((bundle / WEIGHTS).read_bytes())
    weights[50] ^= 1
    (bundle / WEIGHTS).write_bytes(weights)
    told = surgplan_cli("models", "verify", bundle, "--json")
    assert told.code == told.answer["exit_code"] == 9
    assert "tiny" in told.error


def test_a_model_that_is_not_there_ends_with_4(surgplan_cli) -> None:
    assert surgplan_cli("models", "show", "no-such-model").code == 4


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("models", "list"), "ai"),
        (("segment", "SCAN", "out.nii.gz"), "ai"),
        (("run", "SCAN", "case"), "ai"),
        (("train", "segmentation", "config.toml"), "ai"),
    ],
)
def test_without_torch_the_install_line_is_named(
    surgplan_cli, monkeypatch, tmp_path, labels, words, extra
) -> None:
    find_spec = _options.find_spec
    monkeypatch.setattr(_options, "find_spec", lambda n: None if n == "torch" else find_spec(n))
    scan = _scan(tmp_path)
    told = surgplan_cli(*[scan if w == "SCAN" else w for w in words])
    assert told.code == 7
    assert f"pip install 'surgplan[{extra}]'" in told.error
    assert not Path("case").exists()


def _scan(folder: Path) -> Path:
    from surgplan.io import write_volume
    from surgplan.volume import Volume

    geometry = Geometry.from_spacing(shape=(4, 6, 6), spacing_mm=(4, 3, 3))
    array = np.linspace(-900, 300, 144).reshape(4, 6, 6).astype(np.int16)
    write_volume(Volume(array=array, geometry=geometry, modality="CT"), folder / "scan.nii.gz")
    return folder / "scan.nii.gz"


def test_mesh_writes_what_the_mesh_room_makes(surgplan_cli, labels, tmp_path) -> None:
    out = tmp_path / "surfaces"
    told = surgplan_cli("mesh", labels, out, "--format", "stl,vtp,ply,glb", "--json")
    assert told.code == 0, told.err
    wanted = {s.segment.name: s for s in reconstruct_all(read_label_map(labels))}
    assert {r["name"] for r in told.answer["surfaces"]} == set(wanted) == {"liver", "spleen"}
    assert {p.name for p in out.iterdir()} == {
        *(
            f"{row['file']}.{kind}"
            for row in told.answer["surfaces"]
            for kind in ("stl", "vtp", "ply")
        ),
        "scene.glb",
    }
    for row in told.answer["surfaces"]:
        for kind in ("stl", "vtp", "ply"):
            back = read_surface(out / f"{row['file']}.{kind}", wanted[row["name"]].segment)
            assert back.volume_ml == pytest.approx(row["volume_ml"], abs=2e-3)


@pytest.mark.parametrize("formats", ["", "obj", "stl,obj"])
def test_mesh_refuses_formats_that_it_does_not_write(
    surgplan_cli, labels, tmp_path, formats
) -> None:
    told = surgplan_cli("mesh", labels, tmp_path / "surfaces", "--format", formats)
    assert told.code == 2
    assert "--format" in told.error
    assert not (tmp_path / "surfaces").exists()


def test_evaluate_says_how_close_two_label_maps_are(surgplan_cli, labels, tmp_path) -> None:
    label_map = read_label_map(labels)
    array = label_map.array.copy()
    array[:8][array[:8] == SPLEEN.label] = 0
    write_label_map(label_map.with_array(array), tmp_path / "half.nii.gz")
    told = surgplan_cli("evaluate", tmp_path / "half.nii.gz", labels, "--json")
    scores = {s["name"]: s for s in told.answer["structures"]}
    assert scores["whole liver"]["dice"] == scores["liver parenchyma"]["dice"] == 1
    whole, kept = (float((a == SPLEEN.label).sum()) for a in (label_map.array, array))
    assert scores["spleen"]["dice"] == pytest.approx(2 * kept / (whole + kept))
    assert "spleen" in surgplan_cli("evaluate", labels, labels).out


def test_a_phantom_is_written_with_its_answers_and_marked_synthetic(surgplan_cli, tmp_path) -> None:
    told = surgplan_cli(
        "phantom", tmp_path / "body", "--spacing-mm", "9", "--seed", "2", "--lesions", "1", "--json"
    )
    assert told.code == 0, told.err
    files = {role: Path(path) for role, path in told.answer["files"].items()}
    label_map = read_label_map(files["labels"])
    for role, modality in (("ct", "CT"), ("mr", "MR")):
        image = read_volume(files[role])
        assert image.modality == modality
        assert image.geometry == label_map.geometry
        assert "synthetic" in files[role].name
    assert read_couinaud(files["couinaud"]).labels_present() == list(range(1, 9))
    answers = json.loads(files["answers"].read_text())
    assert answers["synthetic"] is True
    assert answers["notice"] == surgplan.NOT_A_MEDICAL_DEVICE
    assert len(answers["lesions"]) == 1


def test_a_network_segments_a_scan(surgplan_cli, tmp_path) -> None:
    shipped = surgplan_cli("models", "list", "--json").answer["models"]
    if not shipped:
        pytest.skip("no model is shipped yet")
    scan = _scan(tmp_path)
    told = surgplan_cli(
        "segment", scan, tmp_path / "out.nii.gz", "--confidence", tmp_path / "sure.nii.gz", "--json"
    )
    assert told.code == 0, told.err
    assert read_label_map(tmp_path / "out.nii.gz").geometry == read_volume(scan).geometry
    assert told.answer["provenance"]["model_sha256"] == shipped[0]["sha256"]
    told = surgplan_cli("segment", scan, tmp_path / "no.nii.gz", "--max-memory", "1M")
    assert told.code == 6
    assert not (tmp_path / "no.nii.gz").exists()


def test_folders_are_compared_case_by_case(surgplan_cli, labels, tmp_path) -> None:
    label_map = read_label_map(labels)
    for name in ("a", "b"):
        write_label_map(label_map, tmp_path / "reference" / f"{name}.nii.gz")
    array = label_map.array.copy()
    array[:8][array[:8] == SPLEEN.label] = 0
    write_label_map(label_map, tmp_path / "found" / "a.nii.gz")
    write_label_map(label_map.with_array(array), tmp_path / "found" / "b" / "labels.nii.gz")
    (tmp_path / "groups.csv").write_text("case,sex\na,f\nb,m\n")
    words = ("evaluate", tmp_path / "found", tmp_path / "reference")
    told = surgplan_cli(*words, "--subgroups", tmp_path / "groups.csv", "--json")
    assert told.code == 0, told.err
    gaps = {g["structure"]: g for g in told.answer["groups"]}
    assert gaps["spleen"]["worst"] == "m"
    assert gaps["liver parenchyma"]["gap"] == 0
    assert set(told.answer["cases"]) == {"a", "b"}
    assert "worst for m" in surgplan_cli(*words, "--subgroups", tmp_path / "groups.csv").out
    (tmp_path / "found" / "a.nii.gz").unlink()
    assert surgplan_cli(*words).code == 3


def test_the_remnant_of_a_plan_is_compared(surgplan_cli, case, tmp_path) -> None:
    plan = next((case / "plans").glob("*[!k].json"))
    labels = case / "labels.nii.gz"
    told = surgplan_cli("evaluate", labels, labels, "--plan", plan, "--json")
    assert told.code == 0, told.err
    assert told.answer["remnant"]["flr_error_points"] == 0
    assert 0 < told.answer["remnant"]["predicted_flr_percent"] < 100
    (tmp_path / "none.json").write_text("{}")
    assert surgplan_cli("evaluate", labels, labels, "--plan", tmp_path / "none.json").code == 3


def test_evaluation_needs_no_network_library(surgplan_cli, labels) -> None:
    words = f"from surgplan.cli import main; main(['evaluate', {str(labels)!r}, {str(labels)!r}])"
    code = f"import sys; {words}; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
