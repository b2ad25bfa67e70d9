"""Engines agree, the fastest is taken and remembered; scans are resampled slab by slab."""

from pathlib import Path

import numpy as np
import pytest
import torch

from surgplan.errors import UsageError
from surgplan.segmentation import (
    NetworkSettings,
    SegmentSettings,
    _probe,
    _resample,
    _segment,
    build_network,
    find_model,
    load_network,
    mixed_precision,
)
from surgplan.segmentation._engine import REFERENCE, Engine, engines, start, start_on
from surgplan.segmentation._probe import Timing, fastest, measure, timings_for
from surgplan.segmentation._resample import resample_in_slabs
from surgplan.volume import Geometry, Volume, reorient, resample_to

SHAPE = (1, 1, 16, 16, 24)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(3)
    return build_network(NetworkSettings(classes=4, filters=(4, 8, 8))).eval()


@pytest.mark.parametrize("engine", engines(), ids=str)
def test_every_engine_scores_as_the_reference(network, engine) -> None:
    batch = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        expected = network(batch)
        scores = start(network, engine, SHAPE)(batch)
    assert scores.dtype == torch.float32
    near = 2e-3 if engine.dtype == "float32" else 0.15
    torch.testing.assert_close(scores, expected, rtol=near, atol=near)
    assert (scores.argmax(1) == expected.argmax(1)).float().mean() >= 0.98


@pytest.mark.parametrize(("processor", "pays"), [("AVX2", False), ("AVX512", True)])
def test_bfloat16_is_for_processors_that_have_it(monkeypatch, processor, pays) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor)
    assert any(engine.dtype == "bfloat16" for engine in engines()) is pays
    with mixed_precision("cpu"):
        assert torch.is_autocast_enabled("cpu") is pays
    with mixed_precision("cpu", wanted=False):
        assert not torch.is_autocast_enabled("cpu")


def test_a_device_that_is_not_there_is_refused(network) -> None:
    with pytest.raises(UsageError, match="--device cpu"):
        start_on(network, "cuda:7" if not torch.cuda.is_available() else "no-such-device")


def test_a_slow_start_pays_off_only_over_many_windows() -> None:
    quick = Timing(engine=REFERENCE, start_s=0, window_s=1, agreement=1)
    strong = Timing(
        engine=Engine(library="openvino", dtype="float32"), start_s=5, window_s=0.5, agreement=1
    )
    assert fastest((quick, strong), windows=4) is quick
    assert fastest((quick, strong), windows=40) is strong


def test_an_engine_that_disagrees_is_left_out(network, monkeypatch) -> None:
    def wrong(module, engine, shape):
        forward = start(module, engine, shape)
        return forward if engine == REFERENCE else lambda batch: forward(batch).flip(1)

    monkeypatch.setattr(_probe, "start", wrong)
    assert [t.engine for t in measure(network, SHAPE)] == [REFERENCE]


def test_timings_are_measured_once_and_remembered(network, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(_probe, "user_cache_path", lambda _: tmp_path)
    first = timings_for(network, "a-checksum", SHAPE)
    assert REFERENCE in [t.engine for t in first]
    monkeypatch.setattr(_probe, "measure", lambda *_: pytest.fail("measured again"))
    assert timings_for(network, "a-checksum", SHAPE) == first
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        timings_for(network, "another-checksum", SHAPE)


def test_the_reference_is_taken_without_measuring_where_it_is_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(_segment, "timings_for", lambda *_: pytest.fail("measured"))
    info = find_model()
    forward = _segment._forward(info, SegmentSettings(reference=True), windows=100)
    batch = torch.rand((1, 1, 32, 32, 32), generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        assert torch.equal(forward(batch), load_network(info)(batch))
    with pytest.raises(pytest.fail.Exception, match="measured"):
        _segment._forward(info, SegmentSettings(), windows=100)


def test_without_a_place_to_remember_timings_are_measured_again(
    network, monkeypatch, tmp_path
) -> None:
    (tmp_path / "engines").write_text("a file, no folder")
    monkeypatch.setattr(_probe, "user_cache_path", lambda _: tmp_path)
    monkeypatch.setattr(_probe, "engines", lambda: (REFERENCE,))
    assert [t.engine for t in timings_for(network, "x", SHAPE)] == [REFERENCE]
    assert Path(tmp_path / "engines").is_file()


def test_slabs_resample_as_the_whole_scan(monkeypatch) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0.1, -0.2, 0.7], [0.3, 0.66, 0.1], [0.9, -0.2, 0.2]])
    affine[:3, :3] *= np.array([1.2, 0.9, 0.8])
    array = np.random.default_rng(0).normal(0, 200, (60, 50, 44)).astype(np.float32)
    scan = Volume(array=array, geometry=Geometry(shape=array.shape, affine=affine), modality="CT")
    scan = reorient(scan, "SPL")
    grid = scan.geometry.with_spacing((3.0, 3.0, 3.0)).window((2, 1, 0), (18, 12, 10))
    expected = resample_to(scan, grid).array
    whole = resample_in_slabs(scan, grid)
    np.testing.assert_allclose(whole, expected, atol=1.0)  # noise of 200; that blur is recursive
    monkeypatch.setattr(_resample, "SLAB_VOXELS", 20_000)
    np.testing.assert_allclose(resample_in_slabs(scan, grid), whole, atol=1e-3)
