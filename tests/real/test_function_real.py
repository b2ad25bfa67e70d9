"""Vessels cut and functional remnant on experts' labels; figures are printed, see ``pytest -s``."""

import sys

import numpy as np
import pytest

from surgplan.planning import (
    BoundaryError,
    PlaneResection,
    TerritoryResection,
    assess_prepared,
    prepare,
    uncertainty,
)
from surgplan.volume import (
    LIVER,
    box_of,
    crop,
)

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def case(expert):
    label_map = expert.labels()
    box = box_of(label_map.mask(LIVER), label_map.geometry, margin_mm=60.0)
    return expert.name, prepare(crop(label_map, box))


def test_a_left_hemihepatectomy_follows_its_branch(case):
    """Nearly all that stays keeps its portal supply, and the left branch is divided once."""
    name, prepared = case
    tree = prepared.perfusions.portal.tree
    cut = TerritoryResection.labelled(tree, ["left portal vein"])
    said = assess_prepared(prepared, cut, margin_mm=10)
    function = said.function
    total = function.healthy_ml + function.devascularised_ml
    total += function.congested_ml + function.both_ml
    assert total == pytest.approx(said.remnant_ml, abs=0.01)
    assert function.devascularised_ml + function.both_ml < 0.05 * said.remnant_ml
    assert 0.1 < said.resected_ml / said.total_ml < 0.6
    first = next(v for v in said.vessels_cut if v.system == "portal")
    assert first.label == "left portal vein"
    assert first.downstream_ml == pytest.approx(said.resected_ml, rel=0.15)
    sys.stdout.write(
        f"{name}: left half {said.resected_ml:.0f} of {said.total_ml:.0f} ml, FLR "
        f"{said.flr_percent:.1f} %, functional {function.flr_percent:.1f} %, congested "
        f"{function.congested_ml:.0f} ml, {len(said.vessels_cut)} vessels divided\n"
    )


def test_a_plane_through_the_hilum_costs_more_than_its_volume(case):
    """Either half lost takes supply or drainage from what stays, never the other way round."""
    name, prepared = case
    centre = prepared.blocks.geometry.to_lps(np.argwhere(prepared.liver)).mean(axis=0)
    for side in (1, -1):
        cut = PlaneResection(point_mm=tuple(centre), normal=(side, 0, 0))
        said = assess_prepared(prepared, cut, margin_mm=10)
        assert said.function.flr_percent <= said.flr_percent
        assert len(said.vessels_cut) >= 3
        assert all(0.3 < v.diameter_mm < 30 for v in said.vessels_cut)
        found = uncertainty(prepared, cut, said, BoundaryError(liver_mm=1.5, tumour_mm=1.5))
        assert found.flr_percent.low < said.flr_percent < found.flr_percent.high
        assert 0.2 < found.flr_percent.width < 10
        sys.stdout.write(
            f"{name}: plane, FLR {said.flr_percent:.1f} % ({found.flr_percent.low:.1f} to "
            f"{found.flr_percent.high:.1f}), functional {said.function.flr_percent:.1f} %, "
            f"{len(said.vessels_cut)} vessels divided, width from {found.drivers[0].structure}\n"
        )
