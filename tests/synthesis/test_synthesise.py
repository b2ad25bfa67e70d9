"""Synthetic scans: exact labels, wishes kept, seeds alone decide."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.synthesis import (
    Body,
    GateSettings,
    LesionWish,
    PersonSettings,
    VolumeSettings,
    around_liver,
    body_of,
    check_plausible,
    check_volume,
    synthesise,
)
from surgplan.synthesis import _gate as gate
from surgplan.volume import (
    ANATOMY,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    Geometry,
    LabelMap,
    Volume,
)

GRID = Geometry.from_spacing(
    shape=(40, 60, 80), spacing_mm=(4.0, 4.0, 4.0), origin_mm=(-160.0, -120.0, -80.0)
)


def balls() -> LabelMap:
    """Organs as balls, a vein through the liver."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1)
    points = GRID.to_lps(index)
    array = np.zeros(GRID.shape, dtype=np.uint8)
    for segment, centre, radius in (
        (LUNGS, (0, 0, 70), 30),
        (SPLEEN, (95, 40, 0), 32),
        (RIGHT_KIDNEY, (-60, 70, -35), 28),
        (LEFT_KIDNEY, (60, 75, -35), 28),
        (LIVER, (-50, -10, 0), 68),
    ):
        array[np.linalg.norm(points - centre, axis=-1) < radius] = segment.label
    vein = np.hypot(points[..., 1] + 10, points[..., 2]) < 6
    array[vein & (array == LIVER.label)] = PORTAL_VEIN.label
    return LabelMap(array=array, geometry=GRID, segments=ANATOMY)


@pytest.fixture(scope="module")
def body() -> Body:
    return body_of(balls(), "balls")


def test_a_body_of_labels_has_fat_and_skin_around_it(body: Body) -> None:
    assert set(np.unique(body.labels)) >= {1, 8, 13, 200, 201, 203}
    assert body.labels[0, 0, 0] == 200
    labelled = balls().array > 0
    np.testing.assert_array_equal(body.labels[labelled], balls().array[labelled])


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_scan_is_as_bright_as_its_labels_say(body: Body, modality: str) -> None:
    look = "portal" if modality == "CT" else "t2"
    settings = VolumeSettings(
        modality=modality,  # type: ignore[arg-type]
        look=look,
        spacing_mm=4.0,
        lesions=(LesionWish(kind="metastasis", diameter_mm=40),),
        person=PersonSettings(condition="normal"),
    )
    made = synthesise(settings, seed=3, body=body)
    array, labels = made.image.array, made.label_map
    liver = float(np.median(array[labels.mask(LIVER)]))
    lungs = float(np.median(array[labels.mask(LUNGS)]))
    assert made.image.geometry.matches(labels.geometry)
    assert made.image.is_synthetic
    assert len(made.lesions) == 1
    assert labels.mask(LIVER_TUMOUR).any()
    if modality == "CT":
        assert 50 < liver < 170
        assert lungs < -600
        assert made.lesions[0].contrast < -15
    else:
        assert lungs < 0.4 * liver
        assert made.lesions[0].contrast > 20


def test_seed_and_number_alone_decide(body: Body) -> None:
    settings = VolumeSettings(spacing_mm=4.0)
    first, again, other = (synthesise(settings, seed=1, number=n, body=body) for n in (2, 2, 3))
    assert first.image == again.image
    assert first.label_map.fingerprint() == again.label_map.fingerprint()
    assert first.lesions == again.lesions
    assert first.image != other.image


@pytest.mark.parametrize("liver_ml", [1000.0, 1500.0])
def test_the_liver_has_the_volume_asked_for(body: Body, liver_ml: float) -> None:
    settings = VolumeSettings(
        spacing_mm=4.0,
        lesions=0,
        person=PersonSettings(sex="male", size=1.0, liver_ml=liver_ml, condition="normal"),
    )
    made = synthesise(settings, seed=0, body=body)
    whole_ml = made.label_map.whole_liver().sum() * 0.064
    assert whole_ml == pytest.approx(liver_ml, rel=0.05)


def test_conditions_look_as_they_should(body: Body) -> None:
    liver = {}
    for condition in ("normal", "steatosis"):
        settings = VolumeSettings(
            look="native", spacing_mm=4.0, lesions=0, person=PersonSettings(condition=condition)
        )
        made = synthesise(settings, seed=9, body=body)
        liver[condition] = float(np.median(made.image.array[made.label_map.mask(LIVER)]))
    assert liver["steatosis"] < liver["normal"] - 20


