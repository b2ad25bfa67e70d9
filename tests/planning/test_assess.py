import numpy as np
import pytest

import surgplan
from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning import Patient, PlaneResection, assess, assess_prepared, prepare
from surgplan.volume import LIVER, LIVER_TUMOUR

SIZE = Patient(height_cm=170, weight_kg=70)


@pytest.fixture(scope="module")
def half(three_tumours):
    cut = PlaneResection(point_mm=(-20, 0, 0), normal=(-1, 0, 0))
    return assess(three_tumours, cut, margin_mm=5, patient=SIZE)


def test_the_remnant_is_held_against_every_denominator(three_tumours, half):
    tumour = three_tumours.volume_ml(LIVER_TUMOUR)
    assert half.tumour_ml == pytest.approx(tumour)
    assert half.functional_ml == pytest.approx(half.total_ml - tumour)
    flr = half.remnant_ml - half.remnant_tumour_ml
    assert half.flr_percent == pytest.approx(100 * flr / half.functional_ml)
    of = {s.name: s.flr_percent for s in half.standardised}
    assert of == pytest.approx(
        {"Vauthey": flr / 15.097, "Urata": flr / 12.864, "Yu": flr / 15.368}, rel=1e-3
    )
    assert half.flr_per_weight_percent == pytest.approx(flr / 700)


def test_inner_vessels_and_cysts_belong_to_the_liver(three_tumours, half):
    assert half.total_ml == pytest.approx(
        three_tumours.whole_liver().sum() * three_tumours.geometry.voxel_volume_mm3 / 1000
    )


def test_without_a_patient_only_the_measured_volume_counts(three_tumours):
    cut = PlaneResection(point_mm=(-20, 0, 0), normal=(-1, 0, 0))
    assessment = assess(three_tumours, cut, margin_mm=5, condition="cirrhosis")
    assert assessment.standardised == ()
    assert assessment.flr_per_weight_percent is None
    assert [v.denominator for v in assessment.verdicts] == ["measured"]
    assert assessment.verdicts[0].minimum_percent == 40.0


def test_too_little_liver_is_said_with_its_denominator_and_source(three_tumours):
    cut = PlaneResection(point_mm=(40, 0, 0), normal=(-1, 0, 0))
    assessment = assess(three_tumours, cut, margin_mm=5)
    assert not assessment.keeps_enough_liver
    assert any(
        "measured functional liver, below 25 %" in f and "Shoup" in f for f in assessment.flags
    )


def test_every_number_has_a_unit_and_a_formula(half):
    quantities = half.quantities()
    assert {q.unit for q in quantities} == {"ml", "%", "mm", "mm2"}
    assert all(q.formula and np.isfinite(q.value) for q in quantities)
    ratio = next(q for q in quantities if "Vauthey" in q.name)
    inputs = dict(ratio.inputs)
    assert ratio.value == pytest.approx(100 * inputs["FLR ml"] / inputs["standard liver ml"])
    assert half.notice == surgplan.NOT_A_MEDICAL_DEVICE


def test_a_liver_without_tumours_is_assessed_too(space):
    label_map = space((2.0, 2.0, 2.0), (20, 20, 20)).ball(LIVER, (0, 0, 0), 19).label_map
    assessment = assess(
        label_map, PlaneResection(point_mm=(0, 0, 0), normal=(0, 0, 1)), margin_mm=5
    )
    assert assessment.tumours == ()
    assert assessment.smallest_margin_mm is None
    assert assessment.flr_percent == pytest.approx(50, abs=0.1)


def test_a_tumour_on_the_vena_cava_is_said_to_limit_the_margin(space):
    from surgplan.volume import VENA_CAVA

    body = space((2.0, 1.0, 1.0), (24, 24, 24)).ball(LIVER, (0, 0, 0), 22)
    body = body.ball(LIVER_TUMOUR, (0, 13, 0), 6).tube(VENA_CAVA, (0, 26, 0), (0, 0, 1), 5)
    cut = PlaneResection(point_mm=(0, 0, 0), normal=(0, 1, 0))
    assessment = assess(body.label_map, cut, margin_mm=5)
    assert any("mm from the inferior vena cava: 5 mm cannot" in f for f in assessment.flags)
    assert not any("cannot" in f for f in assess(body.label_map, cut, margin_mm=1).flags)


def test_preparing_once_gives_the_same_numbers(three_tumours, half):
    cut = PlaneResection(point_mm=(-20, 0, 0), normal=(-1, 0, 0))
    prepared = prepare(three_tumours)
    assert assess_prepared(prepared, cut, margin_mm=5, patient=SIZE) == half
    assert assess_prepared(prepared, cut, margin_mm=5, patient=SIZE) == half


def test_impossible_questions_are_refused(space, three_tumours):
    cut = PlaneResection(point_mm=(0, 0, 0), normal=(0, 0, 1))
    empty = space((2.0, 2.0, 2.0), (8, 8, 8)).label_map
    with pytest.raises(NothingToDoError, match="segment it first"):
        assess(empty, cut, margin_mm=5)
    with pytest.raises(UsageError, match="0 or more"):
        assess(three_tumours, cut, margin_mm=-1)
    with pytest.raises(UsageError, match="must be one of"):
        assess(three_tumours, cut, margin_mm=1, condition="fine")
    for normal in ((0, 0, 0), (0, float("nan"), 1)):
        with pytest.raises(UsageError, match="finite"):
            PlaneResection(point_mm=(0, 0, 0), normal=normal)
