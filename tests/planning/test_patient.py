import pytest

from surgplan.errors import UsageError
from surgplan.planning import (
    Patient,
    body_surface_dubois_m2,
    standard_livers,
    thresholds_of,
    urata_ml,
    vauthey_ml,
    yu_ml,
)

VECTORS = [
    (170, 70, 1.8181, 1.8097, (1509.7, 1499.0), (1286.4, 1280.4), 1536.8),
    (160, 50, 1.4907, 1.5011, (1094.7, 1107.9), (1055.1, 1062.5), 1185.0),
    (185, 100, 2.2669, 2.2391, (2078.4, 2043.1), (1603.3, 1583.6), 2033.6),
]


@pytest.mark.parametrize(
    ("height", "weight", "mosteller", "dubois", "vauthey", "urata", "yu"), VECTORS
)
def test_formulae_give_the_published_volumes(height, weight, mosteller, dubois, vauthey, urata, yu):
    patient = Patient(height_cm=height, weight_kg=weight)
    surfaces = patient.body_surface_m2, body_surface_dubois_m2(patient)
    assert surfaces == pytest.approx((mosteller, dubois), abs=5e-5)
    assert [vauthey_ml(s) for s in surfaces] == pytest.approx(vauthey, abs=0.1)
    assert [urata_ml(s) for s in surfaces] == pytest.approx(urata, abs=0.1)
    assert yu_ml(patient) == pytest.approx(yu, abs=0.1)
    volumes = [liver.volume_ml for liver in standard_livers(patient)]
    assert volumes == pytest.approx([vauthey[0], urata[0], yu], abs=0.1)


@pytest.mark.parametrize(("height", "weight"), [(1.7, 70), (170, 7000), (float("nan"), 70)])
def test_a_patient_in_other_units_is_refused(height, weight):
    with pytest.raises(UsageError, match="check its unit"):
        Patient(height_cm=height, weight_kg=weight)


def test_every_condition_has_its_thresholds_and_sources():
    standardised = {"normal": 20.0, "chemo": 30.0, "steatosis": 30.0, "cirrhosis": 40.0}
    for condition, minimum in standardised.items():
        rows = {t.denominator: t for t in thresholds_of(condition)}
        assert rows["standardised"].minimum_percent == minimum
        assert rows["body weight"].minimum_percent == 0.5
        assert all(t.source for t in rows.values())
    with pytest.raises(UsageError, match="normal, chemo, steatosis, cirrhosis"):
        thresholds_of("fine")
