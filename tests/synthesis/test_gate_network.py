"""The shipped network of the gate knows a good scan from one that shows something else."""

from __future__ import annotations

import numpy as np
import pytest

from surgplan.synthesis import (
    LesionWish,
    SyntheticVolume,
    VolumeSettings,
    check_volume,
    synthesise,
)
from surgplan.volume import LIVER, LIVER_TUMOUR, LabelMap


@pytest.fixture(scope="module", params=["portal", "t1"])
def made(request: pytest.FixtureRequest) -> SyntheticVolume:
    wish = LesionWish(kind="metastasis", diameter_mm=40.0)
    modality = "CT" if request.param == "portal" else "MR"
    settings = VolumeSettings(modality=modality, look=request.param, lesions=(wish,))
    return synthesise(settings, seed=2)


def relabelled(labels: LabelMap, mask: np.ndarray, label: int) -> LabelMap:
    return labels.with_array(np.where(mask, label, labels.array).astype(np.uint8))


def test_a_good_scan_passes(made: SyntheticVolume) -> None:
    report = check_volume(made.image, made.label_map)
    assert report.reasons == ()
    assert report.figures["dice"]["liver tumour"] >= 0.6


def test_a_tumour_that_no_label_tells_is_seen(made: SyntheticVolume) -> None:
    labels = made.label_map
    hidden = relabelled(labels, labels.mask(LIVER_TUMOUR), LIVER.label)
    (reason,) = check_volume(made.image, hidden).reasons
    assert reason.startswith("a lesion: ")


def test_labels_of_another_person_do_not_pass(made: SyntheticVolume) -> None:
    moved = made.label_map.with_array(np.roll(made.label_map.array, (4, 3), axis=(0, 2)))
    reasons = check_volume(made.image, moved).reasons
    assert any(reason.startswith("spleen: Dice") for reason in reasons)
    assert any(reason.startswith("whole liver: Dice") for reason in reasons)
