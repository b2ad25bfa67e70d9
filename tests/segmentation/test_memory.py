"""A limit of memory is obeyed: scores kept, labels made as windows pass, or the scan refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from surgplan.errors import ResourceLimitError
from surgplan.segmentation import (
    METADATA,
    SegmentSettings,
    _segment,
    read_model_info,
    segment,
)
from surgplan.segmentation._memory import MemoryNeed
from surgplan.volume import Geometry, Volume


def scan(slices: int = 24) -> Volume:
    affine = np.array([[0, 0, -3.0, 5], [0, 2.5, 0, 7], [2.0, 0, 0, 9], [0, 0, 0, 1]])
    grid = Geometry(shape=(slices, 30, 28), affine=affine)  # columns run to the right
    array = np.random.default_rng(0).normal(50, 90, grid.shape).astype(np.float32)
    return Volume(array=array, geometry=grid, modality="CT")


def need_of(bundle: Path, shape: tuple[int, int, int]) -> MemoryNeed:
    info = read_model_info(bundle)
    grid = Geometry.from_spacing(shape=shape, spacing_mm=(4.0, 4.0, 4.0))
    return MemoryNeed.of(info, None, scan(), grid)


def test_labels_made_as_windows_pass_need_less_and_hardly_more_for_more_slices(bundle) -> None:
    short, long = (need_of(bundle, (n, 300, 300)) for n in (200, 400))
    assert short.passing < short.whole
    scores = 4 * 17 * 300 * 300
    assert long.whole - short.whole > 200 * scores
    assert long.passing - short.passing < 30 * scores  # the image itself


def test_the_limit_decides_how_the_work_is_done() -> None:
    need = MemoryNeed(whole=3_000, passing=2_000)
    assert need.keeps_scores(None, scan())
    assert need.keeps_scores(3_000, scan())
    assert not need.keeps_scores(2_999, scan())
    with pytest.raises(ResourceLimitError, match="raise --max-memory"):
        need.keeps_scores(1_999, scan())


def test_with_little_memory_the_labels_are_those_of_the_network(bundle, monkeypatch) -> None:
    volume = scan()
    monkeypatch.setattr(_segment, "settle_organs", lambda logits, image, spacing_mm: None)
    monkeypatch.setattr(_segment, "forbid_fragments", lambda logits, spacing_mm: logits)
    whole = segment(volume, settings=SegmentSettings(model=bundle))
    monkeypatch.setattr(
        MemoryNeed, "of", classmethod(lambda cls, *_: cls(whole=2 * 10**12, passing=1))
    )
    settings = SegmentSettings(model=bundle, max_memory_bytes=10**12)
    passing = segment(volume, settings=settings)
    assert passing.label_map == whole.label_map
    np.testing.assert_allclose(passing.confidence, whole.confidence, atol=1 / 256)
    assert len(passing.label_map.labels_present()) > 3
    assert passing.label_map.geometry == volume.geometry


def test_that_memory_allowed_no_second_look_is_told(bundle, tmp_path, monkeypatch) -> None:
    first = tmp_path / "first"
    shutil.copytree(bundle, first)
    told = json.loads((first / METADATA).read_text())
    told["surgplan"]["refined_by"] = str(bundle)
    (first / METADATA).write_text(json.dumps(told))
    monkeypatch.setattr(
        MemoryNeed, "of", classmethod(lambda cls, *_: cls(whole=2_340_000_000, passing=1))
    )

    def kinds(model: Path) -> dict[str, str]:
        settings = SegmentSettings(model=str(model), max_memory_bytes=1_000_000_000)
        return {d.kind: d.sentence for d in segment(scan(), settings=settings).doubts}

    assert "2.4 GB (--max-memory)" in kinds(first)["one look only"]
    assert "one look only" not in kinds(bundle)  # has none to leave out
