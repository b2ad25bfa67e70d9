from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from surgplan.cli._plans import _enough, compared, plan_facts
from surgplan.planning import (
    Plan,
    PlaneResection,
    WedgeResection,
    assess_prepared,
    plan_from_json,
    plan_to_json,
    prepare,
    standings_of,
)
from surgplan.volume import LIVER, LIVER_TUMOUR, Geometry, LabelMap


@pytest.fixture(scope="module")
def label_map():
    """A slab of liver with ten tumours in a row, 20 mm apart."""
    geometry = Geometry.from_spacing(shape=(20, 24, 110), spacing_mm=(2.5, 2.0, 2.0))
    array = np.full(geometry.shape, LIVER.label, dtype=np.uint8)
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    points = geometry.to_lps(index)
    for number in range(10):
        radius = 6 - 0.25 * number
        away = np.linalg.norm(points - (20.0 + 20 * number, 24, 24), axis=-1)
        array[away < radius] = LIVER_TUMOUR.label
    return LabelMap(array=array, geometry=geometry, segments=(LIVER, LIVER_TUMOUR))


@pytest.fixture(scope="module")
def plans(label_map):
    prepared = prepare(label_map)
    cuts = [PlaneResection(point_mm=(10.0 + 20 * n, 0, 0), normal=(1, 0, 0)) for n in range(9)]
    cuts.append(WedgeResection.on(prepared, list(range(1, 11)), 4.0))
    return tuple(
        Plan(
            name=f"plan-{number}",
            resection=cut,
            assessment=assess_prepared(prepared, cut, margin_mm=4.0),
            labels_fingerprint=prepared.fingerprint,
        )
        for number, cut in enumerate(cuts, start=1)
    )


def test_ten_plans_by_ten_tumours_read_well_in_a_terminal(label_map, plans):
    console = Console(width=80)
    with console.capture() as caught:
        console.print(compared(standings_of(plans, label_map)))
    lines = caught.get().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("tumour"))
    assert lines[start].split() == ["tumour", "ml", *map(str, range(1, 11))]
    rows = [line.split() for line in lines[start + 1 :]]
    assert len(rows) == 10
    for row, tumour in zip(rows, range(10), strict=True):
        assert row[0] == str(tumour + 1)
        for plan in range(9):  # the plane of plan n lies half-way before tumour n
            if plan <= tumour:
                truth = 20 * (tumour - plan) + 10 - (6 - 0.25 * tumour)
                assert float(row[2 + plan]) == pytest.approx(truth, abs=0.7)
            else:
                assert row[2 + plan] == "left"
        assert float(row[11]) == pytest.approx(4.0, abs=0.3)
    assert all(f"plan-{number}" in "\n".join(lines[:start]) for number in range(1, 11))


def test_a_tumour_that_is_cut_through_is_named_so(label_map, plans):
    prepared = prepare(label_map)
    cut = PlaneResection(point_mm=(60, 0, 0), normal=(1, 0, 0))
    through = Plan(
        name="through",
        resection=cut,
        assessment=assess_prepared(prepared, cut, margin_mm=4.0),
        labels_fingerprint=prepared.fingerprint,
    )
    console = Console(width=80)
    with console.capture() as caught:
        console.print(compared(standings_of((plans[0], through), label_map)))
    row = next(line for line in caught.get().splitlines() if line.startswith("3 "))
    assert row.split()[-1] == "cut"


def test_programs_get_every_margin(label_map, plans):
    facts = plan_facts(*standings_of(plans[9:], label_map))
    assert [t["tumour"] for t in facts["tumours"]] == list(range(1, 11))
    assert all(t["side"] == "resected" for t in facts["tumours"])


def test_ten_plans_are_read_back_as_they_were(label_map, plans):
    assert tuple(plan_from_json(plan_to_json(p), label_map) for p in plans) == plans


@pytest.mark.parametrize(
    ("liver", "function", "stages", "words"),
    [
        (False, True, (), "no"),
        (True, False, (), "by volume only"),
        (True, False, ("first",), "by volume only"),
        (True, True, ("first",), "if it grows"),
        (True, True, (), "yes"),
    ],
)
def test_liver_without_its_vessels_is_not_called_enough(liver, function, stages, words) -> None:
    standing = SimpleNamespace(
        keeps_enough_liver=liver, keeps_enough_function=function, stages=stages
    )
    assert _enough(standing) == words
