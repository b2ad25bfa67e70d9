import json
from dataclasses import replace

import pytest

import surgplan
from surgplan.errors import CorruptFileError, ScanMismatchError, UsageError
from surgplan.planning import (
    Patient,
    PlaneResection,
    plan_from_json,
    plan_to_json,
    plan_to_mrk_json,
    propose,
    replay,
)

pytestmark = pytest.mark.usefixtures("plain_trees")


@pytest.fixture(scope="module")
def plans(three_tumours):
    size = Patient(height_cm=170, weight_kg=70)
    return propose(three_tumours, margin_mm=6.0, patient=size, condition="chemo")


def test_a_plan_survives_its_file(three_tumours, plans):
    for plan in plans:
        bound = plan.on_scan("ab" * 32)
        again = plan_from_json(plan_to_json(bound), three_tumours)
        assert again == bound
        assert again.created == plan.created
        assert plan_to_json(again) == plan_to_json(bound)


def test_replaying_gives_every_number_bit_for_bit(three_tumours, plans):
    for plan in plans:
        result = replay(plan_from_json(plan_to_json(plan), three_tumours), three_tumours)
        assert result.exact
        assert result.assessment == plan.assessment


def test_each_field_alone_makes_another_plan(plans):
    plan = plans[0]
    other = {
        "name": "other",
        "resection": plans[1].resection,
        "assessment": plans[1].assessment,
        "labels_fingerprint": "0",
        "scan_fingerprint": "0",
        "why": "other",
        "version": "other",
    }
    for name, value in other.items():
        assert replace(plan, **{name: value}) != plan
    assert replace(plan, created="2000-01-01") == plan


def test_a_plan_belongs_to_its_labels(three_tumours, plans):
    array = three_tumours.array.copy()
    array[0, 0, 0] = 1
    other = three_tumours.with_array(array)
    with pytest.raises(ScanMismatchError, match="plan again"):
        plan_from_json(plan_to_json(plans[0]), other)
    with pytest.raises(ScanMismatchError, match="plan again"):
        replay(plans[0], other)


@pytest.mark.parametrize(
    "change",
    [{"remnant_ml": 1.0}, {"flr_percent": 99.0}, {"condition": "cirrhosis"}, {"flags": ()}],
    ids=str,
)
def test_a_changed_number_is_found_by_replaying(three_tumours, plans, change):
    changed = replace(plans[0], assessment=replace(plans[0].assessment, **change))
    with pytest.raises(ScanMismatchError, match="plan again"):
        replay(changed, three_tumours)


def test_a_moved_cut_is_found_by_replaying(three_tumours, plans):
    plan = next(p for p in plans if isinstance(p.resection, PlaneResection))
    x, y, z = plan.resection.point_mm
    moved = PlaneResection(point_mm=(x + 0.01, y + 0.01, z), normal=plan.resection.normal)
    with pytest.raises(ScanMismatchError, match="says"):
        replay(replace(plan, resection=moved), three_tumours)


def test_the_rounding_of_another_machine_is_no_mismatch(three_tumours, plans):
    said = plans[0].assessment
    near = replace(plans[0], assessment=replace(said, total_ml=said.total_ml * (1 + 1e-9)))
    result = replay(near, three_tumours)
    assert not result.exact
    assert 0 < result.largest_difference < 1e-6


def edited(plan, **changes) -> str:
    return json.dumps(json.loads(plan_to_json(plan)) | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "other"}, "schema"),
        ({"schema_version": 99}, "schema version 1"),
        ({"name": 3}, "name"),
        ({"scan_fingerprint": 3}, "scan_fingerprint"),
        ({"resection": None}, "kind"),
        ({"resection": {"kind": "plane", "point_mm": [0, 0], "normal": [0, 0, 1]}}, "point_mm"),
        ({"resection": {"kind": "union", "parts": []}}, "parts"),
        ({"assessment": None}, "object"),
        ({"quantities": []}, "quantities"),
    ],
    ids=str,
)
def test_a_damaged_plan_is_refused(three_tumours, plans, changes, words):
    with pytest.raises(CorruptFileError, match=words):
        plan_from_json(edited(plans[0], **changes), three_tumours)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("remnant_ml", "12"),
        ("remnant_ml", True),
        ("condition", "fine"),
        ("tumours", {}),
        ("patient", {"height_cm": 170}),
        ("flags", [1]),
        ("unknown", 1),
    ],
)
def test_a_damaged_assessment_is_refused_by_field(three_tumours, plans, field, value):
    assessment = json.loads(plan_to_json(plans[0]))["assessment"] | {field: value}
    with pytest.raises(CorruptFileError, match=field):
        plan_from_json(edited(plans[0], assessment=assessment), three_tumours)


