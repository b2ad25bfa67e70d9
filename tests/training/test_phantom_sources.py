"""Phantoms as training data: what a scan of them looks like."""

from pathlib import Path

from surgplan.training._settings import SourceSettings
from surgplan.training._sources import load_sources
from surgplan.volume import LIVER, SPLEEN


def test_phantoms_in_mr_come_in_both_weightings() -> None:
    settings = SourceSettings(name="phantoms", phantom_seeds=(2, 3), modality="MR")
    t1, t2 = load_sources(settings, Path(), spacing_mm=5.0)
    for source, spleen_is_brighter in ((t1, False), (t2, True)):
        assert source.image is not None
        spleen = source.image[source.target == SPLEEN.label].median()
        liver = source.image[source.target == LIVER.label].median()
        assert bool(spleen > liver + 20) == spleen_is_brighter
        assert bool(spleen < liver - 20) != spleen_is_brighter
