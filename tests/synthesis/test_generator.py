"""The generator's parts: what goes in comes out, brightness is exact, seeds decide."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from surgplan.errors import ModelIntegrityError, NothingToDoError, UsageError
from surgplan.synthesis import (
    CLASSES,
    GENERATOR_SCHEMA,
    LOOKS,
    Generator,
    GeneratorSettings,
    NoiseShape,
    SampleSettings,
    Scene,
    build_autoencoder,
    build_flow,
    change_look,
    class_index,
    class_means,
    find_generator,
    generate,
    hu_as_mr,
    load_generator,
    mean_image,
    mr_as_hu,
    one_hot,
    pack,
    read_generator_info,
    remainder,
    unpack,
)

TINY = GeneratorSettings(code=(8, 8), flow=(8, 16))
NOISE = NoiseShape(white=0.3, across_voxels=0.5, in_plane_voxels=0.9)


def tiny_generator(settings: GeneratorSettings = TINY) -> Generator:
    torch.manual_seed(0)
    return Generator(
        name="tiny",
        settings=settings,
        autoencoder=build_autoencoder(settings).eval(),
        flow=build_flow(settings).eval(),
        scale=1.0,
        noise=torch.full((len(LOOKS), len(CLASSES)), 6.0),
        noise_shape=(NOISE,) * len(LOOKS),
        spacing_mm=3.0,
        sha256=("", ""),
    )


def scene(look: str = "portal") -> Scene:
    labels = torch.full((18, 20, 26), 203)
    labels[3:15, 4:16, 4:20] = 1
    labels[6:11, 7:12, 8:14] = 2
    index = class_index(labels)
    ideal = torch.where(labels == 1, 105.0, torch.where(labels == 2, 60.0, 50.0))
    return Scene(ideal=ideal, index=index, look=look, voxel_mm=3.0, thickness_mm=3.0)


def test_blocks_pack_and_unpack() -> None:
    image = torch.randn(4, 6, 8)
    assert torch.equal(unpack(pack(image)), image)
    block = pack(image)[0, :, 1, 2, 3]
    assert torch.equal(block, image[2:4, 4:6, 6:8].reshape(-1))


def test_an_image_is_its_means_and_its_remainder() -> None:
    index = scene().index
    image = torch.randn(index.shape) * 30 + 80
    means = mean_image(index, class_means(index, image))
    assert torch.allclose(means + 60 * remainder(image, means), image, atol=1e-3)
    for place in index.unique():
        mask = index == place
        assert float(class_means(index, image)[place]) == pytest.approx(
            float(image[mask].mean()), abs=1e-3
        )


def test_shares_of_classes_in_latent_voxels_add_up() -> None:
    index = class_index(torch.randint(0, 17, (8, 8, 8)))
    shares = one_hot(index, 4)
    assert shares.shape == (len(CLASSES), 2, 2, 2)
    assert torch.allclose(shares.sum(dim=0), torch.ones(2, 2, 2))
    assert float(shares[3, 0, 0, 0]) == pytest.approx(
        float((index[:4, :4, :4] == 3).float().mean()), abs=1e-6
    )


@pytest.mark.parametrize("use_flow", [True, False])
def test_each_structure_is_as_bright_as_asked_for(use_flow: bool) -> None:
    made = generate(
        tiny_generator(),
        scene(),
        SampleSettings(steps=2, use_flow=use_flow),
        torch.Generator().manual_seed(1),
    )
    what = scene()
    assert made.shape == what.ideal.shape
    wanted = class_means(what.index, what.means)
    found = class_means(what.index, made)
    for place in what.index.unique():
        assert float(found[place]) == pytest.approx(float(wanted[place]), abs=0.05)
    assert made[what.index == 1].std() > 3


def test_same_seed_same_image() -> None:
    images = [
        generate(
            tiny_generator(), scene(), SampleSettings(steps=3), torch.Generator().manual_seed(seed)
        )
        for seed in (4, 4, 5)
    ]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


@pytest.mark.slow
def test_ddpm_takes_all_its_steps() -> None:
    settings = GeneratorSettings(code=(8, 8), flow=(8, 8), sampler="ddpm")
    generator = tiny_generator(settings)
    calls = []
    generator.flow.register_forward_hook(lambda *_: calls.append(1))
    small = Scene(
        ideal=torch.zeros(16, 16, 16),
        index=torch.ones(16, 16, 16, dtype=torch.long),
        look="native",
        voxel_mm=3.0,
        thickness_mm=3.0,
    )
    made = generate(generator, small, SampleSettings(), torch.Generator().manual_seed(0))
    assert len(calls) == 1000
    assert made.isfinite().all()


def test_a_changed_look_has_new_means_and_keeps_some_texture() -> None:
    generator = tiny_generator()
    old = scene()
    image = old.means + 20 * torch.randn(
        old.ideal.shape, generator=torch.Generator().manual_seed(1)
    )
    new = Scene(
        ideal=-old.ideal, index=old.index, look="MR", voxel_mm=3.0, thickness_mm=3.0
    )  # fmt: skip
    made = change_look(
        generator,
        image,
        new,
        SampleSettings(steps=4, strength=0.5, noise=False),
        torch.Generator().manual_seed(2),
    )
    assert float(made[new.index == 1].mean()) == pytest.approx(
        float(new.means[new.index == 1].mean()), abs=0.1
    )


def test_air_is_black_in_mr() -> None:
    def spread(look: str) -> float:
        what = scene(look)
        dark = replace(what, ideal=torch.where(what.index == 1, -195.0, 120.0))
        made = generate(
            tiny_generator(), dark, SampleSettings(steps=2), torch.Generator().manual_seed(1)
        )
        inside = torch.zeros(what.index.shape, dtype=torch.bool)
        inside[5:13, 6:14, 15:18] = True  # of class 1, away from its edges
        return float(made[inside & (what.index == 1)].std())

    assert spread("MR") < 0.15 * spread("portal")


def test_mr_scale_goes_both_ways() -> None:
    image = torch.linspace(0, 900, 50)
    assert torch.allclose(hu_as_mr(mr_as_hu(image)), image, atol=1e-3)


def write_bundle(folder: Path, **changes: object) -> Path:
    import hashlib

    generator = tiny_generator()
    (folder / "models").mkdir(parents=True)
    (folder / "configs").mkdir()
    sums = {}
    for name, network in (("autoencoder", generator.autoencoder), ("flow", generator.flow)):
        path = folder / "models" / f"{name}.safetensors"
        save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, path)
        sums[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    own = {
        "name": "tiny",
        "sha256": sums,
        "network": TINY.to_dict(),
        "classes": list(CLASSES),
        "looks": list(LOOKS),
        "spacing_mm": 3.0,
        "scale": 1.0,
        "noise": generator.noise.tolist(),
        "schema": GENERATOR_SCHEMA,
        "noise_shape": [NOISE.to_dict()] * len(LOOKS),
        **changes,
    }
    (folder / "configs/metadata.json").write_text(
        json.dumps({"version": "1", "description": "tiny", "surgplan": own})
    )
    return folder


def test_a_bundle_is_verified_and_loaded(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "good")
    info = read_generator_info(folder)
    info.verify()
    assert (info.name, info.spacing_mm, info.folder) == ("tiny", 3.0, folder)
    loaded = load_generator(find_generator(folder))
    weight = next(iter(loaded.flow.state_dict().values()))
    assert torch.allclose(
        weight, next(iter(tiny_generator().flow.state_dict().values())), atol=1e-3
    )
    path = folder / "models/flow.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    load_generator.cache_clear()
    with pytest.raises(ModelIntegrityError, match="checksum"):
        read_generator_info(folder).verify()
    with pytest.raises(ModelIntegrityError, match="checksum"):
        load_generator(folder)
    with pytest.raises(ModelIntegrityError, match="classes"):
        load_generator(write_bundle(tmp_path / "other", classes=[1, 2]))
    with pytest.raises(NothingToDoError, match="no generator"):
        find_generator("nowhere")


def test_bundles_of_older_schemas_are_read_and_newer_ones_refused(tmp_path: Path) -> None:
    blurs = [0.3, 0.4, 0.5, 0.6, 0.7]
    for name, given in (("list", blurs), ("number", 0.4)):
        folder = write_bundle(tmp_path / name, noise_blur=given)
        path = folder / "configs/metadata.json"
        told = json.loads(path.read_text())
        del told["surgplan"]["schema"], told["surgplan"]["noise_shape"]
        path.write_text(json.dumps(told))
        found = load_generator(folder).noise_shape
        assert [shape.in_plane_voxels for shape in found] == (
            given if name == "list" else [given] * len(LOOKS)
        )
        assert all(s.white == 0 and s.across_voxels == s.in_plane_voxels for s in found)
    assert load_generator(write_bundle(tmp_path / "now")).noise_shape[2] == NOISE
    with pytest.raises(ModelIntegrityError, match=r"schema 3.*newer surgplan"):
        load_generator(write_bundle(tmp_path / "later", schema=3))
    with pytest.raises(ModelIntegrityError, match="4 looks"):
        load_generator(write_bundle(tmp_path / "few", noise_shape=[NOISE.to_dict()] * 4))
    with pytest.raises(ModelIntegrityError, match="cannot be read"):
        load_generator(write_bundle(tmp_path / "mixed", schema=2, noise_shape=None))


def test_noise_has_the_spread_and_the_correlation_of_its_shape() -> None:
    noise = NOISE.draw((60, 60, 60), torch.Generator().manual_seed(0))
    assert float(noise.std()) == pytest.approx(1, abs=1e-4)
    for axis, sigma in ((0, 0.5), (1, 0.9), (2, 0.9)):
        kernel = torch.exp(-0.5 * (torch.arange(-8.0, 9.0) / sigma) ** 2)
        for lag in (1, 2):
            wanted = 0.7 * float((kernel[lag:] * kernel[:-lag]).sum() / (kernel**2).sum())
            one, other = noise.narrow(axis, lag, 60 - lag), noise.narrow(axis, 0, 60 - lag)
            assert float((one * other).mean()) == pytest.approx(wanted, abs=0.02)
    again = NOISE.draw((60, 60, 60), torch.Generator().manual_seed(0))
    assert torch.equal(noise, again)
    with pytest.raises(UsageError, match="white"):
        NoiseShape(white=1.2)


def test_settings_refuse_nonsense() -> None:
    with pytest.raises(UsageError, match="steps"):
        SampleSettings(steps=0)
    with pytest.raises(ModelIntegrityError, match="multiples of 8"):
        GeneratorSettings(flow=(12, 16))
