"""Other people's models: small ones made here, added, verified, and run against MONAI's inferer."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet
from safetensors.torch import save_file

from surgplan.errors import (
    InputRefusedError,
    LabelError,
    ModelIntegrityError,
    NothingToDoError,
    UnsafeFileError,
)
from surgplan.segmentation import (
    SegmentSettings,
    _adopted,
    add_model,
    find_added,
    look_into,
    segment,
)
from surgplan.segmentation._totalsegmentator import totalsegmentator_folder
from surgplan.volume import LIVER, PORTAL_VEIN, SPLEEN, Geometry, Volume

WINDOW = [16, 16, 16]
UNET = {
    "spatial_dims": 3, "in_channels": 1, "out_channels": 4, "channels": [4, 8], "strides": [2],
}  # fmt: skip
STRUCTURES = {"liver": LIVER, "spleen": SPLEEN, "gizmo": None}
TRANSFORMS = [
    {"_target_": "LoadImaged", "keys": "image"},
    {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": "image", "pixdim": [3.0, 3.0, 4.0]},
    {
        "_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -100, "a_max": 300,
        "b_min": 0.0, "b_max": 1.0, "clip": True,
    },
]  # fmt: skip


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_adopted, "user_data_path", lambda _: tmp_path / "user")


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return UNet(**UNET).eval()


def bundle(folder: Path, *, pt: bool = False, **config: object) -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    state = {k: v.contiguous() for k, v in network().state_dict().items()}
    if pt:
        torch.save({"model": state}, folder / "models" / "model.pt")
    else:
        save_file(state, folder / "models" / "model.safetensors")
    channels = {"0": "background", "1": "liver", "2": "spleen", "3": "gizmo"}
    metadata = {
        "version": "1.2", "name": "their model", "description": "tiny",
        "network_data_format": {
            "inputs": {"image": {"modality": "CT"}}, "outputs": {"pred": {"channel_def": channels}},
        },
    }  # fmt: skip
    inference = {
        "network_def": {"_target_": "UNet", **UNET},
        "preprocessing": {"_target_": "Compose", "transforms": TRANSFORMS},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": WINDOW, "overlap": 0.5},
        **config,
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (folder / "configs" / "inference.json").write_text(json.dumps(inference))
    return folder


def scan(modality: str = "CT") -> Volume:
    """On the grid of the network, with other axes than its own."""
    grid = Geometry.from_spacing(shape=(20, 24, 30), spacing_mm=(4.0, 3.0, 3.0))
    array = np.random.default_rng(0).normal(80, 90, grid.shape).astype(np.float32)
    return Volume(array=array, geometry=grid, modality=modality)


def added(path: Path):
    with look_into(path) as foreign:
        return add_model(foreign, STRUCTURES)


@pytest.mark.parametrize("pt", [False, True])
def test_a_monai_bundle_labels_as_monai_does(tmp_path, pt) -> None:
    model = added(bundle(tmp_path / "b", pt=pt))
    assert find_added("their-model") == model
    volume = scan()
    found = segment(volume, settings=SegmentSettings(model="their-model"))
    ras = np.flip(volume.array.transpose(2, 1, 0), (0, 1)).copy()  # ours runs S, P, L
    image = ((torch.from_numpy(ras).clamp(-100, 300) + 100) / 400)[None, None]
    inferer = SlidingWindowInferer(WINDOW, overlap=0.5, mode="gaussian")
    with torch.inference_mode():
        channels = inferer(image, network())[0].argmax(0).numpy()
    theirs = np.select([channels == 1, channels == 2], [LIVER.label, SPLEEN.label], 0)
    back = np.flip(theirs, (0, 1)).transpose(2, 1, 0)
    assert (found.label_map.array == back).mean() > 0.995  # the engine may be bfloat16
    assert {s.code for s in found.label_map.segments} == {LIVER.code, SPLEEN.code}
    assert found.provenance["model_sha256"] == model.sha256
    assert found.confidence.shape == volume.array.shape


def test_a_zip_is_taken_as_its_folder(tmp_path) -> None:
    folder = bundle(tmp_path / "theirs")
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as packed:
        for path in folder.rglob("*.*"):
            packed.write(path, path.relative_to(tmp_path))
    assert added(tmp_path / "theirs.zip").name == "their-model"


def test_a_zip_that_holds_too_much_is_refused(tmp_path, monkeypatch) -> None:
    with zipfile.ZipFile(tmp_path / "big.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(100_000))
    monkeypatch.setattr(_adopted, "MOST_BYTES", 10_000)
    with pytest.raises(UnsafeFileError), look_into(tmp_path / "big.zip"):
        pass


def test_one_flipped_bit_is_noticed(tmp_path) -> None:
    model = added(bundle(tmp_path / "b"))
    model.verify()
    path = model.folder / _adopted.TENSORS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelIntegrityError, match="sha256"):
        segment(scan(), settings=SegmentSettings(model="their-model"))


@pytest.mark.parametrize(
    "config",
    [
        {"network_def": {"_target_": "os.system", "command": "touch pwned"}},
        {"network_def": {"_target_": "subprocess.Popen", "args": ["touch", "pwned"]}},
        {"network_def": {"_target_": "UNet", **UNET, "channels": "$__import__('os').getcwd()"}},
        {"network_def": {"_target_": "UNet", **UNET, "act": {"_target_": "os.system"}}},
        {"network_def": "@network"},
        {"inferer": {"roi_size": "$[16] * 3"}},
        {"preprocessing": {"transforms": [*TRANSFORMS, {"_target_": "Lambdad", "func": "$print"}]}},
        {"preprocessing": {"transforms": TRANSFORMS[:2]}},
    ],
)
def test_what_could_run_or_cannot_be_told_is_refused(tmp_path, config) -> None:
    with pytest.raises(InputRefusedError):
        added(bundle(tmp_path / "b", **config))
    assert find_added("their-model") is None


class _Evil:
    def __reduce__(self):
        return (print, ("pwned",))


def test_weights_that_would_run_code_are_refused(tmp_path, capsys) -> None:
    folder = bundle(tmp_path / "b", pt=True)
    torch.save({"model": _Evil()}, folder / "models" / "model.pt")
    with pytest.raises(ModelIntegrityError, match="plain data"):
        added(folder)
    assert "pwned" not in capsys.readouterr().out


def test_weights_of_another_network_are_refused(tmp_path) -> None:
    folder = bundle(tmp_path / "b")
    save_file({"x": torch.zeros(3)}, folder / "models" / "model.safetensors")
    with pytest.raises(ModelIntegrityError, match="do not fit"):
        added(folder)


def test_names_that_nobody_explained_are_refused(tmp_path) -> None:
    with look_into(bundle(tmp_path / "b")) as foreign, pytest.raises(LabelError, match="gizmo"):
        add_model(foreign, {"liver": LIVER, "spleen": PORTAL_VEIN})


def test_the_wrong_modality_and_nothing_are_refused(tmp_path) -> None:
    added(bundle(tmp_path / "b"))
    with pytest.raises(InputRefusedError, match="MR"):
        segment(scan("MR"), settings=SegmentSettings(model="their-model"))
    with pytest.raises(NothingToDoError), look_into(tmp_path / "nowhere"):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRefusedError), look_into(tmp_path / "empty"):
        pass


def nnunet(folder: Path) -> Path:
    unet = pytest.importorskip("dynamic_network_architectures.architectures.unet")
    kwargs = {
        "n_stages": 2, "features_per_stage": [4, 8], "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [2, 2, 2]], "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1], "conv_bias": True,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None,
        "dropout_op_kwargs": None, "nonlin_kwargs": {"inplace": True},
    }  # fmt: skip
    layers = {
        "conv_op": torch.nn.Conv3d,
        "norm_op": torch.nn.InstanceNorm3d,
        "nonlin": torch.nn.LeakyReLU,
    }
    torch.manual_seed(0)
    network = unet.PlainConvUNet(input_channels=1, num_classes=4, **kwargs, **layers)
    names = {k: f"{v.__module__}.{v.__name__}" for k, v in layers.items()}
    plans = {
        "dataset_name": "Dataset001_Tiny", "plans_name": "nnUNetPlans",
        "transpose_forward": [0, 1, 2],
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 80.0, "std": 50.0, "percentile_00_5": -50.0, "percentile_99_5": 250.0}
        },
        "configurations": {
            "3d_fullres": {
                "spacing": [4.0, 3.0, 3.0], "patch_size": WINDOW,
                "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False],
                "architecture": {
                    "network_class_name": "dynamic_network_architectures.architectures.unet"
                    ".PlainConvUNet",
                    "arch_kwargs": {**kwargs, **names}, "_kw_requires_import": list(names),
                },
            }
        },
    }  # fmt: skip
    data = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "spleen": 2, "gizmo": 3},
    }
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(data))
    told = {
        "network_weights": network.state_dict(),
        "logging": {"ema_fg_dice": [np.float64(0.5)]},
        "trainer_name": "nnUNetTrainer",
    }
    torch.save(told, folder / "fold_0" / "checkpoint_final.pth")
    return folder


OLDER = {
    "UNet_class_name": "PlainConvUNet",
    "UNet_base_num_features": 4,
    "unet_max_num_features": 8,
    "conv_kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "pool_op_kernel_sizes": [[1, 1, 1], [2, 2, 2]],
    "n_conv_per_stage_encoder": [1, 1],
    "n_conv_per_stage_decoder": [1],
}


@pytest.mark.parametrize("older", [False, True])
def test_an_nnunet_folder_labels_as_its_network(tmp_path, older) -> None:
    folder = nnunet(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    if older:
        plans = json.loads((folder / "plans.json").read_text())
        setup = plans["configurations"]["3d_fullres"]
        del setup["architecture"]
        setup |= OLDER
        (folder / "plans.json").write_text(json.dumps(plans))
    model = added(folder)
    volume = scan()
    found = segment(volume, settings=SegmentSettings(model=model.name))
    image = (torch.from_numpy(volume.array.copy()).clamp(-50, 250) - 80) / 50
    inferer = SlidingWindowInferer(WINDOW, overlap=0.5, mode="gaussian")
    with torch.inference_mode():
        channels = inferer(image[None, None], model.load())[0].argmax(0).numpy()
    theirs = np.select([channels == 1, channels == 2], [LIVER.label, SPLEEN.label], 0)
    assert (found.label_map.array == theirs).mean() > 0.995


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("dataset.json", "channel_names", {"0": "CT", "1": "PET"}),
        ("dataset.json", "labels", {"background": 0, "liver": [1, 2]}),
        ("dataset.json", "labels", {"background": 0, "liver": 2}),
        ("plans.json", "configurations", {"2d": {}}),
    ],
)
def test_nnunet_models_of_other_kinds_are_refused(tmp_path, file, key, value) -> None:
    folder = nnunet(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, key: value}))
    with pytest.raises(InputRefusedError):
        added(folder)


def test_an_installed_totalsegmentator_is_found_by_its_name(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path))
    with pytest.raises(NothingToDoError, match="totalseg_download_weights -t total_fast`"):
        totalsegmentator_folder("totalsegmentator")
    for task, trainer in ((297, "nnUNetTrainer_4000epochs_NoMirroring"), (852, "nnUNetTrainer")):
        folder = tmp_path / f"Dataset{task}_Total" / f"{trainer}__nnUNetPlans__3d_fullres"
        folder.mkdir(parents=True)
        (folder / "plans.json").write_text("{}")
    assert totalsegmentator_folder("totalsegmentator").parent.name == "Dataset297_Total"
    assert totalsegmentator_folder("totalsegmentator-mr").parent.name == "Dataset852_Total"
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH")
    monkeypatch.setenv("TOTALSEG_HOME_DIR", str(tmp_path / "home"))
    with (
        pytest.raises(NothingToDoError, match="home/nnunet/results"),
        look_into(Path("totalsegmentator")),
    ):
        pass


def test_its_weights_become_a_model_of_ours(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path))
    nnunet(tmp_path / "Dataset297_Total" / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    with look_into(Path("totalsegmentator")) as foreign:
        model = add_model(foreign, STRUCTURES, name="totalsegmentator")
    found = segment(scan("CT"), settings=SegmentSettings(model="totalsegmentator"))
    assert set(model.segments) == {LIVER, SPLEEN} == set(found.label_map.segments)
