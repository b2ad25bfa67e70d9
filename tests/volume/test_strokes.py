"""A few strokes find a boundary that is known exactly."""

from __future__ import annotations

import time

import numpy as np
import pytest

from surgplan.errors import UsageError
from surgplan.volume import ANATOMY, LIVER, LIVER_TUMOUR, Geometry, LabelMap, Volume, grow_strokes

OBLIQUE = np.array(
    [[0.1, -0.25, 0.96], [0.05, 0.97, 0.22], [0.993, -0.03, -0.1]]
)  # near enough to axes, perpendicular after QR


def _scene(spacing=(2.5, 0.9, 0.9), radius=14.0):
    """A sphere of 40 HU in a liver of 100 HU with noise; the labels know only a part of it."""
    turn, _ = np.linalg.qr(OBLIQUE)
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    geometry = Geometry(shape=(28, 80, 80), affine=affine)
    index = np.indices(geometry.shape).reshape(3, -1).T
    points = geometry.to_lps(index)
    middle = geometry.centre_mm
    truth = (np.linalg.norm(points - middle, axis=1) < radius).reshape(geometry.shape)
    noise = np.random.default_rng(1).normal(0, 12, geometry.shape)
    volume = Volume(
        array=(np.where(truth, 40, 100) + noise).astype(np.float32),
        geometry=geometry,
        modality="CT",
    )
    known = (np.linalg.norm(points - middle - (0, 6, 0), axis=1) < 7).reshape(geometry.shape)
    array = np.where(known & truth, LIVER_TUMOUR.label, LIVER.label).astype(np.uint8)
    return volume, LabelMap(array=array, geometry=geometry, segments=ANATOMY), truth


def _strokes(truth):
    inside, outside = np.zeros_like(truth), np.zeros_like(truth)
    z, y, x = (int(v) for v in np.argwhere(truth).mean(axis=0))
    inside[z, y - 6 : y + 7, x - 1 : x + 2] = True
    outside[z, y + 22 : y + 24, x - 10 : x + 10] = True
    return inside, outside


def _dice(a, b) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def test_strokes_grow_to_the_true_boundary_on_an_oblique_anisotropic_grid() -> None:
    volume, label_map, truth = _scene()
    before = _dice(label_map.mask(LIVER_TUMOUR), truth)
    inside, outside = _strokes(truth)
    began = time.process_time()
    grown = grow_strokes(volume, label_map, LIVER_TUMOUR, inside=inside, outside=outside)
    seconds = time.process_time() - began
    assert before < 0.4
    assert _dice(grown.mask(LIVER_TUMOUR), truth) > 0.9
    assert grown.mask(LIVER_TUMOUR)[inside].all()
    assert not grown.mask(LIVER_TUMOUR)[outside].any()
    assert seconds < 2


def test_what_is_lost_goes_to_the_neighbour_and_far_voxels_stay() -> None:
    volume, label_map, truth = _scene()
    wrong = np.array(label_map.array)
    wrong[:3, :8, :8] = 0
    wrong[truth] = LIVER_TUMOUR.label
    wrong[12:16, 60:70, 36:44] = LIVER_TUMOUR.label  # a leak
    label_map = label_map.with_array(wrong)
    inside, outside = _strokes(truth)
    outside[12:16, 63:67, 38:42] = True
    grown = grow_strokes(volume, label_map, LIVER_TUMOUR, inside=inside, outside=outside)
    assert (grown.array[12:16, 62:68, 38:42] == LIVER.label).all()
    assert (grown.array[:3, :8, :8] == 0).all()


@pytest.mark.parametrize("spoil", ["empty", "both"])
def test_strokes_without_sense_are_refused(spoil) -> None:
    volume, label_map, truth = _scene()
    inside, outside = _strokes(truth)
    inside = inside & False if spoil == "empty" else inside
    outside = outside | inside if spoil == "both" else outside
    with pytest.raises(UsageError, match="strokes must mark"):
        grow_strokes(volume, label_map, LIVER_TUMOUR, inside=inside, outside=outside)
