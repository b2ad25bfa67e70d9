"""Training the network that looks inside the liver."""

from pathlib import Path

import numpy as np
import pytest
import torch

from surgplan.errors import InputRefusedError, UsageError
from surgplan.io import write_label_map
from surgplan.segmentation import find_model, load_network
from surgplan.training import read_training_settings, train_segmentation
from surgplan.training._contrast_labels import label_by_contrast
from surgplan.training._found_liver import found_liver
from surgplan.training._settings import SourceSettings
from surgplan.training._start import start_from
from surgplan.volume import (
    ANATOMY,
    COUINAUD,
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
)

CONFIG = """
name = "inside"
stage = "liver"
steps = 3
patch = [16, 16, 16]
spacing_mm = 5.0
threads = 1

[network]
filters = [4, 8, 8]

[[source]]
name = "a bank of livers"
labels = "bank/*.liver.nii.gz"
vessels = "bank/*.vessels.nii.gz"
cut_out = true
draw = 1.0
lesions = 1.0
masses = 1.0
merge = { "portal vein" = "hepatic veins" }
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One liver with vessels, one without, which is left out."""
    geometry = Geometry.from_spacing(shape=(20, 22, 24), spacing_mm=(5.0, 5.0, 5.0))
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[4:16, 4:18, 3:20] = LIVER.label
    vessels = np.zeros(geometry.shape, dtype=np.uint8)
    vessels[9:11, 9:11, 3:20] = 1
    (tmp_path / "bank").mkdir()
    for name, array in (("a.liver", labels), ("a.vessels", vessels), ("b.liver", labels)):
        write_label_map(
            LabelMap(array=array, geometry=geometry, segments=(LIVER,)),
            tmp_path / "bank" / f"{name}.nii.gz",
        )
    (tmp_path / "inside.toml").write_text(CONFIG)
    return tmp_path


def test_a_bundle_of_the_second_stage_says_so_and_takes_three_channels(data: Path) -> None:
    info = find_model(train_segmentation(data / "inside.toml", data=data, run=data / "run"))
    assert info.stage == "liver"
    assert info.network.channels == 3
    with torch.inference_mode():
        scores = load_network(info)(torch.zeros(1, 3, 16, 16, 16))
    assert scores.shape == (1, 1 + len(ANATOMY), 16, 16, 16)
    assert (
        "where another network has found the liver" in (info.folder / "docs/README.md").read_text()
    )


def test_a_liver_takes_the_vessels_that_carry_its_name(data: Path) -> None:
    from surgplan.training._sources import load_sources

    settings = read_training_settings(data / "inside.toml")
    (source,) = load_sources(settings.sources[0], data, 5.0)
    assert int((source.target == HEPATIC_VEINS.label).sum()) == 2 * 2 * 17
    assert source.group[3] == HEPATIC_VEINS.label


def test_a_network_for_the_wrong_stage_is_refused(data: Path) -> None:
    path = data / "inside.toml"
    path.write_text(
        path.read_text().replace("filters = [4, 8, 8]", "filters = [4, 8, 8]\nchannels = 1")
    )
    with pytest.raises(UsageError, match="3 channels"):
        read_training_settings(path)


def test_further_channels_of_a_started_network_change_nothing_at_first() -> None:
    torch.manual_seed(1)
    narrow, wide = (torch.nn.Conv3d(n, 4, 3, padding=1) for n in (1, 3))
    start_from(wide, narrow)
    image = torch.randn(1, 3, 6, 6, 6)
    torch.testing.assert_close(wide(image), narrow(image[:, :1]))
    with pytest.raises(InputRefusedError, match="same filters"):
        start_from(torch.nn.Conv3d(1, 5, 3), narrow)
    with pytest.raises(InputRefusedError, match="another architecture"):
        start_from(torch.nn.Linear(3, 4, bias=False), narrow)


def test_a_liver_found_first_is_nearly_the_liver() -> None:
    target = torch.zeros(40, 50, 60)
    target[8:32, 10:40, 10:50] = LIVER.label
    target[15:25, 20:30, 20:30] = LIVER_TUMOUR.label
    whole = target > 0
    overlaps = []
    for seed in range(30):
        found = found_liver(
            target, 2.0, np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        )
        overlaps.append(float(2 * (found & whole).sum() / (found.sum() + whole.sum())))
    assert np.median(overlaps) > 0.9
    assert len(set(overlaps)) == 30
    assert min(overlaps) < 0.96