def test_thick_slices_and_exact_shapes(body: Body) -> None:
    settings = VolumeSettings(spacing_mm=4.0, slice_mm=8.0, lesions=0, exact_shape=True)
    made = synthesise(settings, seed=0, body=body)
    assert made.image.geometry.spacing_mm == pytest.approx((8.0, 4.0, 4.0))
    plain = VolumeSettings(spacing_mm=4.0, lesions=0, exact_shape=True)
    np.testing.assert_array_equal(
        synthesise(plain, seed=0, body=body).label_map.array, balls().array
    )


def test_lesions_are_told_as_they_look_in_thick_slices(body: Body) -> None:
    wishes = (LesionWish(kind="cyst", diameter_mm=10), LesionWish(kind="cyst", diameter_mm=40))
    thin, thick = (
        synthesise(
            VolumeSettings(spacing_mm=4.0, slice_mm=slice_mm, look="portal", lesions=wishes),
            seed=4,
            body=body,
        )
        for slice_mm in (None, 10.0)
    )
    large, small = thick.lesions
    assert (large.diameter_mm, small.diameter_mm) == (40, 10)
    assert small.contrast > thin.lesions[1].contrast + 15  # blurred with the liver around it
    assert large.contrast < small.contrast
    for lesion in thick.lesions:
        pieces, _ = ndimage.label(thick.label_map.mask(LIVER_CYST))
        at = np.rint(thick.image.geometry.to_index(np.array(lesion.centre_mm))).astype(int)
        own = pieces == pieces[tuple(at)]
        assert own.sum() * thick.image.geometry.voxel_volume_mm3 / 1000 == pytest.approx(
            lesion.voxel_ml, abs=0.01
        )
    assert [x.distance_mm for x in thick.lesions] == [x.distance_mm for x in thin.lesions]


def test_a_body_bends_around_another_liver(body: Body) -> None:
    array = np.zeros((45, 45, 45), np.uint8)
    z, y, x = np.mgrid[:45, :45, :45] - 22
    array[(z / 14) ** 2 + (y / 13) ** 2 + (x / 20) ** 2 < 1] = LIVER.label
    shape = LabelMap(
        array=array,
        geometry=Geometry.from_spacing(shape=(45, 45, 45), spacing_mm=(4.0, 4.0, 4.0)),
        segments=ANATOMY,
    )
    bent = around_liver(body, shape, "ellipsoid")
    whole = bent.label_map.whole_liver()
    assert whole.sum() == pytest.approx((array > 0).sum(), rel=0.04)
    vein = bent.label_map.mask(PORTAL_VEIN)
    assert vein.any()  # the vein follows into the new shape
    assert (vein & whole).sum() > 0.9 * vein.sum()
    assert bent.source == "ellipsoid"


def test_a_lesion_without_place_is_named(body: Body) -> None:
    wishes = (LesionWish(diameter_mm=60), LesionWish(diameter_mm=110))
    made = synthesise(VolumeSettings(spacing_mm=4.0, lesions=wishes), seed=0, body=body)
    missing = [w["diameter_mm"] for w in made.facts["lesions_without_place"]]
    assert 110 in missing
    assert len(missing) + len(made.lesions) == 2


def test_settings_refuse_nonsense() -> None:
    with pytest.raises(UsageError, match="spacing_mm"):
        VolumeSettings(spacing_mm=0.2)
    with pytest.raises(UsageError, match="slice_mm"):
        VolumeSettings(slice_mm=2.0)
    with pytest.raises(UsageError, match="method"):
        VolumeSettings(method="gan")
    with pytest.raises(UsageError, match="sex"):
        PersonSettings(sex="none")
    with pytest.raises(UsageError, match="liver_ml"):
        PersonSettings(liver_ml=50)


class Found:
    """What a segmentation hands back, for a gate that must not depend on a network."""

    def __init__(self, label_map: LabelMap, sure: float) -> None:
        self.label_map = label_map
        self.confidence = np.full(label_map.array.shape, sure, dtype=np.float32)


def judged(
    monkeypatch: pytest.MonkeyPatch,
    found: LabelMap,
    image: Volume,
    labels: LabelMap,
    sure: float = 0.9,
) -> tuple[str, ...]:
    monkeypatch.setattr(gate, "segment", lambda *_, **__: Found(found, sure))
    return check_volume(image, labels, GateSettings()).reasons


