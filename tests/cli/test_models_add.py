"""`surgplan models add`: a MONAI bundle made here, added by its names or by a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from surgplan.io import read_label_map
from surgplan.segmentation import _adopted

pytest.importorskip("monai", reason="needs the ai extra")


@pytest.fixture
def theirs(tmp_path, monkeypatch) -> Path:
    from monai.networks.nets import UNet

    monkeypatch.setattr(_adopted, "user_data_path", lambda _: tmp_path / "user")
    folder = tmp_path / "theirs"
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True)
    unet = {
        "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8], "strides": [2],
    }  # fmt: skip
    torch.manual_seed(0)
    state = {k: v.contiguous() for k, v in UNet(**unet).state_dict().items()}
    save_file(state, folder / "models" / "model.safetensors")
    channels = {"0": "background", "1": "liver", "2": "hepatic vessel"}
    metadata = {
        "version": "0.5", "name": "theirs", "description": "a tiny one",
        "network_data_format": {
            "inputs": {"image": {"modality": "CT"}}, "outputs": {"pred": {"channel_def": channels}},
        },
    }  # fmt: skip
    steps = [
        {"_target_": "Spacingd", "pixdim": 6.0},
        {"_target_": "NormalizeIntensityd", "subtrahend": 50, "divisor": 100},
    ]
    inference = {
        "network_def": {"_target_": "monai.networks.nets.UNet", **unet},
        "preprocessing": {"transforms": steps},
        "inferer": {"roi_size": 16},
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (folder / "configs" / "inference.json").write_text(json.dumps(inference))
    return folder


def test_a_name_that_could_mean_two_structures_is_asked_for(surgplan_cli, theirs, tmp_path) -> None:
    told = surgplan_cli("models", "add", theirs)
    assert told.code == 3
    assert "hepatic vessel" in told.error
    table = tmp_path / "names.json"
    table.write_text('{"hepatic vessel": "hepatic veins"}')
    told = surgplan_cli("models", "add", theirs, "--labels", table, "--json")
    assert told.code == 0, told.err
    assert told.answer["structures"] == {
        "liver": "liver parenchyma",
        "hepatic vessel": "hepatic veins",
    }


def test_an_added_model_is_listed_shown_verified_and_used(
    surgplan_cli, theirs, inputs, tmp_path
) -> None:
    table = tmp_path / "names.json"
    table.write_text('{"hepatic vessel": "ignore"}')
    assert surgplan_cli("models", "add", theirs, "--labels", table, "--name", "mine").code == 0
    listed = surgplan_cli("models", "list", "--json").answer["models"]
    model = next(m for m in listed if m["name"] == "mine")
    assert model["origin"] == "monai"
    assert "liver" in surgplan_cli("models", "show", "mine").out
    assert surgplan_cli("models", "verify", "mine").code == 0
    out = tmp_path / "out.nii.gz"
    told = surgplan_cli("segment", inputs / "scan.nii.gz", out, "--model", "mine", "--json")
    assert told.code == 0, told.err
    assert told.answer["provenance"]["model_sha256"] == model["sha256"]
    assert set(read_label_map(out).labels_present()) <= {1}
    weights = Path(model["folder"]) / _adopted.TENSORS
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    assert surgplan_cli("models", "verify", "mine").code == 9


def test_what_is_no_model_is_refused(surgplan_cli, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    assert surgplan_cli("models", "add", tmp_path / "empty").code == 3
    assert surgplan_cli("models", "add", tmp_path / "nowhere").code == 4
