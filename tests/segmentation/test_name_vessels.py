"""Vessels take the name of the trunk they hang on, whatever the network called them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surgplan.segmentation._name_vessels import name_vessels
from surgplan.volume import HEPATIC_VEINS, LIVER, PORTAL_VEIN, VENA_CAVA, Geometry

PORTAL, HEPATIC = PORTAL_VEIN.label, HEPATIC_VEINS.label
AXES = np.array([[0, 0, 1.0], [0, 1.0, 0], [2.0, 0, 0]])
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", (12, -7, 10), degrees=True).as_matrix() @ AXES
GRID = Geometry(shape=(40, 90, 90), affine=AFFINE)


def tube(
    start: tuple[float, float, float], end: tuple[float, float, float], radius_mm: float
) -> np.ndarray:
    """Voxels of a straight tube between two indices."""
    where = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1)
    at, a, b = (GRID.to_lps(p) for p in (where, np.array(start), np.array(end)))
    along = np.clip(((at - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
    away: np.ndarray = np.linalg.norm(at - a - along[..., None] * (b - a), axis=-1) <= radius_mm
    return away


@pytest.fixture
def trees() -> dict[str, np.ndarray]:
    """A portal trunk with two branches and a hepatic vein with one, which touch in one place."""
    return {
        "cava": tube((-5, 80, 20), (45, 80, 20), 9),
        "trunk": tube((20, 40, 80), (20, 20, 50), 6),
        "portal branch": tube((20, 20, 50), (20, 14, 8), 2.5),
        "portal twig": tube((20, 18, 35), (8, 8, 30), 1.6),
        "hepatic vein": tube((20, 72, 20), (20, 30, 20), 3),
        "hepatic twig": tube((20, 40, 20), (32, 36, 50), 3.6),
        "contact": tube((20, 30, 20), (20, 16, 20), 1.2),
    }


def scene(trees: dict[str, np.ndarray], wrong: tuple[str, ...]) -> np.ndarray:
    """Labels in which these parts have the name of the other system."""
    labels = np.full(GRID.shape, LIVER.label, dtype=np.uint8)
    for name in reversed(trees):
        portal = name.startswith(("portal", "trunk")) != (name in wrong)
        labels[trees[name]] = PORTAL if portal else HEPATIC
    labels[trees["cava"]] = VENA_CAVA.label
    return labels


def share(labels: np.ndarray, part: np.ndarray, label: int) -> float:
    return float((labels[part] == label).mean())


def named(labels: np.ndarray) -> np.ndarray:
    result = labels.copy()
    lean = np.where(labels == HEPATIC, 3, -3).astype(np.float32)
    name_vessels(result, lean, labels == HEPATIC, GRID)
    return result


def test_branches_take_the_name_of_their_trunk_across_a_contact(trees) -> None:
    wrong = ("portal branch", "portal twig", "hepatic twig")
    before = scene(trees, wrong)
    after = named(before)
    assert share(before, trees["portal twig"], PORTAL) < 0.2
    for part in ("trunk", "portal branch", "portal twig"):
        assert share(after, trees[part] & ~trees["contact"], PORTAL) > 0.97
    for part in ("hepatic vein", "hepatic twig"):
        assert share(after, trees[part] & ~trees["contact"] & ~trees["cava"], HEPATIC) > 0.97
    others = ~np.isin(before, (PORTAL, HEPATIC))
    assert np.array_equal(after[others], before[others])


@pytest.mark.parametrize(("gap_mm", "kept"), [(15, True), (32, False)])
def test_a_hepatic_vein_lost_before_the_cava_counts_within_reach(trees, gap_mm, kept) -> None:
    labels = scene(trees, ())
    labels[trees["hepatic vein"] & ~tube((20, 30, 20), (20, 69 - gap_mm, 20), 4)] = LIVER.label
    # Something hepatic still enters the vena cava, so that there are two trunks.
    labels[tube((34, 80, 30), (34, 60, 40), 2)] = HEPATIC
    labels[trees["cava"]] = VENA_CAVA.label
    after = named(labels)
    inner = trees["hepatic twig"] & (labels == HEPATIC)
    assert share(after, inner, HEPATIC) > 0.97 if kept else share(after, inner, PORTAL) > 0.97


@pytest.mark.parametrize("missing", ["cava", "trunk"])
def test_nothing_is_renamed_without_both_trunks(trees, missing) -> None:
    labels = scene(trees, ("portal twig",))
    if missing == "cava":
        labels[labels == VENA_CAVA.label] = LIVER.label
    else:
        labels[labels == PORTAL] = LIVER.label
    assert np.array_equal(named(labels), labels)


def test_a_vessel_on_neither_trunk_takes_what_the_network_leans_to(trees) -> None:
    labels = scene(trees, ())
    apart = tube((6, 60, 60), (6, 75, 75), 2)
    labels[apart] = PORTAL
    labels[apart & tube((6, 66, 66), (6, 75, 75), 3)] = HEPATIC  # the longer part
    after = named(labels)
    assert share(after, apart, HEPATIC) == 1.0
