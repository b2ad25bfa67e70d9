"""Several processes started by torchrun end in the weights of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from surgplan.errors import InputRefusedError, UsageError
from surgplan.io import write_label_map, write_volume
from surgplan.phantom import PhantomSettings, make_phantom
from surgplan.segmentation import find_model, load_network
from surgplan.synthesis import load_generator
from surgplan.training import train_couinaud, train_segmentation, train_synthesis
from surgplan.training._team import Team, joined
from surgplan.volume import ANATOMY, LIVER, SPLEEN, Geometry, LabelMap, Volume

SOURCE = """
[[source]]
name = "block"
image = "ct.nii.gz"
labels = "labels.nii.gz"
{more}
[source.table]
"liver parenchyma" = [1]
"spleen" = [8]
"""
SEGMENTATION = """
name = "tiny"
steps = 4
batch = 2
patch = [16, 16, 16]
spacing_mm = 6.0
threads = 1
[network]
filters = [4, 8, 8]
""" + SOURCE.format(more="")
SYNTHESIS = """
name = "tiny"
spacing_mm = 6.0
batch = 2
threads = 1
half = false
[network]
code = [8, 8]
flow = [8, 8]
[autoencoder]
steps = 4
patches = [[16, 16, 16]]
[flow]
steps = 3
patches = [[16, 16, 16]]
""" + SOURCE.format(more='look = "portal"')
COUINAUD = """
name = "tiny"
segments = "maps/*.nii.gz"
hold_out = 2
shape = [16, 16, 24]
steps = 3
batch = 2
validate_every = 3
threads = 1
[network]
filters = [4, 8, 8]
"""
WAYS = {
    "segmentation": (train_segmentation, ("",)),
    "synthesis": (train_synthesis, ("autoencoder/", "flow/")),
    "couinaud": (train_couinaud, ("",)),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two blocks in a noisy scan, maps of segments, and a config of each kind."""
    folder = tmp_path_factory.mktemp("data")
    affine = np.array(
        [[0, 0, -5.0, 40], [0, 5.0, 0, -30], [6.0, 0, 0, 10], [0, 0, 0, 1]], dtype=float
    )
    geometry = Geometry(shape=(20, 24, 24), affine=affine)
    array = np.zeros(geometry.shape, dtype=np.uint8)
    array[4:16, 4:18, 3:14] = LIVER.label
    array[6:12, 10:20, 17:22] = SPLEEN.label
    image = np.select([array == 1, array == 8], [110, 160], -80)
    image = (image + np.random.default_rng(0).normal(0, 20, image.shape)).astype(np.int16)
    write_volume(Volume(array=image, geometry=geometry, modality="CT"), folder / "ct.nii.gz")
    labels = LabelMap(array=array, geometry=geometry, segments=ANATOMY)
    write_label_map(labels, folder / "labels.nii.gz")
    (folder / "maps").mkdir()
    for seed in (1, 2):
        body = make_phantom(PhantomSettings(seed=seed, spacing_mm=(6, 5, 5), lesions=0))
        write_label_map(body.couinaud, folder / "maps" / f"{seed}.nii.gz")
    for name, text in (
        ("segmentation", SEGMENTATION),
        ("synthesis", SYNTHESIS),
        ("couinaud", COUINAUD),
    ):
        (folder / f"{name}.toml").write_text(text)
    return folder


def torchrun(config: Path, run: Path, *, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """`surgplan train` in several processes on one machine."""
    surgplan = Path(sys.executable).with_name("surgplan")
    start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    words = ["train", config.stem, str(config), "--run", str(run)]
    return subprocess.run(
        [sys.executable, *start, "--no-python", "--", str(surgplan), *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", WAYS)
def test_two_processes_end_in_the_weights_of_one(data: Path, kind: str) -> None:
    train, stages = WAYS[kind]
    config = data / f"{kind}.toml"
    alone, together = data / f"{kind}-1", data / f"{kind}-2"
    train(config, run=alone)
    done = torchrun(config, together)
    assert done.returncode == 0, done.stderr
    for stage in stages:
        one, two = (load_file(run / stage / "state.safetensors") for run in (alone, together))
        assert one.keys() == two.keys()
        for name, value in one.items():
            torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6, msg=name)
    bundle = together / "bundle"
    loaded = (
        load_generator(bundle).flow if kind == "synthesis" else load_network(find_model(bundle))
    )
    assert all(p.isfinite().all() for p in loaded.parameters())
    single = data / f"{kind}-single.toml"  # half of the batch is not the same run
    single.write_text(config.read_text().replace("batch = 2", "batch = 1"))
    train(single, run=data / f"{kind}-half")
    one, half = (
        load_file(run / stages[-1] / "state.safetensors") for run in (alone, data / f"{kind}-half")
    )
    assert any(not torch.allclose(one[k], half[k], rtol=1e-4, atol=1e-6) for k in one)


@pytest.mark.slow
def test_processes_that_cannot_share_a_batch_say_so(data: Path) -> None:
    done = torchrun(data / "couinaud.toml", data / "three", processes=3)
    assert done.returncode != 0
    assert "3 processes cannot share evenly" in done.stderr
    assert not (data / "three" / "bundle").exists()


def test_every_sample_falls_to_one_process() -> None:
    shares = [Team(rank=rank, size=3).share(5, 6) for rank in range(3)]
    assert sorted(n for share in shares for n in share) == list(range(30, 36))
    with pytest.raises(UsageError, match="multiple of 3"):
        Team(size=3).share(0, 4)
    with pytest.raises(UsageError, match="`batch` is 0"):
        Team().share(0, 0)


def test_a_process_alone_is_its_own_team(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as team:
        assert (team.size, team.leads, team.device) == (1, True, "cpu")
        rows = torch.ones(2, 3)
        assert torch.equal(team.together(rows), rows)
        team.check_step(7)
        team.wait()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="one GPU for each"), joined("cuda:1"):
        pass


def test_processes_that_resume_from_different_steps_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Team, "together", lambda *_: torch.tensor([40, 0]))
    with pytest.raises(InputRefusedError, match="folder of the run"):
        Team(size=2).check_step(40)
