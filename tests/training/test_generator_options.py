"""Configs built on others, an autoencoder taken over, a critic, and private training."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from surgplan.errors import InputRefusedError, MissingExtraError, UsageError
from surgplan.io import write_label_map, write_volume
from surgplan.synthesis import (
    GeneratorSettings,
    SampleSettings,
    Scene,
    build_autoencoder,
    generate,
    load_generator,
)
from surgplan.training import read_generator_settings, train_synthesis
from surgplan.training._generator_adversary import adversarial_loss, build_adversary
from surgplan.training._generator_private import PrivacySettings, private_gradients
from surgplan.training._generator_samples import Scan, draw_generator_sample, load_scans
from surgplan.training._team import Team
from surgplan.volume import ANATOMY, LIVER, Geometry, LabelMap, Volume

BASE = """
name = "base"
spacing_mm = 6.0
threads = 1
half = false
[network]
code = [8, 8]
flow = [8, 8]
[autoencoder]
steps = 2
patches = [[16, 16, 16]]
[flow]
steps = 2
patches = [[16, 16, 16]]
[[source]]
name = "block"
image = "ct.nii.gz"
labels = "labels.nii.gz"
look = "portal"
[source.table]
"liver parenchyma" = [1]
"""
ON_BASE = """
based_on = "base.toml"
name = "{name}"
start = "{start}"
[network]
code = [8, 8]
flow = [8, 8]
sampler = "{sampler}"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A block of a liver, its config, and a generator trained on it."""
    folder = tmp_path_factory.mktemp("data")
    affine = np.array(
        [[0, 0, -6.0, 90], [0, 6.0, 0, -90], [6.0, 0, 0, 10], [0, 0, 0, 1]], dtype=float
    )
    geometry = Geometry(shape=(18, 22, 20), affine=affine)
    array = np.zeros(geometry.shape, dtype=np.uint8)
    array[3:15, 4:18, 4:16] = LIVER.label
    image = np.where(array > 0, 110, -80) + np.random.default_rng(0).normal(0, 25, array.shape)
    scan = Volume(array=image.astype(np.int16), geometry=geometry, modality="CT")
    write_volume(scan, folder / "ct.nii.gz")
    labels = LabelMap(array=array, geometry=geometry, segments=ANATOMY)
    write_label_map(labels, folder / "labels.nii.gz")
    (folder / "base.toml").write_text(BASE)
    train_synthesis(folder / "base.toml", data=folder, run=folder / "base")
    return folder


def config(data: Path, sampler: str, extra: str = "") -> Path:
    path = data / f"{sampler}{len(extra)}.toml"
    start = data / "base/bundle"
    path.write_text(ON_BASE.format(name=sampler, start=start, sampler=sampler) + extra)
    return path


def scans_of(data: Path) -> list[Scan]:
    settings = read_generator_settings(data / "base.toml")
    return load_scans(settings.sources[0], data, 6.0)


def test_a_config_adds_to_the_one_it_is_based_on(data: Path) -> None:
    base = read_generator_settings(data / "base.toml")
    other = read_generator_settings(config(data, "ddpm"))
    assert (other.name, other.network.sampler) == ("ddpm", "ddpm")
    assert (other.sources, other.flow, other.seed) == (base.sources, base.flow, base.seed)
    broken = data / "broken.toml"
    broken.write_text('based_on = "nowhere.toml"')
    with pytest.raises(InputRefusedError, match=r"nowhere\.toml"):
        read_generator_settings(broken)


@pytest.mark.parametrize("sampler", ["ddpm", "adversarial"])
def test_an_autoencoder_is_taken_over(data: Path, sampler: str) -> None:
    bundle = train_synthesis(config(data, sampler), data=data, run=data / sampler)
    given, made = load_generator(data / "base/bundle"), load_generator(bundle)
    for one, other in zip(
        given.autoencoder.parameters(), made.autoencoder.parameters(), strict=True
    ):
        assert torch.equal(one, other)
    assert made.scale == given.scale
    assert torch.equal(made.noise, given.noise)
    assert made.settings.sampler == sampler
    assert "those of base" in (bundle / "docs/README.md").read_text()
    assert not (data / sampler / "autoencoder").exists()


def test_an_adversarial_generator_passes_once(data: Path) -> None:
    made = load_generator(train_synthesis(config(data, "adversarial"), data=data, run=data / "gan"))
    calls = []
    handle = made.flow.register_forward_hook(lambda *_: calls.append(1))
    scene = Scene(
        ideal=torch.zeros(16, 16, 16),
        index=torch.ones(16, 16, 16, dtype=torch.long),
        look="portal",
        voxel_mm=6.0,
        thickness_mm=6.0,
    )
    image = generate(made, scene, SampleSettings(steps=10), torch.Generator().manual_seed(0))
    handle.remove()
    assert len(calls) == 1
    assert image.isfinite().all()


def test_another_architecture_is_refused(data: Path) -> None:
    path = config(data, "ddpm", " ")
    path.write_text(path.read_text().replace("code = [8, 8]", "code = [8, 16]"))
    with pytest.raises(InputRefusedError, match="leave out `start`"):
        train_synthesis(path, data=data, run=data / "other")


def test_maker_and_critic_learn_against_each_other(data: Path) -> None:
    settings = GeneratorSettings(code=(8, 8), flow=(8, 8), sampler="adversarial")
    torch.manual_seed(1)
    network, autoencoder = build_adversary(settings), build_autoencoder(settings).eval()
    autoencoder.requires_grad_(False)
    loss = adversarial_loss(autoencoder, 1.0)
    sample = draw_generator_sample(scans_of(data), ((16, 16, 16),), 6.0, 0, 0)
    chance = torch.Generator().manual_seed(0)
    loss(network, sample, chance).backward()
    with_both = [p.grad.clone() for p in network["critic"].parameters() if p.grad is not None]
    assert any(
        float(p.grad.abs().sum()) > 0 for p in network["maker"].parameters() if p.grad is not None
    )
    network.zero_grad(set_to_none=True)
    network["maker"].requires_grad_(False)  # what is left is the critic's own loss
    loss(network, sample, torch.Generator().manual_seed(0)).backward()
    alone = [p.grad for p in network["critic"].parameters() if p.grad is not None]
    for one, other in zip(with_both, alone, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


class Two(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))


def people(*weights: float) -> list[Scan]:
    blank = torch.zeros(2, 2, 2)
    return [
        Scan(image=blank, labels=blank, liver=np.zeros((0, 3), int), look=n, weight=w)
        for n, w in enumerate(weights)
    ]


def test_one_scan_moves_the_sum_by_no_more_than_the_clip() -> None:
    network = Two()
    quiet = PrivacySettings(noise=1e-9, clip=0.5, rate=1.0)
    slopes = torch.tensor([[30.0, 40.0], [0.03, 0.04], [float("nan"), 1.0]])

    def loss(scan: Scan) -> torch.Tensor:
        return (network.weight * slopes[scan.look]).sum()

    def sum_of(scans: list[Scan]) -> torch.Tensor:
        private_gradients(network, scans, quiet, loss, torch.Generator().manual_seed(0))
        assert network.weight.grad is not None
        return network.weight.grad * len(scans)

    assert torch.allclose(sum_of(people(1.0)), torch.tensor([0.3, 0.4]), atol=1e-5)  # norm 0.5
    both = sum_of(people(1.0, 1.0))
    assert torch.allclose(both, torch.tensor([0.33, 0.44]), atol=1e-5)  # the small one as it is
    assert torch.allclose(sum_of(people(1.0, 1.0, 1.0)), both, atol=1e-5)  # not a number: nothing


def test_processes_share_scans_and_one_of_them_adds_the_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Team, "add_up", lambda *_: None)  # what the processes hold beforehand
    network = Two()
    slopes = torch.tensor([[30.0, 40.0], [0.03, 0.04], [-0.02, 0.01]])

    def gradients(team: Team, noise: float) -> torch.Tensor:
        settings = PrivacySettings(noise=noise, clip=0.5, rate=1.0)

        def loss(scan: Scan) -> torch.Tensor:
            return (network.weight * slopes[scan.look]).sum()

        chance = torch.Generator().manual_seed(0)
        private_gradients(network, people(1.0, 1.0, 1.0), settings, loss, chance, team=team)
        assert network.weight.grad is not None
        return network.weight.grad.clone()

    parts = [gradients(Team(rank=rank, size=2), 1e-9) for rank in (0, 1)]
    assert torch.allclose(parts[0] + parts[1], gradients(Team(), 1e-9), atol=1e-6)
    assert float(parts[1].norm()) == pytest.approx(0.05 / 3, rel=1e-4)  # the second scan alone
    assert torch.equal(gradients(Team(rank=1, size=2), 50.0), parts[1])
    assert float((gradients(Team(rank=0, size=2), 50.0) - parts[0]).norm()) > 1


def test_noise_and_chance_are_those_of_the_settings() -> None:
    network = torch.nn.Linear(200, 200)
    settings = PrivacySettings(noise=3.0, clip=0.5, rate=0.5)
    seen: list[int] = []

    def loss(scan: Scan) -> torch.Tensor:
        seen.append(scan.look)
        return 0.0 * network.weight.sum() + 0.0 * network.bias.sum()

    chance = torch.Generator().manual_seed(4)
    for _ in range(300):
        private_gradients(network, people(2.0, 1.0), settings, loss, chance)
    assert network.weight.grad is not None
    assert float(network.weight.grad.std()) == pytest.approx(3.0 * 0.5 / 0.75, rel=0.03)
    assert seen.count(0) == pytest.approx(150, abs=30)  # half of the steps
    assert seen.count(1) == pytest.approx(75, abs=25)  # half the weight, half the chance


def test_epsilon_is_that_of_the_gaussian_mechanism() -> None:
    pytest.importorskip("opacus", reason="needs the extra 'privacy'")
    settings = PrivacySettings(noise=8.0, rate=1.0, delta=1e-5)
    steps = 50
    order = np.array([1 + x / 10.0 for x in range(1, 100)] + list(range(12, 64)))
    renyi = steps * order / (2 * settings.noise**2)
    bound = renyi - (np.log(settings.delta) + np.log(order)) / (order - 1)
    wanted = float((bound + np.log((order - 1) / order)).min())
    assert settings.epsilon(steps) == pytest.approx(wanted, rel=1e-6)
    rare = PrivacySettings(noise=8.0, rate=0.1, delta=1e-5)
    assert rare.epsilon(steps) < settings.epsilon(steps) < settings.epsilon(2 * steps)


def test_private_training_tells_its_epsilon(data: Path) -> None:
    pytest.importorskip("opacus", reason="needs the extra 'privacy'")
    path = config(data, "flow", "[privacy]\nnoise = 4.0\ndelta = 1e-3\n")
    bundle = train_synthesis(path, data=data, run=data / "private")
    told = json.loads((bundle / "configs/metadata.json").read_text())["surgplan"]["privacy"]
    assert told["epsilon"] == pytest.approx(
        PrivacySettings(noise=4.0, delta=1e-3).epsilon(2), abs=0.01
    )
    card = (bundle / "docs/README.md").read_text()
    assert f"epsilon {told['epsilon']:g} at delta 0.001" in card
    assert "not told" in card
    plain = (data / "base/bundle/docs/README.md").read_text()
    assert "not differentially private" in plain


def test_a_missing_accountant_is_found_before_training(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opacus.accountants", None)
    path = config(data, "flow", "[privacy]\nnoise = 2.0\n")
    with pytest.raises(MissingExtraError, match="privacy"):
        train_synthesis(path, data=data, run=data / "never")
    assert not (data / "never").exists()


def test_privacy_refuses_nonsense() -> None:
    for words in ({"noise": 0.0}, {"clip": -1.0}, {"rate": 1.5}, {"delta": 0.0}):
        with pytest.raises(UsageError, match="above 0"):
            PrivacySettings(**words)
