from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from surgplan.planning import choose_couinaud, sides_cut_off
from surgplan.report import ReportInput
from surgplan.report._slices import tilt_deg
from surgplan.report._warnings import mean_confidence, warnings_of
from surgplan.volume import LIVER, PORTAL_VEIN, Geometry, LabelMap, Volume, crop, reorient

Scan = Callable[[Geometry, LabelMap], Volume]


def warned(labels: LabelMap, scan_of: Scan) -> list[str]:
    plain = ReportInput(
        volume=scan_of(labels.geometry, labels), label_map=labels, surfaces=(), plans=()
    )
    return warnings_of(plain, {})


@pytest.mark.parametrize("axes", ["SPL", "IAR", "LPS"])
@pytest.mark.parametrize(
    ("axis", "end", "edge"), [(0, -1, "upper"), (0, 0, "lower"), (1, 0, "front"), (2, -1, "left")]
)
def test_a_liver_that_reaches_the_edge_is_named_by_the_side_of_the_patient(
    anatomy_on: Callable[..., LabelMap], scan_of: Scan, axes: str, axis: int, end: int, edge: str
) -> None:
    grid = Geometry.from_spacing(
        shape=(26, 48, 60), spacing_mm=(4.0, 2.5, 2.5), origin_mm=(-74, -59, -50)
    )
    keep = [slice(None)] * 3
    half = grid.shape[axis] // 2
    keep[axis] = slice(0, half) if end == -1 else slice(half, grid.shape[axis])
    labels = crop(anatomy_on(grid), (keep[0], keep[1], keep[2]))
    sentences = [w for w in warned(reorient(labels, axes), scan_of) if "reaches" in w]
    assert len(sentences) == 1
    assert f"the {edge} edge" in sentences[0]


def test_a_liver_inside_the_scan_gives_no_warning_of_it(
    case: ReportInput,
) -> None:
    assert not [w for w in warnings_of(case, {}) if "edge" in w]


def test_missing_structures_are_named(
    grid: Geometry, anatomy_on: Callable[..., LabelMap], scan_of: Scan
) -> None:
    labels = anatomy_on(grid)
    without = labels.array.copy()
    without[labels.mask(PORTAL_VEIN)] = 0
    sentences = warned(labels.with_array(without), scan_of)
    assert any("No portal vein is labelled" in w for w in sentences)
    assert any("No hepatic veins are labelled" in w for w in sentences)
    assert not any("No liver" in w for w in sentences)


def test_thick_and_tilted_scans_and_what_came_before_are_named(case: ReportInput) -> None:
    sentences = warnings_of(replace(case, provenance={"warnings": ["Motion."]}), {})
    (thick,) = (w for w in sentences if "4.0 mm apart" in w)
    assert "diameters of one vessel in ten are off by about 0.5 mm" in thick
    assert any(f"tilted by {tilt_deg(case.volume.geometry):.0f} degrees" in w for w in sentences)
    assert sentences[-1] == "Motion."


def test_doubts_of_the_segmentation_are_told_once(case: ReportInput) -> None:
    doubts = [
        {"kind": "contrast phase", "sentence": "No portal phase.", "abstain": False},
        {"kind": "liver unsure", "sentence": "Unsure.", "abstain": False},
    ]
    sentences = warnings_of(replace(case, provenance={"labels": {"doubts": doubts}}), {})
    assert sentences.count("No portal phase.") == 1
    assert "Unsure." not in sentences


def test_a_liver_that_is_cut_off_is_told_once(case: ReportInput) -> None:
    array = case.label_map.array.copy()
    array[0, 20:25, 20:25] = LIVER.label
    labels = case.label_map.with_array(array)
    (side,) = sides_cut_off(labels)
    before = choose_couinaud(None, {"II": 0.9}, cut_off=(side,)).warnings
    provenance = {"warnings": list(before)}
    cut_off = replace(case, label_map=labels, plans=(), provenance=provenance)
    assert sum(f"reaches the {side} edge" in w for w in before) == 1
    assert sum(f"reaches the {side} edge" in w for w in warnings_of(cut_off, {})) == 1


def test_only_low_confidence_is_named(case: ReportInput) -> None:
    sentences = warnings_of(case, {"spleen": 0.69, "stomach": 0.71})
    assert sum("unsure" in w for w in sentences) == 1
    assert any("spleen (mean confidence 0.69)" in w for w in sentences)


def test_sums_of_confidence_are_those_of_numpy(case: ReportInput) -> None:
    generator = np.random.default_rng(3)
    confidence = generator.random(case.label_map.array.shape, dtype=np.float32)
    means = mean_confidence(replace(case, confidence=confidence))
    for segment in case.label_map.segments:
        expected = confidence[case.label_map.mask(segment)].mean(dtype=np.float64)
        assert means[segment.name] == pytest.approx(expected)
