import numpy as np
import pytest
import SimpleITK as sitk

from surgplan.planning import (
    Patient,
    plan_from_json,
    plan_to_json,
    propose,
    replay,
    tumours_of,
)
from surgplan.volume import (
    LIVER,
    LIVER_TUMOUR,
    box_of,
    crop,
)

pytestmark = [pytest.mark.real, pytest.mark.slow]

TUMOURS_ML = {
    "ircadb-01": (84.4, 10.1, 7.5, 3.7, 2.7, 2.5, 0.4),
    "ircadb-17": (85.6, 78.6),
}
LIVER_ML = {"ircadb-01": 1489.0, "ircadb-17": 1861.0}
MARGIN_MM = 10.0


@pytest.fixture(scope="module")
def case(expert):
    whole = expert.labels()
    label_map = crop(whole, box_of(whole.mask(LIVER), whole.geometry, margin_mm=20.0))
    size = Patient(height_cm=170, weight_kg=70)
    plans = propose(label_map, margin_mm=MARGIN_MM, patient=size)
    return expert.name, label_map, label_map.whole_liver(), plans


def test_the_experts_tumours_are_found_one_by_one(case):
    name, label_map, _, _ = case
    volumes = [tumour.volume_ml for tumour in tumours_of(label_map)]
    assert volumes == pytest.approx(TUMOURS_ML[name], abs=0.06)


def test_three_proposals_clear_every_tumour_by_distance_transform(case):
    _, label_map, liver, plans = case
    image = sitk.GetImageFromArray(label_map.mask(LIVER_TUMOUR).astype(np.uint8))
    image.SetSpacing(label_map.geometry.spacing_mm[::-1])
    away = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    )
    centres = label_map.geometry.to_lps(np.argwhere(liver))
    assert len(plans) == 3
    for plan in plans:
        distance = np.zeros(len(centres))
        plan.resection.lower(centres, distance)
        stays = distance == 0
        assert away[liver][stays].min() >= MARGIN_MM
        assert plan.assessment.clears_tumours
        assert plan.assessment.smallest_margin_mm >= MARGIN_MM


def test_volumes_are_plausible_and_sum(case):
    name, label_map, liver, plans = case
    voxels_ml = liver.sum() * label_map.geometry.voxel_volume_mm3 / 1000
    for plan in plans:
        found = plan.assessment
        assert found.total_ml == pytest.approx(LIVER_ML[name], rel=0.02)
        assert found.resected_ml + found.remnant_ml == pytest.approx(voxels_ml, abs=0.01)
        assert found.tumour_ml == pytest.approx(sum(TUMOURS_ML[name]), abs=0.2)
        assert found.resected_ml > found.tumour_ml
        assert found.remnant_tumour_ml == 0
        print(  # noqa: T201 (figures for the reader of `pytest -s`)
            f"{name} {plan.name}: resected {found.resected_ml:.1f} ml, "
            f"remnant {found.remnant_ml:.1f} ml, FLR {found.flr_percent:.1f} %, "
            f"cut {found.cut_area_mm2 / 100:.0f} cm2, margin {found.smallest_margin_mm:.2f} mm"
        )


def test_the_first_plan_is_replayed_from_its_file(case):
    _, label_map, _, plans = case
    again = plan_from_json(plan_to_json(plans[0]), label_map)
    assert replay(again, label_map).exact
