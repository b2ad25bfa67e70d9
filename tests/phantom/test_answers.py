from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree

from surgplan.phantom import Lesion, Phantom
from surgplan.phantom._liver import liver
from surgplan.volume import (
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    RIGHT_KIDNEY,
    SPLEEN,
    Geometry,
    Segment,
)

from .conftest import oblique_grid


@pytest.fixture(scope="module")
def answers(phantom: Phantom) -> dict:
    return phantom.known_answers()


def test_answers_are_plain_json(answers: dict) -> None:
    assert json.loads(json.dumps(answers, allow_nan=False)) == answers


def test_volumes_are_those_of_the_label_map(phantom: Phantom, answers: dict) -> None:
    volumes = answers["volumes_ml"]
    for segment in (*phantom.label_map.segments, *phantom.couinaud.segments):
        voxels = (phantom.label_map.array == segment.label).sum()
        if segment in phantom.couinaud.segments:
            voxels = (phantom.couinaud.array == segment.label).sum()
        assert volumes[segment.name] == pytest.approx(voxels * 5 * 4 * 4 / 1000, abs=1e-3)
        assert voxels > 0, segment.name
    assert 1200 < volumes["whole liver"] < 1900


def test_couinaud_segments_part_the_whole_liver(phantom: Phantom) -> None:
    assert np.array_equal(phantom.couinaud.array > 0, phantom.label_map.whole_liver())
    assert phantom.couinaud.labels_present() == list(range(1, 9))


def heights_mm(phantom: Phantom, segment: Segment) -> np.ndarray:
    """Of the voxels of a structure, towards the head."""
    return phantom.label_map.geometry.to_lps(np.argwhere(phantom.label_map.mask(segment)))[:, 2]


def test_lungs_reach_down_to_the_upper_half_of_the_kidneys(phantom: Phantom) -> None:
    lowest_mm = heights_mm(phantom, LUNGS).min()
    for kidney in (RIGHT_KIDNEY, LEFT_KIDNEY):
        assert lowest_mm > np.median(heights_mm(phantom, kidney))
    assert lowest_mm < heights_mm(phantom, SPLEEN).max()  # behind the spleen they go on


def test_right_segments_lie_right_and_upper_ones_above(phantom: Phantom) -> None:
    grid, array = phantom.couinaud.geometry, phantom.couinaud.array
    middle = {n: grid.to_lps(np.argwhere(array == n)).mean(axis=0) for n in range(1, 9)}
    for right in (5, 6, 7, 8):
        for left in (2, 3, 4):
            assert middle[right][0] < middle[left][0]
    assert middle[8][2] > middle[5][2] + 30
    assert middle[7][2] > middle[6][2] + 30
    assert middle[6][1] > middle[5][1] + 20
    assert middle[7][1] > middle[8][1] + 20


@pytest.mark.parametrize("number", [1, 2, 4, 6])
def test_a_lesion_has_its_analytic_volume_on_an_oblique_grid(phantom: Phantom, number: int) -> None:
    lesion = phantom.lesions[number - 1]
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * lesion.spec.radius_mm**3 / 1000)
    extent = 2 * float(lesion.semi_axes_mm.max()) + 4
    step = max(0.5, lesion.spec.radius_mm / 16)
    fine = phantom.on(oblique_grid(lesion.centre_mm, extent, (1.3 * step, step, 0.8 * step)))
    mask = fine.label_map.mask(lesion.segment)
    volume_ml = mask.sum() * fine.label_map.geometry.voxel_volume_mm3 / 1000
    assert volume_ml == pytest.approx(lesion.volume_ml, rel=0.01)
    centre = fine.label_map.geometry.to_lps(np.argwhere(mask)).mean(axis=0)
    assert centre == pytest.approx(lesion.centre_mm, abs=0.15 * step)


def test_tumours_are_tumours_and_cysts_cysts(phantom: Phantom, answers: dict) -> None:
    kinds = {lesion["kind"]: lesion["label"] for lesion in answers["lesions"]}
    tumour, cyst = LIVER_TUMOUR.label, LIVER_CYST.label
    assert kinds == {"metastasis": tumour, "hcc": tumour, "haemangioma": tumour, "cyst": cyst}


def test_lesions_lie_inside_the_liver_and_apart(phantom: Phantom) -> None:
    for lesion in phantom.lesions:
        shell = _shell(lesion, 0.8).T
        inner = phantom.individual.bend(np.ascontiguousarray(shell))
        assert (liver(inner, phantom.individual) < 0).all()
        for other in phantom.lesions:
            if other is not lesion:
                assert other.distance_mm(_shell(lesion, 0.0)).min() > 1


def _shell(lesion: Lesion, grow_mm: float, count: int = 400) -> np.ndarray:
    """Points on the ellipsoid, grown along its axes."""
    directions = np.random.default_rng(0).normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return lesion.centre_mm + (directions * (lesion.semi_axes_mm + grow_mm)) @ lesion.axes


