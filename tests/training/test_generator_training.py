"""A generator from a config: learns, resumes to the same weights, ends in a bundle that samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from surgplan.errors import InputRefusedError, UsageError
from surgplan.io import write_label_map, write_volume
from surgplan.synthesis import (
    CLASSES,
    LOOKS,
    REMAINDER_HU,
    NoiseShape,
    VolumeSettings,
    body_of,
    load_generator,
    synthesise,
)
from surgplan.training import _generator_loop as loop
from surgplan.training import read_generator_settings, train_synthesis
from surgplan.training._checkpoint import RunState
from surgplan.training._generator_loop import autoencoder_stage, train_stage
from surgplan.training._generator_lost import measure_lost
from surgplan.training._generator_noise import Neighbours
from surgplan.training._generator_samples import draw_generator_sample, load_scans, plain_sample
from surgplan.volume import ANATOMY, LIVER, SPLEEN, Geometry, LabelMap, Volume

CONFIG = """
name = "tiny"
spacing_mm = 6.0
seed = 2
threads = 1
half = false
[network]
code = [8, 8]
flow = [8, 8]
[autoencoder]
steps = {steps}
patches = [[16, 16, 16]]
learning_rate = 5e-3
[flow]
steps = 3
patches = [[16, 16, 16]]
[[source]]
name = "block"
image = "ct.nii.gz"
labels = "labels.nii.gz"
look = "portal"
[source.table]
"liver parenchyma" = [1]
"spleen" = [8]
"""


def label_map() -> LabelMap:
    affine = np.array(
        [[0, 0, -6.0, 90], [0, 6.0, 0, -90], [6.0, 0, 0, 10], [0, 0, 0, 1]], dtype=float
    )
    geometry = Geometry(shape=(24, 30, 30), affine=affine)
    array = np.zeros(geometry.shape, dtype=np.uint8)
    array[4:20, 6:22, 4:16] = LIVER.label
    array[8:14, 12:24, 20:26] = SPLEEN.label
    return LabelMap(array=array, geometry=geometry, segments=ANATOMY)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    labels = label_map()
    rng = np.random.default_rng(0)
    means = np.select([labels.array == 1, labels.array == 8], [110, 160], -80)
    image = (means + rng.normal(0, 25, means.shape)).astype(np.int16)
    write_volume(
        Volume(array=image, geometry=labels.geometry, modality="CT"), tmp_path / "ct.nii.gz"
    )
    write_label_map(labels, tmp_path / "labels.nii.gz")
    return tmp_path


def config(folder: Path, steps: int) -> Path:
    path = folder / f"config{steps}.toml"
    path.write_text(CONFIG.format(steps=steps))
    return path


def test_a_sample_holds_what_means_leave_over(data: Path) -> None:
    settings = read_generator_settings(config(data, 2))
    scans = load_scans(settings.sources[0], data, 6.0)
    sample = draw_generator_sample(scans, ((16, 16, 16),), 6.0, 2, 5)
    again = draw_generator_sample(scans, ((16, 16, 16),), 6.0, 2, 5)
    assert torch.equal(sample.remainder, again.remainder)
    assert sample.condition.shape == (1, 25, 4, 4, 4)
    assert LOOKS[sample.look] == "portal"
    samples = [draw_generator_sample(scans, ((16, 16, 16),), 6.0, 2, n) for n in range(8)]
    place = CLASSES.index(LIVER.label)
    sample = max(samples, key=lambda s: int((s.index == place).sum()))
    liver = sample.remainder[sample.index == place]
    assert abs(float(liver.median())) < 0.2
    assert float(liver.std()) == pytest.approx(25 / 60, rel=0.4)  # the noise that was put in


class CarriesNothing(torch.nn.Module):
    """An autoencoder that loses all of a remainder."""

    def __init__(self) -> None:
        super().__init__()
        self.place = torch.nn.Parameter(torch.zeros(1))  # tells the device

    def encode(self, blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros_like(blocks), torch.ones_like(blocks)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(latent)


SHAPES = (
    NoiseShape(white=1.0),
    NoiseShape(across_voxels=0.5, in_plane_voxels=0.8),
    NoiseShape(white=0.4, across_voxels=0.5, in_plane_voxels=1.0),
)


@pytest.mark.parametrize("shape", SHAPES)
def test_lost_noise_is_not_lost_edges(data: Path, shape: NoiseShape) -> None:
    settings = read_generator_settings(config(data, 2))
    (scan,) = load_scans(settings.sources[0], data, 6.0)
    noise = shape.draw(tuple(scan.image.shape), torch.Generator().manual_seed(1))
    spread = torch.tensor([5.0, 20.0])[(scan.labels == SPLEEN.label).long()]
    clean = torch.where(scan.labels == LIVER.label, 110.0, 160.0)
    clean[scan.labels == 0] = -80.0
    clean = torch.from_numpy(ndimage.gaussian_filter(clean.numpy(), 0.6))  # edges, up to 190 HU
    lost = measure_lost(CarriesNothing(), settings, [replace(scan, image=clean + spread * noise)])
    own = lost.noise[LOOKS.index("portal")]
    assert float(own[CLASSES.index(LIVER.label)]) == pytest.approx(5, rel=0.25)
    assert float(own[CLASSES.index(SPLEEN.label)]) == pytest.approx(20, rel=0.25)
    assert torch.equal(own, lost.noise[LOOKS.index("MR")])  # a look without scans has that of all
    assert lost.shape[LOOKS.index("MR")] == lost.shape[LOOKS.index("portal")]
    np.testing.assert_allclose(
        correlation(lost.shape[LOOKS.index("portal")]), correlation(shape), atol=0.07
    )


def test_noise_is_that_of_real_scans_of_the_modality_whatever_the_phase(data: Path) -> None:
    settings = read_generator_settings(config(data, 2))
    (scan,) = load_scans(settings.sources[0], data, 6.0)
    noise = torch.randn(scan.image.shape, generator=torch.Generator().manual_seed(3))
    flat = torch.where(scan.labels == LIVER.label, 110.0, -80.0)
    real, drawn, mr = (
        replace(scan, image=flat + spread * noise, look=LOOKS.index(look), rendered=rendered)
        for spread, look, rendered in ((5, "portal", False), (40, "native", True), (15, "MR", True))
    )
    lost = measure_lost(CarriesNothing(), settings, [real, drawn, mr])
    liver = lost.noise[:, CLASSES.index(LIVER.label)].tolist()
    assert liver[:4] == pytest.approx([5] * 4, rel=0.15)
    assert liver[4] == pytest.approx(15, rel=0.15)  # no real one to measure
    (only,) = load_scans(read_generator_settings(phantoms(data)).sources[0], data, 8.0)
    assert only.rendered
    assert not scan.rendered


def phantoms(folder: Path) -> Path:
    path = folder / "phantoms.toml"
    start = CONFIG.index("[[source]]")
    source = '[[source]]\nname = "phantom"\nphantom_seeds = [1]\n'
    path.write_text(CONFIG[:start].format(steps=2).replace("= 6.0", "= 8.0") + source)
    return path


def correlation(shape: NoiseShape) -> np.ndarray:
    """Of neighbours in a large piece of noise."""
    counted = Neighbours()
    noise = shape.draw((64, 64, 64), torch.Generator().manual_seed(2)).numpy()
    counted.add(noise, np.ones(noise.shape, bool))
    return counted.correlation


def test_white_and_blurred_noise_are_told_apart() -> None:
    for shape in SHAPES:
        counted = Neighbours()
        noise = shape.draw((64, 64, 64), torch.Generator().manual_seed(2)).numpy()
        counted.add(noise, np.ones(noise.shape, bool))
        found = counted.shape()
        assert found.white == pytest.approx(shape.white, abs=0.06)
        if shape.white < 1:
            assert found.across_voxels == pytest.approx(shape.across_voxels, abs=0.06)
            assert found.in_plane_voxels == pytest.approx(shape.in_plane_voxels, abs=0.06)


def test_a_plain_sample_is_the_scan_itself(data: Path) -> None:
    settings = read_generator_settings(config(data, 2))
    (scan,) = load_scans(settings.sources[0], data, 6.0)
    flat = replace(scan, labels=torch.zeros_like(scan.labels), image=scan.image.clamp(-200, -40))
    sample = plain_sample([flat], ((32, 16, 16),), 6.0, 2, 1)
    assert sample.remainder.shape == (24, 16, 16)  # the scan has 24 slices
    found = sample.remainder * REMAINDER_HU
    found = found - found.mean()
    windows = flat.image.unfold(1, 16, 1).unfold(2, 16, 1).permute(1, 2, 0, 3, 4)
    away = windows - windows.mean(dim=(2, 3, 4), keepdim=True) - found
    assert float(away.abs().amax(dim=(2, 3, 4)).min()) < 1e-3


def test_the_autoencoder_learns(data: Path) -> None:
    settings = read_generator_settings(config(data, 60))
    scans = load_scans(settings.sources[0], data, 6.0)
    state = train_stage(autoencoder_stage(settings), settings, scans, data / "run")
    losses = [row["loss"] for row in state.history]
    assert losses[-1] < losses[0]


def test_a_run_cut_off_ends_in_the_same_bundle(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train_synthesis(config(data, 6), data=data, run=data / "whole")
    settings = read_generator_settings(config(data, 6))
    scans = load_scans(settings.sources[0], data, 6.0)
    real = loop._step

    def step(state: RunState, *rest: Any) -> list[float]:
        if state.step == 3:
            state.save(data / "cut" / "autoencoder")
            raise KeyboardInterrupt
        return real(state, *rest)

    monkeypatch.setattr(loop, "_step", step)
    with pytest.raises(KeyboardInterrupt):
        train_stage(autoencoder_stage(settings), settings, scans, data / "cut")
    monkeypatch.setattr(loop, "_step", real)
    cut = train_synthesis(config(data, 6), data=data, run=data / "cut")
    for name in ("autoencoder", "flow"):
        path = f"models/{name}.safetensors"
        assert (whole / path).read_bytes() == (cut / path).read_bytes()
    card = (whole / "docs/README.md").read_text()
    assert "Not a medical device" in card
    assert "block" in card
    assert load_generator(whole).name == "tiny"
    made = synthesise(
        VolumeSettings(method="flow", generator=str(whole), steps=2, spacing_mm=6.0, lesions=0),
        seed=0,
        body=body_of(label_map(), "blocks"),
    )
    assert made.image.array[made.label_map.mask(LIVER)].std() > 1
    assert made.facts["generator"] == str(whole)


def test_configs_refuse_nonsense(tmp_path: Path) -> None:
    good = CONFIG.format(steps=2)
    for bad, error, words in (
        (good.replace('look = "portal"', 'look = "night"'), InputRefusedError, "look"),
        (good.replace('look = "portal"', ""), InputRefusedError, "look"),
        (good.replace("seed = 2", "sed = 2"), InputRefusedError, "sed"),
        (good.replace("[[16, 16, 16]]", "[[15, 16, 16]]"), UsageError, "patches"),
    ):
        path = tmp_path / "bad.toml"
        path.write_text(bad)
        with pytest.raises(error, match=words):
            read_generator_settings(path)