def test_what_stands_out_in_a_liver_gets_a_label() -> None:
    rng = np.random.default_rng(2)
    labels = np.zeros((40, 50, 60), dtype=np.uint8)
    labels[5:35, 5:45, 5:55] = LIVER.label
    image = np.where(labels > 0, 105.0, -80.0)
    truth = labels.copy()
    truth[12:24, 12:24, 12:24] = LIVER_TUMOUR.label
    truth[26:30, 26:30, 10:50] = HEPATIC_VEINS.label
    image[truth == LIVER_TUMOUR.label] = 60
    image[truth == HEPATIC_VEINS.label] = 160
    noisy = (image + rng.normal(0, 12, image.shape)).astype(np.float32)
    found = label_by_contrast(noisy, labels, 2.0)
    for segment in (LIVER_TUMOUR, HEPATIC_VEINS):
        a, b = found == segment.label, truth == segment.label
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.85, segment.name
    assert ((found > 0) == (labels > 0)).all()
    empty = np.zeros((4, 4, 4), dtype=np.uint8)
    assert (label_by_contrast(noisy[:4, :4, :4], empty, 2.0) == 0).all()


def test_veins_take_the_label_of_the_seed_that_is_nearest_along_them() -> None:
    labels = np.zeros((40, 50, 60), dtype=np.uint8)
    labels[5:35, 5:45, 5:55] = LIVER.label
    truth = labels.copy()
    truth[12:15, 12:15, 10:50] = PORTAL_VEIN.label
    truth[22:25, 12:15, 10:50] = HEPATIC_VEINS.label
    truth[22:25, 12:38, 30:33] = HEPATIC_VEINS.label
    vessels = truth > LIVER.label
    unseeded = np.zeros_like(vessels)
    unseeded[28:31, 33:36, 10:25] = True
    image = np.where(labels > 0, 105.0, -80.0)
    image[vessels | unseeded] = 165
    image += np.linspace(0, 40, 60)  # the parenchyma is not alike everywhere
    seeds = {
        PORTAL_VEIN.label: np.array([[13, 13, 47]]),
        HEPATIC_VEINS.label: np.array([[23, 36, 31]]),
    }
    found = label_by_contrast(image.astype(np.float32), labels, 2.0, seeds)
    for segment in (PORTAL_VEIN, HEPATIC_VEINS):
        a, b = found == segment.label, truth == segment.label
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.8, segment.name
    assert (found[unseeded] == LIVER.label).all()


def test_an_outline_found_first_can_be_grossly_wrong() -> None:
    target = torch.zeros(60, 60, 60)
    target[10:50, 10:50, 10:40] = LIVER.label
    deep = target.clone()
    deep[14:46, 14:46, 14:36] = 0
    far, missed = 0, 0
    for seed in range(60):
        found = found_liver(
            target, 2.0, np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        )
        far += bool(found[:, :, 46:].any())
        missed += bool((~found[15:45, 15:45, 15:35]).any())
    assert 3 < far < 25
    assert 2 < missed < 20


def test_veins_drawn_into_couinaud_segments_stay_apart(tmp_path: Path) -> None:
    from surgplan.training._sources import load_sources

    geometry = Geometry.from_spacing(shape=(40, 40, 60), spacing_mm=(3.0, 3.0, 3.0))
    level, column = np.arange(40)[:, None, None] >= 20, np.arange(60)[None, None, :]
    right = np.where(column < 20, np.where(level, 7, 6), np.where(level, 8, 5))
    left = np.where(column < 45, 4, np.where(level, 2, 3))
    segments = np.zeros(geometry.shape, dtype=np.uint8)
    segments[4:36, 4:36, 4:56] = np.broadcast_to(
        np.where(column < 35, right, left), geometry.shape
    )[4:36, 4:36, 4:56]
    segments[18:28, 28:36, 28:40] = 1
    write_label_map(
        LabelMap(array=segments, geometry=geometry, segments=COUINAUD), tmp_path / "s.nii.gz"
    )
    settings = SourceSettings(
        name="segments",
        labels="*.nii.gz",
        table={"liver parenchyma": list(range(1, 9))},
        drawn_vessels=True,
        cut_out=True,
    )
    first, again = (load_sources(settings, tmp_path, 3.0)[0] for _ in range(2))
    for segment in (PORTAL_VEIN, HEPATIC_VEINS):
        assert int((first.target == segment.label).sum()) > 50, segment.name
    assert torch.equal(first.target, again.target)
    assert first.group.tolist() == list(range(1 + len(ANATOMY)))


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("liver_fine", "abdomen-3mm"),
        ("liver_further", "liver-2mm"),
        ("liver_organs", "liver-2mm"),
    ],
)
def test_the_shipped_configs_of_the_second_stage_read(file: str, start: str) -> None:
    path = Path(__file__).parents[2] / f"scripts/configs/{file}.toml"
    settings = read_training_settings(path)
    assert settings.stage == "liver"
    assert settings.start == start
    assert not any("ircad" in f"{s.labels} {s.image}" for s in settings.sources)
