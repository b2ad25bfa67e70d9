"""Learning of segments: drawn vessels fit the anatomy, samples are reproducible, a run resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from surgplan.errors import InputRefusedError, NothingToDoError, UsageError
from surgplan.io import write_label_map
from surgplan.phantom import PhantomSettings, make_phantom
from surgplan.segmentation import COUINAUD_CHANNELS, couinaud_from_shape, find_model
from surgplan.training import CouinaudSettings, read_couinaud_settings, train_couinaud
from surgplan.training._couinaud_loop import segment_loss
from surgplan.training._couinaud_samples import draw_couinaud_sample, plain_sample
from surgplan.training._couinaud_sources import load_livers
from surgplan.training._couinaud_vessels import draw_anatomy, raster

CONFIG = """
name = "tiny"
segments = "maps/*.nii.gz"
hold_out = 2
shape = [16, 16, 24]
steps = {steps}
validate_every = 2
seed = 3

[network]
filters = [4, 8, 8]
"""


@pytest.fixture(scope="module")
def maps(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "maps").mkdir()
    for seed in (1, 2):
        body = make_phantom(PhantomSettings(seed=seed, spacing_mm=(6, 5, 5), lesions=0))
        write_label_map(body.couinaud, folder / "maps" / f"{seed}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def livers(maps):
    settings = CouinaudSettings(name="x", segments="maps/*.nii.gz", hold_out=2)
    return load_livers(settings, maps), settings


def test_every_so_many_th_map_is_held_out(livers) -> None:
    (learn, held), _ = livers
    assert [v.name for v in learn] == ["1"]
    assert [v.name for v in held] == ["2"]


def test_drawn_hepatic_veins_run_between_sectors_and_portal_branches_inside(livers) -> None:
    ((liver, *_), _), _ = livers
    spacing = np.array(liver.geometry.spacing_mm)
    near, deep = [], []
    for seed in range(3):
        anatomy = draw_anatomy(liver.segments, spacing, np.random.default_rng(seed))
        right = np.isin(liver.segments, (5, 6, 7, 8))
        for points, found in ((anatomy.hepatic, near), (anatomy.portal, deep)):
            thick = points[points[:, 3] > 2.5, :3] / spacing
            index = np.rint(thick).astype(int).clip(0, np.array(right.shape) - 1)
            found.append(_to_border(liver.segments, spacing, index))
        volume = raster(anatomy.hepatic, liver.segments.shape, spacing)
        assert 0 < volume.sum() * spacing.prod() / 1000 < 200
    assert np.mean(near) < 12


def _to_border(segments, spacing, index) -> float:
    """Mean distance to the borders between sectors, mm."""
    from scipy.ndimage import distance_transform_edt

    sector = np.array([0, 1, 2, 2, 3, 4, 5, 5, 4])[segments]
    edge = np.zeros(segments.shape, dtype=bool)
    for axis in range(3):
        one, other = np.moveaxis(sector, axis, 0)[:-1], np.moveaxis(sector, axis, 0)[1:]
        np.moveaxis(edge, axis, 0)[:-1] |= (one != other) & (one > 0) & (other > 0)
    return float(distance_transform_edt(~edge, sampling=spacing)[tuple(index.T)].mean())


def test_samples_depend_on_the_seed_and_the_step_alone(livers) -> None:
    (learn, _), settings = livers
    one, again, other = (draw_couinaud_sample(learn, settings, i) for i in (5, 5, 6))
    assert torch.equal(one.image, again.image)
    assert torch.equal(one.target, again.target)
    assert not torch.equal(one.image, other.image)
    assert one.image.shape == (len(COUINAUD_CHANNELS), *settings.shape)
    assert one.image.isfinite().all()
    assert set(one.target.unique().tolist()) <= set(range(-1, 8))


def test_a_plain_sample_shows_the_liver_in_its_box(livers) -> None:
    ((liver, *_), _), settings = livers
    sample = plain_sample(liver, settings, vessels=False)
    inside = sample.image[0] > 0
    assert torch.equal(inside, sample.target >= 0)
    assert (sample.image[1:6] == 0).all()
    for axis in range(3):
        where = np.flatnonzero(inside.numpy().any(axis=tuple({0, 1, 2} - {axis})))
        assert 0.82 < (np.ptp(where) + 1) / settings.shape[axis] < 0.97
    assert (plain_sample(liver, settings, vessels=True).image[1:4] > 0).any()


def test_the_loss_looks_inside_the_liver_alone() -> None:
    target = torch.full((2, 2, 2), -1)
    target[0] = 3
    right, wrong = torch.zeros(8, 2, 2, 2), torch.zeros(8, 2, 2, 2)
    right[3, 0], wrong[2, 0] = 20.0, 20.0
    assert segment_loss(right, target) < 0.01
    assert segment_loss(wrong, target) > 10
    right[5, 1] = 50.0
    assert segment_loss(right, target) < 0.01


def test_a_run_resumes_and_its_bundle_parts_a_liver(maps, tmp_path) -> None:
    config = tmp_path / "couinaud.toml"
    config.write_text(CONFIG.format(steps=2))
    train_couinaud(config, data=maps, run=tmp_path / "run")
    config.write_text(CONFIG.format(steps=4))
    bundle = train_couinaud(config, data=maps, run=tmp_path / "run")
    info = find_model(bundle)
    assert info.stage == "couinaud"
    assert info.window == (16, 16, 24)
    card = (bundle / "docs" / "README.md").read_text()
    assert "4 of 4 steps" in card
    assert "Not a medical device" in card
    body = make_phantom(PhantomSettings(seed=1, spacing_mm=(6, 5, 5), lesions=0))
    found = couinaud_from_shape(body.label_map, model=bundle)
    assert np.array_equal(found.label_map.array > 0, body.label_map.whole_liver())


def test_refusals(maps, tmp_path) -> None:
    config = tmp_path / "couinaud.toml"
    config.write_text(CONFIG.format(steps=2) + "\ndepth = 3\n")
    with pytest.raises(InputRefusedError, match="depth"):
        read_couinaud_settings(config)
    with pytest.raises(UsageError, match="multiples"):
        CouinaudSettings(name="x", segments="*", shape=(10, 12, 13))
    with pytest.raises(UsageError, match="hold_out"):
        CouinaudSettings(name="x", segments="*", hold_out=1)
    with pytest.raises(NothingToDoError, match="maps of segments"):
        load_livers(CouinaudSettings(name="x", segments="none/*.nii.gz"), maps)


def test_the_shipped_config_is_read() -> None:
    folder = Path(__file__).parents[2] / "scripts" / "configs"
    settings = read_couinaud_settings(folder / "couinaud.toml")
    assert settings.network.channels == len(COUINAUD_CHANNELS)
    assert find_model(settings.name).network == settings.network
