"""Two operations with time between them, on an ellipsoid cut by planes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning import (
    AFTER_PORTAL_OCCLUSION,
    FunctionalRemnant,
    Hypertrophy,
    Patient,
    Plan,
    PlaneResection,
    TerritoryResection,
    TwoStageResection,
    UnionResection,
    VesselBranch,
    VesselTree,
    WedgeResection,
    assess_prepared,
    cut_sheet,
    in_words,
    plan_from_json,
    plan_to_json,
    prepare,
    replay,
    resection_from_dict,
    stages_of,
    standings_of,
)
from surgplan.volume import LIVER, LIVER_TUMOUR

HALF_MM = (48.0, 30.0, 26.0)
LEFT = PlaneResection(point_mm=(30, 0, 0), normal=(1, 0, 0))
RIGHT = PlaneResection(point_mm=(10, 0, 0), normal=(-1, 0, 0))
GROWTH = Hypertrophy(factor=1.4, source="a second scan")


def cap_ml(start_mm: float) -> float:
    """Of the ellipsoid beyond a plane across its long axis."""
    a, b, c = HALF_MM
    t = start_mm / a
    return float(np.pi * a * b * c * (2 / 3 - t + t**3 / 3) / 1000)


def straight(system):
    """A tree of two tubes along y, to the right and to the left of x = 10."""
    lines = [np.array([(x, -20.0, 0), (x, 20.0, 0)]) for x in (0.0, 20.0)]
    branches = (VesselBranch(points_mm=line, radius_mm=np.full(2, 3.0)) for line in lines)
    return VesselTree(system=system, branches=tuple(branches))


@pytest.fixture(scope="module")
def prepared(space):
    body = space((2.5, 1.2, 1.2), (50, 32, 28), 5).ellipsoid(LIVER, (0, 0, 0), HALF_MM)
    return prepare(body.ball(LIVER_TUMOUR, (-25, 0, 0), 8).label_map)


@pytest.fixture(scope="module")
def both():
    ligated = TerritoryResection(tree=straight("portal"), branches=(0,))
    return TwoStageResection(first=LEFT, second=RIGHT, growth=GROWTH, ligated=ligated)


def test_volumes_of_each_stage_are_those_of_the_caps(prepared, both):
    one, two = stages_of(prepared, both)
    whole_ml = cap_ml(-HALF_MM[0])
    assert one.resected_ml == pytest.approx(cap_ml(30), rel=0.01)
    assert two.resected_ml == pytest.approx(whole_ml - cap_ml(10), rel=0.005)
    stays_ml = cap_ml(10) - cap_ml(30)
    assert one.flr_ml == pytest.approx(stays_ml, rel=0.005)
    assert two.flr_ml == two.left_ml == pytest.approx(1.4 * one.flr_ml)
    assert one.ligated_ml == pytest.approx(whole_ml - cap_ml(10), rel=0.005)  # half-way, x = 10
    assert one.resected_ml + two.resected_ml + one.flr_ml == pytest.approx(
        assess_prepared(prepared, both, margin_mm=1).total_ml, abs=1e-9
    )
    tumour_ml = prepared.tumours[0].tumour.volume_ml
    assert one.left_ml == pytest.approx(whole_ml - cap_ml(30) - tumour_ml, rel=0.005)


def test_each_stage_says_what_it_takes(prepared, both):
    one, two = stages_of(prepared, both)
    assert (one.takes, one.tumours) == ("all beyond a plane", ())
    assert (two.takes, two.tumours) == ("all beyond a plane", (1,))
    turned = replace(both, first=RIGHT, second=LEFT)
    assert [s.tumours for s in stages_of(prepared, turned)] == [(1,), ()]
    wedge = WedgeResection.on(prepared, [1], 5)
    assert in_words(UnionResection(parts=(wedge, LEFT))) == (
        "a wedge around tumour 1, and all beyond a plane"
    )
    assert in_words(both.ligated) == "territory of a branch of order 1"


def test_flags_on_the_remnant_are_those_of_the_grown_one(prepared, both):
    said = assess_prepared(prepared, both, margin_mm=1, condition="chemo")
    plan = Plan(
        name="two", resection=both, assessment=said, labels_fingerprint=prepared.fingerprint
    )
    (standing,) = standings_of([plan], prepared.label_map)
    assert any(f.startswith("The remnant is") for f in said.flags)
    assert not said.keeps_enough_liver
    assert standing.keeps_enough_liver
    assert not any(f.startswith("The remnant is") for f in standing.flags)
    assert standing.flags[0].startswith("The second operation counts on a remnant that grows")
    assert standing.feasibility == "feasible with flags"
    little = replace(plan, resection=replace(both, growth=Hypertrophy(factor=1.0, source="none")))
    (standing,) = standings_of([little], prepared.label_map)
    assert standing.feasibility == "not feasible"
    assert any(f.startswith("Grown before the second operation, the") for f in standing.flags)
    plain = replace(plan, resection=UnionResection(parts=(LEFT, RIGHT)))
    (standing,) = standings_of([plain], prepared.label_map)
    assert standing.flags == said.flags
    assert standing.verdict == "Not feasible by the numbers: too little liver remains"


@pytest.mark.parametrize("staged", [True, False])
def test_enough_liver_without_its_vessels_is_no_plain_yes(prepared, both, staged):
    cut = both if staged else LEFT
    said = assess_prepared(prepared, cut, margin_mm=1, condition="chemo")
    ml = said.remnant_functional_ml
    for share, word in ((0.95, "the numbers"), (0.1, "volume, not by function")):
        kept = FunctionalRemnant(
            healthy_ml=share * ml, devascularised_ml=(1 - share) * ml, congested_ml=0.0,
            both_ml=0.0, functional_ml=share * ml, flr_percent=share * said.flr_percent,
        )  # fmt: skip
        plan = Plan(
            name="it",
            resection=cut,
            assessment=replace(said, function=kept, tumours=()),
            labels_fingerprint=prepared.fingerprint,
        )
        (standing,) = standings_of([plan], prepared.label_map)
        assert standing.verdict.startswith(f"Feasible by {word}")
        assert standing.keeps_enough_function == (share > 0.5)


def test_growth_lifts_a_remnant_over_the_threshold(prepared, both):
    patient = Patient(height_cm=170, weight_kg=40)
    one, two = stages_of(prepared, both, condition="chemo", patient=patient)
    measured = [s.verdicts[0] for s in (one, two)]
    assert [v.passed for v in measured] == [False, True]
    assert measured[1].value_percent == pytest.approx(1.4 * measured[0].value_percent)
    assert (one.growth, one.source, two.growth, two.source) == (1, "", 1.4, "a second scan")
    assert not one.keeps_enough_liver
    assert {v.denominator for v in two.verdicts} == {"measured", "standardised", "body weight"}


def test_as_a_resection_it_is_the_union_of_both(prepared, both):
    union = UnionResection(parts=(LEFT, RIGHT))
    said, plain = (assess_prepared(prepared, r, margin_mm=1) for r in (both, union))
    assert said == plain
    assert len(cut_sheet(prepared, both).points_mm) == len(cut_sheet(prepared, union).points_mm)
    inside = UnionResection(parts=(both, LEFT))
    points = prepared.tumours[0].boundary.points_mm
    assert (inside.distance_mm(points) == union.distance_mm(points)).all()


def test_what_both_would_take_goes_first(prepared):
    wider = PlaneResection(point_mm=(20, 0, 0), normal=(1, 0, 0))
    one, two = stages_of(
        prepared, TwoStageResection(first=LEFT, second=wider, growth=AFTER_PORTAL_OCCLUSION)
    )
    assert two.resected_ml == pytest.approx(cap_ml(20) - cap_ml(30), rel=0.02)
    assert one.ligated_ml == two.ligated_ml == 0
    assert two.growth == pytest.approx(36 / 26)


def test_plan_files_keep_it(prepared, both):
    assert resection_from_dict(json.loads(json.dumps(both.to_dict())), prepared.label_map) == both
    plan = Plan(
        name="two",
        resection=both,
        assessment=assess_prepared(prepared, both, margin_mm=1),
        labels_fingerprint=prepared.fingerprint,
    )
    again = plan_from_json(plan_to_json(plan), prepared.label_map)
    assert again == plan
    assert replay(again, prepared.label_map).exact
    assert len(both.markups()) == 2


def test_refusals(prepared, both):
    with pytest.raises(UsageError, match="portal vein"):
        replace(both, ligated=TerritoryResection(tree=straight("hepatic"), branches=(0,)))
    for factor, source in ((0.9, "x"), (3.1, "x"), (float("nan"), "x"), (1.2, " ")):
        with pytest.raises(UsageError, match="hypertrophy"):
            Hypertrophy(factor=factor, source=source)
    good = both.to_dict()
    for change in (
        {"first": None},
        {"growth": {"factor": 1.2}},
        {"growth": {"factor": 9, "source": "x"}},
        {"ligated": LEFT.to_dict()},
    ):
        with pytest.raises(CorruptFileError):
            resection_from_dict(good | change, prepared.label_map)