def first_version(plan, **changes):
    """A plan's file as it was before vessels cut and functional remnant were in it."""
    record = json.loads(plan_to_json(plan))
    for name in ("vessels_cut", "function", "not_assessed"):
        del record["assessment"][name]
    record |= {"schema_version": 1, "software_version": "0.0.1", "quantities": []}
    record["assessment"] |= changes
    return record


def test_a_plan_of_the_first_version_is_assessed_anew(three_tumours, plans):
    for plan in plans:
        old = first_version(plan.on_scan("ab" * 32), remnant_ml=1.0, flags=["old"])
        read = plan_from_json(json.dumps(old), three_tumours)
        assert read == plan.on_scan("ab" * 32)
        assert read.assessment.function is not None
        assert read.version == surgplan.__version__
        assert read.created == plan.created
        assert json.loads(plan_to_json(read))["schema_version"] == 3
        assert replay(read, three_tumours).exact


@pytest.mark.parametrize(
    ("field", "value"),
    [("margin_mm", None), ("condition", "fine"), ("patient", {"height_cm": 170})],
)
def test_a_first_version_must_say_what_was_asked(three_tumours, plans, field, value):
    old = json.dumps(first_version(plans[0], **{field: value}))
    with pytest.raises(CorruptFileError, match=field):
        plan_from_json(old, three_tumours)


@pytest.mark.parametrize("assessment", [None, [], [1], "all"])
def test_a_first_version_without_an_assessment_is_refused(three_tumours, plans, assessment):
    old = first_version(plans[0]) | {"assessment": assessment}
    with pytest.raises(CorruptFileError, match="assessment"):
        plan_from_json(json.dumps(old), three_tumours)


def test_a_first_version_belongs_to_its_labels_too(three_tumours, plans):
    array = three_tumours.array.copy()
    array[0, 0, 0] = 1
    with pytest.raises(ScanMismatchError, match="one label map"):
        plan_from_json(json.dumps(first_version(plans[0])), three_tumours.with_array(array))


def test_text_that_is_no_json_is_refused(three_tumours, plans):
    for text in (plan_to_json(plans[0])[:-40], "", "[]"):
        with pytest.raises(CorruptFileError, match="plan"):
            plan_from_json(text, three_tumours)


def test_the_file_says_what_it_is(plans):
    record = json.loads(plan_to_json(plans[0]))
    assert record["notice"] == surgplan.NOT_A_MEDICAL_DEVICE
    assert record["frame"] == "LPS, millimetres"
    assert record["software_version"] == surgplan.__version__
    assert {"name", "value", "unit", "formula", "inputs"} == set(record["quantities"][0])


def test_slicer_gets_planes_and_ways_out_in_lps(plans):
    for plan in plans:
        markups = json.loads(plan_to_mrk_json(plan))["markups"]
        assert markups
        assert all(m["coordinateSystem"] == "LPS" for m in markups)
        assert all(len(p["position"]) == 3 for m in markups for p in m["controlPoints"])
    plane = next(p for p in plans if isinstance(p.resection, PlaneResection))
    (markup,) = json.loads(plan_to_mrk_json(plane))["markups"]
    assert markup["type"] == "Plane"
    assert markup["center"] == list(plane.resection.point_mm)
    assert markup["normal"] == list(plane.resection.normal)


def test_a_name_is_a_file_name(plans):
    for name in ("", "a/b", "../x", "a b"):
        with pytest.raises(UsageError, match="name"):
            replace(plans[0], name=name)