def test_contacts_are_as_asked_for(phantom: Phantom, answers: dict) -> None:
    seen = set()
    for lesion, answer in zip(phantom.lesions, answers["lesions"], strict=True):
        distances = [n["distance_mm"] for n in answer["nearest"] if n["system"] != "arterial"]
        seen.add(lesion.spec.contact)
        if lesion.spec.contact == "free":
            assert min(distances) > 0.5
        elif lesion.spec.contact == "abutting":
            assert abs(min(distances)) < 1.5
        else:
            assert min(distances) < -0.5
    assert seen == {"free", "abutting", "infiltrating"}


def test_nearest_vessels_agree_with_a_search_from_the_lesions_surface(
    phantom: Phantom, answers: dict
) -> None:
    for lesion, answer in zip(phantom.lesions, answers["lesions"], strict=True):
        shell = cKDTree(_shell(lesion, 0.0, count=6000))
        for system in ("portal", "hepatic"):
            gaps: dict[str, float] = {}
            for b in phantom.tree(system).branches:
                gap = shell.query(b.samples_mm(0.5))[0].min() - b.radius_mm
                gaps[b.label] = min(gaps.get(b.label, np.inf), gap)
            near, major = (n for n in answer["nearest"] if n["system"] == system)
            if near["distance_mm"] > 0.5:  # from outside, the surface and the line never cross
                assert near["distance_mm"] == pytest.approx(min(gaps.values()), abs=0.15)
                assert gaps[near["branch"]] == pytest.approx(min(gaps.values()), abs=0.15)
            assert major["distance_mm"] >= near["distance_mm"]
            assert major["radius_mm"] >= major["radius_at_least_mm"] == 2.0


def test_vessel_list_repeats_the_trees(phantom: Phantom, answers: dict) -> None:
    assert len(answers["vessels"]) == sum(len(t.branches) for t in phantom.trees)
    first = answers["vessels"][0]
    branch = phantom.tree("portal").branches[0]
    assert (first["system"], first["label"], first["order"], first["parent"]) == (
        "portal", "main portal vein", 1, None,
    )  # fmt: skip
    steps = np.linalg.norm(np.diff(branch.points_mm, axis=0), axis=1)
    assert first["length_mm"] == pytest.approx(steps.sum(), abs=1e-3)
    assert first["start_mm"] == pytest.approx(branch.points_mm[0], abs=1e-4)
    assert first["end_mm"] == pytest.approx(branch.points_mm[-1], abs=1e-4)


def test_margins_to_planes_are_those_of_the_lesions_surface(
    phantom: Phantom, answers: dict
) -> None:
    cut = 0
    for plane in answers["planes"]:
        at, normal = np.array(plane["point_mm"]), np.array(plane["normal"])
        assert np.linalg.norm(normal) == pytest.approx(1, abs=1e-5)
        for lesion, margin in zip(phantom.lesions, plane["margins_mm"], strict=True):
            heights = (_shell(lesion, 0.0) - at) @ normal
            if margin < 0:
                cut += 1
                assert heights.min() < 0 < heights.max()
            else:
                assert np.abs(heights).min() == pytest.approx(margin, abs=0.4)
        whole = answers["volumes_ml"]["whole liver"]
        assert plane["resected_ml"] + plane["remnant_ml"] == pytest.approx(whole, abs=0.01)
    right = next(p for p in answers["planes"] if p["name"] == "right_hemihepatectomy")
    segments = [answers["volumes_ml"][f"segment {n}"] for n in ("V", "VI", "VII", "VIII")]
    assert right["resected_ml"] == pytest.approx(sum(segments), rel=0.06)


def test_an_oblique_grid_gives_the_same_volumes(phantom: Phantom) -> None:
    turned = phantom.on(oblique_grid(np.array([-32.0, -8.0, 5.0]), 262, (4.4, 3.6, 3.9)))

    def volumes_ml(body: Phantom) -> list[float]:
        voxel_ml = body.label_map.geometry.voxel_volume_mm3 / 1000
        parts = [body.label_map.whole_liver(), *(body.couinaud.array == n for n in (4, 5, 7, 8))]
        return [float(part.sum()) * voxel_ml for part in parts]

    assert volumes_ml(turned) == pytest.approx(volumes_ml(phantom), rel=0.01)


def test_another_grid_shows_the_same_body(phantom: Phantom) -> None:
    window = phantom.label_map.geometry.window((15, 20, 15), (25, 40, 45))
    part = phantom.on(window)
    assert np.array_equal(part.label_map.array, phantom.label_map.array[15:25, 20:40, 15:45])
    far = Geometry.from_spacing(shape=(3, 4, 5), spacing_mm=(5, 5, 5), origin_mm=(900, 900, 0))
    assert not phantom.on(far).label_map.array.any()
    assert phantom.on(far).label_map.volume_ml(LIVER) == 0
