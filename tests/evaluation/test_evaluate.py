"""Scores against MONAI's metrics and by hand."""

import numpy as np
import pytest
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from scipy import ndimage

from surgplan.errors import GeometryMismatchError, NothingToDoError
from surgplan.evaluation import NSD_TOLERANCE_MM, WHOLE_LIVER, evaluate, score_masks
from surgplan.volume import LIVER, LIVER_TUMOUR, PORTAL_VEIN, SPLEEN, Geometry, LabelMap

GRID = Geometry.from_spacing(shape=(24, 40, 40), spacing_mm=(2.5, 0.8, 0.9))


def ball(centre: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1)
    offset = (index - np.asarray(centre)) * GRID.spacing_mm
    return np.linalg.norm(offset, axis=-1) <= radius_mm


@pytest.mark.filterwarnings("ignore:monai.metrics.utils:FutureWarning")
def test_scores_agree_with_monai() -> None:
    a, b = ball((12, 20, 20), 12), ball((12.5, 22, 19), 11)
    score = score_masks("ball", a, b, GRID)
    tensors = [torch.from_numpy(m)[None, None].float() for m in (a, b)]
    hd95 = compute_hausdorff_distance(*tensors, percentile=95, spacing=GRID.spacing_mm)
    assd = compute_average_surface_distance(*tensors, symmetric=True, spacing=GRID.spacing_mm)
    nsd = compute_surface_dice(
        *(torch.cat([1 - t, t], dim=1) for t in tensors),
        class_thresholds=[2.0],
        spacing=GRID.spacing_mm,
    )
    assert score.dice == pytest.approx(float(compute_dice(*tensors)))
    assert NSD_TOLERANCE_MM == 2.0
    assert score.nsd == pytest.approx(float(nsd), abs=1e-3)
    assert score.hd95_mm == pytest.approx(float(hd95), abs=1e-3)
    assert score.assd_mm == pytest.approx(float(assd), abs=1e-3)
    assert score.volume_error_percent == pytest.approx(100 * (a.sum() / b.sum() - 1))


def test_nsd_counts_boundary_voxels_within_the_tolerance() -> None:
    a, b = ball((12, 20, 20), 12), ball((12, 25, 20), 12)
    edges = [m & ~ndimage.binary_erosion(m) for m in (a, b)]
    points = [np.argwhere(e) * np.asarray(GRID.spacing_mm) for e in edges]
    near = [
        (np.linalg.norm(p[:, None] - q[None], axis=-1).min(axis=1) <= NSD_TOLERANCE_MM)
        for p, q in (points, points[::-1])
    ]
    assert score_masks("ball", a, b, GRID).nsd == pytest.approx(np.concatenate(near).mean())


def test_equal_maps_score_one_and_the_whole_liver_counts_its_tumour() -> None:
    labels = ball((12, 20, 20), 14).astype(np.uint8)
    labels[ball((12, 20, 20), 5)] = LIVER_TUMOUR.label
    labels[ball((5, 5, 5), 4)] = SPLEEN.label
    full = LabelMap(array=labels, geometry=GRID, segments=(LIVER, LIVER_TUMOUR, SPLEEN))
    scores = {s.name: s for s in evaluate(full, full).scores}
    assert next(iter(scores)) == WHOLE_LIVER
    assert {s.dice for s in scores.values()} == {1.0}
    assert {s.hd95_mm for s in scores.values()} == {0.0}
    missed = labels.copy()
    missed[labels == LIVER_TUMOUR.label] = LIVER.label
    scores = {s.name: s for s in evaluate(full.with_array(missed), full).scores}
    assert scores[WHOLE_LIVER].dice == 1.0
    assert scores[LIVER_TUMOUR.name].dice == 0.0
    assert scores[LIVER_TUMOUR.name].hd95_mm is None


def test_centreline_dice_of_a_vessel_forgives_thickness_and_punishes_gaps() -> None:
    thick = np.zeros(GRID.shape, dtype=bool)
    thick[10:15, 18:23, 5:35] = True
    thin = np.zeros(GRID.shape, dtype=bool)
    thin[11:14, 19:22, 4:36] = True
    gap = thick.copy()
    gap[:, :, 15:30] = False

    def cl_dice(found: np.ndarray) -> float | None:
        return score_masks(PORTAL_VEIN.name, found, thick, GRID, is_vessel=True).cl_dice

    assert cl_dice(thin) == pytest.approx(1, abs=0.1)
    assert cl_dice(gap) == pytest.approx(2 * 0.5 / 1.5, abs=0.12)


def test_a_vessel_too_small_for_a_centreline_is_compared_as_a_whole() -> None:
    block = np.zeros(GRID.shape, dtype=bool)
    block[4:8, 10:14, 10:14] = True
    score = score_masks(PORTAL_VEIN.name, block, block, GRID, is_vessel=True)
    assert score.cl_dice == pytest.approx(1)


def test_other_grids_and_empty_references_are_refused() -> None:
    empty = LabelMap(
        array=np.zeros(GRID.shape, dtype=np.uint8), geometry=GRID, segments=(LIVER, SPLEEN)
    )
    with pytest.raises(NothingToDoError, match="no structure"):
        evaluate(empty, empty)
    moved = LabelMap(
        array=empty.array,
        geometry=Geometry.from_spacing(shape=GRID.shape, spacing_mm=(2.5, 0.8, 1.0)),
        segments=(LIVER,),
    )
    with pytest.raises(GeometryMismatchError, match="resample"):
        evaluate(moved, empty)
