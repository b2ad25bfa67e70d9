"""A network too small to be any good, for tests of what is done with networks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_model

from surgplan.segmentation import METADATA, WEIGHTS, NetworkSettings, build_network


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    for part in (WEIGHTS.parent, METADATA.parent):
        (folder / part).mkdir(parents=True)
    network = {"classes": 17, "filters": [4, 8, 8]}
    torch.manual_seed(0)
    save_model(build_network(NetworkSettings(**network)), str(folder / WEIGHTS))
    own = {
        "name": "tiny", "sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        "network": network, "spacing_mm": 4.0, "window": [16, 16, 16], "temperature": 1.0,
    }  # fmt: skip
    told = {"version": "1", "description": "tiny", "surgplan": own}
    (folder / METADATA).write_text(json.dumps(told))
    return folder
