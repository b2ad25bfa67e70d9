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

    def encode(self, blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros_like(blocks), torch.ones_like(blocks)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(latent)


@pytest.mark.parametrize("blur", [0.0, 0.7])
def test_lost_noise_is_not_lost_edges(data: Path, blur: float) -> None:
    settings = read_generator_settings(config(data, 2))
    (scan,) = load_scans(settings.sources[0], data, 6.0)
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=scan.image.shape), blur)
    spread = torch.tensor([5.0, 20.0])[(scan.labels == SPLEEN.label).long()]
    clean = torch.where(scan.labels == LIVER.label, 110.0, 160.0)
    clean[scan.labels == 0] = -80.0
    clean = torch.from_numpy(ndimage.gaussian_filter(clean.numpy(), 0.6))  # edges, up to 190 HU
    noisy = clean + spread * torch.from_numpy(noise / noise.std()).float()
    lost = measure_lost(CarriesNothing(), settings, [replace(scan, image=noisy)])
    own = lost.noise[LOOKS.index("portal")]
    assert float(own[CLASSES.index(LIVER.label)]) == pytest.approx(5, rel=0.25)
    assert float(own[CLASSES.index(SPLEEN.label)]) == pytest.approx(20, rel=0.25)
    assert lost.blur[LOOKS.index("portal")] == pytest.approx(blur, abs=0.15 if blur else 0.3)
    assert torch.equal(own, lost.noise[LOOKS.index("MR")])  # a look without scans has that of all


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

    def step(state: RunState, *rest: Any) -> float:
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
