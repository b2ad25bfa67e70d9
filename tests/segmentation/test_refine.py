"""The second look inside the liver, with networks whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from surgplan.segmentation import ModelInfo, NetworkSettings, liver_view, normalise
from surgplan.segmentation._refine import MARGIN_MM, FirstLook, refine
from surgplan.volume import ANATOMY, LIVER, LIVER_TUMOUR, STOMACH, Geometry, Volume

CENTRE = np.array([30.0, 40.0, 25.0])


def points_of(geometry: Geometry) -> np.ndarray:
    index = np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij")
    return geometry.to_lps(np.stack(index, axis=-1))


def scan_of_two_balls(affine: np.ndarray, shape: tuple[int, int, int]) -> Volume:
    """A liver of radius 30 mm with a dark ball of 9 mm in it, and a bright spleen far away."""
    geometry = Geometry(shape=shape, affine=affine)
    points = points_of(geometry)
    image = np.full(shape, -100.0)
    image[np.linalg.norm(points - CENTRE, axis=-1) < 30] = 100
    image[np.linalg.norm(points - CENTRE - (8, 0, 0), axis=-1) < 9] = 40
    return Volume(array=image.astype(np.float32), geometry=geometry, modality="CT")


def first_look(scan: Volume) -> FirstLook:
    """Finds the liver whole and calls everything else spleen."""
    grid = scan.geometry.with_spacing((4.0, 4.0, 4.0))
    liver = torch.from_numpy(np.linalg.norm(points_of(grid) - CENTRE, axis=-1) < 30)
    logits = torch.zeros(1 + len(ANATOMY), *grid.shape)
    logits[LIVER.label] = liver.float() * 10
    logits[STOMACH.label] = (~liver).float() * 10
    return FirstLook(scan=scan, limits=(-200.0, 300.0), logits=logits, grid=grid)


def second_network() -> ModelInfo:
    return ModelInfo(
        name="oracle", version="0", description="", folder=Path(), sha256="",
        network=NetworkSettings(classes=1 + len(ANATOMY), filters=(4, 8), channels=3),
        spacing_mm=2.0, window=(16, 24, 16), temperature=1.0, stage="liver",
    )  # fmt: skip


def dark_is_tumour(batch: torch.Tensor) -> torch.Tensor:
    """Parenchyma where bright, tumour where darker than the parenchyma inside the found liver."""
    image, relative, liver = batch[0]
    scores = torch.zeros(1, 1 + len(ANATOMY), *image.shape)
    scores[0, 0] = 5.0
    scores[0, LIVER.label] = (image > 0).float() * 20
    scores[0, LIVER_TUMOUR.label] = ((relative < -0.4) & (liver > 0)).float() * 40
    return scores


STRAIGHT = np.array([[0, 0, 1.0, -20], [0, 1.3, 0, -10], [2.5, 0, 0, -30], [0, 0, 0, 1.0]])
TURN = np.eye(4)
TURN[:3, :3] = Rotation.from_euler("xyz", (8, -5, 10), degrees=True).as_matrix()


@pytest.mark.parametrize("affine", [STRAIGHT, TURN @ STRAIGHT])
def test_the_second_network_finds_the_lesion_where_it_is(affine: np.ndarray) -> None:
    scan = scan_of_two_balls(affine, (50, 90, 110))
    look = first_look(scan)
    box = look.neighbourhood()
    assert box is not None
    labels, confidence = refine(look, box, second_network(), dark_is_tumour)
    whole = np.zeros(scan.array.shape, dtype=np.uint8)
    whole[box] = labels
    deep = np.linalg.norm(points_of(scan.geometry) - CENTRE, axis=-1) < 24  # no partial volume
    tumour = (whole == LIVER_TUMOUR.label) & deep
    truth = scan.array == 40
    overlap = 2 * (tumour & truth).sum() / (tumour.sum() + truth.sum())
    assert overlap > 0.9
    assert (confidence[labels == LIVER_TUMOUR.label] > 1 / 3).all()


def test_far_from_the_liver_the_first_network_decides() -> None:
    scan = scan_of_two_balls(STRAIGHT, (50, 90, 110))
    look = first_look(scan)
    box = look.neighbourhood()
    assert box is not None
    labels, _ = refine(look, box, second_network(), dark_is_tumour)
    away = np.linalg.norm(points_of(scan.geometry) - CENTRE, axis=-1)[box] - 30
    assert (labels[away > MARGIN_MM] == STOMACH.label).all()
    assert (labels[(away > 4) & (away < 8)] == 0).all()


def test_without_a_liver_there_is_nothing_to_refine() -> None:
    scan = scan_of_two_balls(STRAIGHT, (20, 30, 30))
    grid = scan.geometry.with_spacing((4.0, 4.0, 4.0))
    nothing = torch.zeros(1 + len(ANATOMY), *grid.shape)
    look = FirstLook(scan=scan, limits=(-200.0, 300.0), logits=nothing, grid=grid)
    assert look.neighbourhood() is None


def test_the_view_is_relative_to_the_parenchyma() -> None:
    hu = torch.full((4, 5, 6), 110.0)
    hu[0] = 70.0
    hu[1] = -150.0
    liver = torch.ones((4, 5, 6), dtype=torch.bool)
    liver[1] = False
    view = liver_view(normalise(hu, "CT"), liver)
    assert view.shape == (3, 4, 5, 6)
    torch.testing.assert_close(view[1, 0], torch.full((5, 6), -40 / 250 * 3))
    assert (view[1, 1] == -1).all()
    assert (view[1, 2:] == 0).all()
    assert torch.equal(view[2] > 0, liver)


def test_the_view_of_no_liver_has_no_differences() -> None:
    view = liver_view(torch.rand(3, 4, 5), torch.zeros(3, 4, 5, dtype=torch.bool))
    assert (view[1] == 0).all()
    assert (view[2] == -1).all()
