"""From a config to a bundle that segments, resumable and deterministic."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import InputRefusedError, ModelIntegrityError, NothingToDoError
from surgplan.io import write_label_map, write_volume
from surgplan.segmentation import (
    WEIGHTS,
    SegmentSettings,
    find_model,
    load_network,
    segment,
)
from surgplan.training import read_training_settings, train, train_segmentation
from surgplan.volume import ANATOMY, LIVER, SPLEEN, Geometry, LabelMap, Volume

CONFIG = """
name = "tiny"
steps = {steps}
patch = [16, 16, 16]
spacing_mm = 6.0
learning_rate = 5e-3
seed = 3
threads = 1

[network]
filters = [4, 8, 8]

[[source]]
name = "block"
image = "ct.nii.gz"
labels = "labels.nii.gz"
lesions = 0.0
[source.table]
"liver parenchyma" = [1]
"spleen" = [8]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A bright block for a liver and a brighter one for a spleen, oblique axes included."""
    affine = np.array(
        [[0, 0, -5.0, 40], [0, 5.0, 0, -30], [6.0, 0, 0, 10], [0, 0, 0, 1]], dtype=float
    )
    geometry = Geometry(shape=(20, 24, 24), affine=affine)
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[4:16, 4:18, 3:14] = LIVER.label
    labels[6:12, 10:20, 17:22] = SPLEEN.label
    image = np.select([labels == 1, labels == 8], [110, 160], -80).astype(np.int16)
    image[0] = -1000
    write_volume(Volume(array=image, geometry=geometry, modality="CT"), tmp_path / "ct.nii.gz")
    write_label_map(
        LabelMap(array=labels, geometry=geometry, segments=(LIVER, SPLEEN)),
        tmp_path / "labels.nii.gz",
    )
    return tmp_path


def config(folder: Path, steps: int, extra: str = "") -> Path:
    path = folder / f"config-{steps}.toml"
    path.write_text(extra + CONFIG.format(steps=steps))
    return path


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(data: Path) -> None:
    whole = read_training_settings(config(data, 6))
    straight = train(whole, data, data / "straight")

    def stop(fraction: float, words: str) -> None:
        raise AssertionError((fraction, words))

    interrupted = data / "interrupted"
    state = train(whole, data, data / "scratch")
    assert state.step == 6
    half = train(read_training_settings(config(data, 3)), data, interrupted)
    assert half.step == 3
    resumed = train(whole, data, interrupted)
    assert resumed.step == 6
    rates = [g["lr"] for g in resumed.optimiser.param_groups]
    assert rates == [g["lr"] for g in straight.optimiser.param_groups]
    again = train(whole, data, data / "straight", progress=stop)  # nothing left to do
    for name, value in straight.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
        assert torch.equal(value, state.network.state_dict()[name]), name


def test_a_trained_bundle_segments_and_reports_where_it_comes_from(data: Path) -> None:
    bundle = train_segmentation(config(data, 100), data=data, run=data / "run")
    from surgplan.io import read_volume

    scan = read_volume(data / "ct.nii.gz", modality="CT")
    words: list[str] = []
    found = segment(
        scan,
        settings=SegmentSettings(
            model=bundle, threads=1, progress=lambda f, w: words.append(f"{f:.2f} {w}")
        ),
    )
    assert found.label_map.geometry == scan.geometry
    assert found.confidence.shape == scan.geometry.shape
    assert 0 < found.confidence.min() <= found.confidence.max() <= 1
    assert found.provenance["model_sha256"] == find_model(bundle).sha256
    assert words[-1].startswith("1.00")
    wanted = np.zeros(scan.geometry.shape, dtype=bool)
    wanted[4:16, 4:18, 3:14] = True
    liver = found.label_map.whole_liver()
    assert 2 * (liver & wanted).sum() / (liver.sum() + wanted.sum()) > 0.6
    card = (bundle / "docs/README.md").read_text()
    assert "Not a medical device" in card
    assert find_model(bundle).sha256 in card


def test_what_a_network_is_for_stands_in_its_card(data: Path) -> None:
    for purpose, told in (("For tests.", "For tests. Tumours"), ("", "Portal-phase CT")):
        path = config(data, 1)
        path.write_text(f'purpose = "{purpose}"\n' + path.read_text())
        bundle = train_segmentation(path, data=data, run=data / f"run {len(purpose)}")
        assert told in (bundle / "docs/README.md").read_text()
        described = find_model(bundle).description
        assert described.startswith("U-Net at 6 mm, 16 structures around the liver. ")
        assert described.count(". ") == (2 if purpose else 1) + NOT_A_MEDICAL_DEVICE.count(". ")
        assert purpose in described


def test_a_bundle_with_one_changed_byte_is_refused(data: Path) -> None:
    bundle = train_segmentation(config(data, 1), data=data, run=data / "run")
    path = bundle / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelIntegrityError, match="sha256"):
        load_network(find_model(bundle))
    path.unlink()
    with pytest.raises(ModelIntegrityError, match="no readable weights"):
        load_network(find_model(bundle))
    (bundle / "configs/metadata.json").write_text("{}")
    with pytest.raises(ModelIntegrityError, match="metadata"):
        find_model(bundle)


def test_monai_builds_the_same_network_from_the_bundle(data: Path) -> None:
    from monai.bundle import ConfigParser

    bundle = train_segmentation(config(data, 1), data=data, run=data / "run")
    parsed = ConfigParser(json.loads((bundle / "configs/inference.json").read_text()))
    parsed["bundle_root"] = str(bundle)
    theirs = parsed.get_parsed_content("network_def").eval()
    parsed.get_parsed_content("load_weights")
    patch = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = load_network(find_model(bundle))(patch)
        assert torch.equal(theirs(patch), expected)


def test_an_unknown_model_names_those_that_are_there() -> None:
    with pytest.raises(NothingToDoError, match="no model 'nonesuch'"):
        find_model("nonesuch")


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        ("speed = 3\n", r"unknown keys \['speed'\]"),
        ("name = [\n", "cannot read the training config"),
    ],
)
def test_a_config_with_a_mistake_is_refused(tmp_path: Path, extra: str, match: str) -> None:
    with pytest.raises(InputRefusedError, match=match):
        read_training_settings(config(tmp_path, 2, extra))


def test_a_config_that_names_an_unknown_structure_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path, 2)
    path.write_text(path.read_text().replace('"spleen"', '"milt"'))
    with pytest.raises(InputRefusedError, match="milt"):
        read_training_settings(path)


def test_marks_of_a_source_stand_in_a_file_beside_the_config(tmp_path: Path) -> None:
    path = config(tmp_path, 2)
    path.write_text(path.read_text().replace("[[source]]\n", '[[source]]\nmarks = "m.toml"\n', 1))
    (tmp_path / "m.toml").write_text('[strokes]\n"spleen" = [[[1.0, 2.0, 3.0]]]\n')
    settings = read_training_settings(path)
    assert settings.sources[0].strokes == {"spleen": [[[1.0, 2.0, 3.0]]]}
    (tmp_path / "m.toml").write_text('[scratches]\n"spleen" = [[[1.0, 2.0, 3.0]]]\n')
    with pytest.raises(InputRefusedError, match="scratches"):
        read_training_settings(path)


@pytest.mark.parametrize("file", ["liver_first", "abdomen_further", "abdomen_organs"])
def test_the_shipped_configs_read_and_their_classes_are_the_vocabulary(file: str) -> None:
    path = Path(__file__).parents[2] / f"scripts/configs/{file}.toml"
    settings = read_training_settings(path)
    assert settings.network.classes == 1 + len(ANATOMY)
    assert {s.name for s in settings.sources} >= {"totalseg-ct", "lits-100"}
    assert not any("ircad" in f"{s.labels} {s.image}" for s in settings.sources)