def test_the_gate_refuses_what_its_labels_do_not_say(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = VolumeSettings(
        look="portal", spacing_mm=4.0, lesions=(LesionWish(diameter_mm=40),), exact_shape=True
    )
    made = synthesise(settings, seed=0, body=body)
    image, labels = made.image, made.label_map
    assert judged(monkeypatch, labels, image, labels) == ()
    without = labels.with_array(np.where(labels.array == 2, 1, labels.array).astype(np.uint8))
    assert "liver tumour: Dice 0.00" in judged(monkeypatch, without, image, labels)[0]
    seen = labels.array.copy()
    seen[18:22, 25:29, 18:22] = LIVER_TUMOUR.label
    lesion_free = labels.with_array(np.where(labels.array == 2, 1, labels.array).astype(np.uint8))
    invented = judged(monkeypatch, lesion_free.with_array(seen), image, lesion_free)
    assert any("labels have none" in reason for reason in invented)
    doubted = judged(monkeypatch, lesion_free.with_array(seen), image, lesion_free, sure=0.78)
    assert doubted == ()
    shifted = labels.with_array(np.roll(labels.array, 5, axis=2))
    assert any("spleen" in r for r in judged(monkeypatch, shifted, image, labels))
    bright = image.with_array((image.array + 300).astype(np.int16))
    assert any("usual" in r for r in judged(monkeypatch, labels, bright, labels))
    cut = labels.with_array(np.roll(labels.array, -25, axis=2))
    assert any("cut" in r for r in judged(monkeypatch, cut, image, cut))


def test_the_gate_refuses_an_organ_that_its_labels_lack(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = VolumeSettings(look="portal", spacing_mm=4.0, lesions=0, exact_shape=True)
    made = synthesise(settings, seed=0, body=body)
    seen = made.label_map
    without = seen.with_array(np.where(seen.mask(SPLEEN), 0, seen.array).astype(np.uint8))
    (reason,) = judged(monkeypatch, seen, made.image, without)
    assert reason == f"spleen: {seen.volume_ml(SPLEEN):.1f} ml are seen where the labels have none"
    assert judged(monkeypatch, without, made.image, without) == ()


def test_a_tumour_that_nobody_can_see_is_not_asked_for(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = LesionWish(kind="metastasis", diameter_mm=40)
    settings = VolumeSettings(look="portal", spacing_mm=4.0, lesions=(wish,), exact_shape=True)
    made = synthesise(settings, seed=0, body=body)
    labels = made.label_map
    tumour, liver = labels.mask(LIVER_TUMOUR), labels.mask(LIVER)
    without = labels.with_array(np.where(tumour, LIVER.label, labels.array).astype(np.uint8))
    assert any("tumour" in r for r in judged(monkeypatch, without, made.image, labels))
    faint = made.image.array.copy()
    faint[tumour] = np.random.default_rng(0).choice(faint[liver], tumour.sum())
    assert judged(monkeypatch, without, made.image.with_array(faint), labels) == ()
    figures = check_volume(made.image.with_array(faint), labels, GateSettings()).figures
    whole_ml = pytest.approx(labels.volume_ml(LIVER_TUMOUR), rel=0.01)
    assert figures["tumour_not_judged_ml"] == whole_ml
    larger = GateSettings(tumour_ml=labels.volume_ml(LIVER_TUMOUR) + 1)
    assert check_volume(made.image, labels, larger).figures["tumour_not_judged_ml"] == whole_ml
    assert check_volume(made.image, labels, GateSettings()).figures["tumour_not_judged_ml"] == 0


@pytest.mark.parametrize("look", ["native", "arterial", "portal", "delayed"])
def test_drawn_scans_are_plausible(body: Body, look: str) -> None:
    for number in range(3):
        made = synthesise(
            VolumeSettings(look=look, spacing_mm=4.0, lesions=0), seed=1, number=number, body=body
        )
        assert check_plausible(made.image, made.label_map).reasons == ()


@pytest.mark.parametrize("look", ["t1", "t2"])
def test_an_mr_with_its_brightness_upside_down_is_refused(body: Body, look: str) -> None:
    settings = VolumeSettings(modality="MR", look=look, spacing_mm=4.0, lesions=0)
    for number in range(3):
        made = synthesise(settings, seed=1, number=number, body=body)
        assert check_plausible(made.image, made.label_map).reasons == ()
        array = np.clip(600 - made.image.array, 0, None).astype(np.int16)
        reasons = check_plausible(made.image.with_array(array), made.label_map).reasons
        assert any("lungs: median" in r and "is usual" in r for r in reasons)
