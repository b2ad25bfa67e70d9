"""Phantoms and synthetic scans as training data: what a scan of them looks like."""

from pathlib import Path

import numpy as np
import pytest

from surgplan.errors import InputRefusedError, NothingToDoError
from surgplan.io import write_label_map
from surgplan.synthesis import SyntheticVolume
from surgplan.training import DatasetSettings, _sources
from surgplan.training._settings import SourceSettings
from surgplan.training._sources import load_sources
from surgplan.volume import ANATOMY, LIVER, LUNGS, SPLEEN, Geometry, LabelMap


def test_phantoms_in_mr_come_in_both_weightings() -> None:
    settings = SourceSettings(name="phantoms", phantom_seeds=(2, 3), modality="MR")
    t1, t2 = load_sources(settings, Path(), spacing_mm=5.0)
    for source, spleen_is_brighter in ((t1, False), (t2, True)):
        assert source.image is not None
        spleen = source.image[source.target == SPLEEN.label].median()
        liver = source.image[source.target == LIVER.label].median()
        assert bool(spleen > liver + 20) == spleen_is_brighter
        assert bool(spleen < liver - 20) != spleen_is_brighter


def test_synthetic_scans_are_made_anew_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sources, "SCANS_A_SEED", 1)
    settings = SourceSettings(name="synthetic", synthetic=2, weight=3.0)
    one, other = load_sources(settings, Path(), spacing_mm=6.0)
    again, _ = load_sources(settings, Path(), spacing_mm=6.0)
    assert one.image is not None
    assert other.image is not None
    assert again.image is not None
    np.testing.assert_array_equal(one.image, again.image)
    assert one.target.shape != other.target.shape or not np.array_equal(one.target, other.target)
    assert one.weight == 1.5
    assert (one.target == SPLEEN.label).sum() * 6**3 / 1000 > 50
    lungs = one.image[one.target == LUNGS.label].median()
    assert lungs < one.image[one.target == LIVER.label].median() - 500


def test_synthetic_scans_have_as_many_lesions_as_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[DatasetSettings] = []

    def none_of(made: DatasetSettings) -> list[tuple[int, SyntheticVolume]]:
        asked.append(made)
        return []

    monkeypatch.setattr(_sources, "stream_volumes", none_of)
    with pytest.raises(NothingToDoError):
        load_sources(SourceSettings(name="s", synthetic=1, synthetic_lesions=9), Path(), 5.0)
    assert asked[0].volumes.lesions == 9


def test_synthetic_scans_around_given_livers(tmp_path: Path) -> None:
    geometry = Geometry.from_spacing(shape=(30, 30, 40), spacing_mm=(5.0, 5.0, 5.0))
    z, y, x = np.mgrid[:30, :30, :40]
    array = np.zeros(geometry.shape, np.uint8)
    ball = (z - 15) ** 2 + (y - 15) ** 2 + (x - 20) ** 2 < 13**2
    array[ball] = LIVER.label
    label_map = LabelMap(array=array, geometry=geometry, segments=ANATOMY)
    write_label_map(label_map, tmp_path / "ball.nii.gz")
    settings = SourceSettings(name="around", labels="*.nii.gz", synthetic=1, modality="MR")
    (source,) = load_sources(settings, tmp_path, spacing_mm=6.0)
    liver = np.argwhere(np.isin(source.target.numpy(), (1, 2, 3, 4, 16)))
    extent = np.ptp(liver, axis=0)
    assert extent.min() > 0.7 * extent.max()  # a ball still, however it was bent
    assert source.modality == "MR"


def test_a_source_is_of_one_kind() -> None:
    for given in (
        {},
        {"synthetic": 2, "phantom_seeds": (1,)},
        {"labels": "a", "phantom_seeds": (1,)},
    ):
        with pytest.raises(InputRefusedError, match="needs one of"):
            SourceSettings(name="x", **given)  # type: ignore[arg-type]
