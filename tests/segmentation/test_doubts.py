"""Seeded failures are named, sound scans are not doubted."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from surgplan.phantom import Phantom, PhantomSettings, make_phantom, render_ct, render_mr
from surgplan.segmentation import Doubt, doubts_about
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    LabelMap,
    Volume,
    box_of,
    crop,
)

SEEDS = (31, 33)


@cache
def body(seed: int) -> Phantom:
    return make_phantom(PhantomSettings(seed=seed, spacing_mm=(5.0, 3.5, 3.5), lesions=1))


@cache
def sound(seed: int, phase: str = "portal") -> tuple[Volume, LabelMap]:
    return render_ct(body(seed), seed=seed, phase=phase), body(seed).label_map


@cache
def resonance(seed: int) -> tuple[Volume, LabelMap]:
    return render_mr(body(seed), seed=seed), body(seed).label_map


def kinds(volume: Volume, labels: LabelMap, confidence: float = 0.95) -> set[str]:
    sure = np.full(labels.array.shape, confidence, dtype=np.float32)
    return {doubt.kind for doubt in doubts_about(volume, labels, sure)}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sound_scan_is_not_doubted(seed: int) -> None:
    assert kinds(*sound(seed)) == set()
    assert kinds(*resonance(seed)) == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seeded_failure_is_named(seed: int) -> None:
    volume, labels = sound(seed)
    shifted = volume.with_array(volume.array + 1024)
    shrunk = volume.with_array((volume.array / 10).astype(volume.array.dtype))
    assert "modality or units" in kinds(shifted, labels)
    assert "modality or units" in kinds(shrunk, labels)
    assert "modality or units" in kinds(replace(resonance(seed)[0], modality="CT"), labels)
    assert "modality or units" in kinds(replace(volume, modality="MR"), labels)
    none = labels.with_array(np.where(labels.array <= 4, 0, labels.array).astype(np.uint8))
    assert "no liver" in kinds(volume, none)
    assert "contrast phase" in kinds(*sound(seed, "native"))
    veins = labels.mask(PORTAL_VEIN, HEPATIC_VEINS)
    bare = labels.with_array(np.where(veins, LIVER.label, labels.array).astype(np.uint8))
    assert "vessels missing" in kinds(volume, bare)
    assert "liver unsure" in kinds(volume, labels, confidence=0.6)
    assert "tumour unsure" in kinds(volume, labels, confidence=0.78)
    assert "tumour unsure" not in kinds(volume, labels, confidence=0.82)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_liver_that_was_cut_off_is_named(seed: int, axis: int) -> None:
    volume, labels = sound(seed)
    box = list(box_of(labels.whole_liver(), labels.geometry, margin_mm=20))
    middle = (box[axis].start + box[axis].stop) // 2
    box[axis] = slice(box[axis].start, middle)
    part = (box[0], box[1], box[2])
    assert "liver cut off" in kinds(crop(volume, part), crop(labels, part))


def test_the_doubt_names_the_size_and_the_gravest_comes_first() -> None:
    volume, labels = sound(31)
    tiny = labels.with_array(np.where(labels.mask(LIVER_TUMOUR), LIVER.label, 0).astype(np.uint8))
    sure = np.full(labels.array.shape, 0.5, dtype=np.float32)
    found = doubts_about(volume, tiny, sure)
    assert found[0].abstain
    assert not found[-1].abstain
    assert any("ml was found" in doubt.sentence for doubt in found)
    assert all(isinstance(doubt, Doubt) for doubt in found)
