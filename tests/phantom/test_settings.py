from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from surgplan.errors import UsageError
from surgplan.phantom import LesionSpec, Phantom, PhantomSettings, make_phantom, random_lesions
from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, PORTAL_VEIN


def test_the_default_grid_is_straight_and_has_the_spacing_asked_for() -> None:
    grid = PhantomSettings(spacing_mm=(3.0, 2.0, 2.5)).grid()
    assert grid.spacing_mm == (3.0, 2.0, 2.5)
    assert grid.axis_codes == "SPL"
    assert grid.shape == (74, 125, 134)
    assert grid.centre_mm == pytest.approx((0, -1, 2))


def test_the_same_settings_give_the_same_bytes(phantom: Phantom) -> None:
    again = make_phantom(phantom.settings)
    assert again.label_map == phantom.label_map
    assert again.couinaud == phantom.couinaud
    assert again.known_answers() == phantom.known_answers()


def test_another_seed_and_no_lesions_give_another_body_without_lesions(phantom: Phantom) -> None:
    other = make_phantom(PhantomSettings(seed=3, spacing_mm=(5.0, 4.0, 4.0), lesions=0))
    assert not other.label_map.mask(LIVER_TUMOUR, LIVER_CYST).any()
    assert other.lesions == ()
    overlap = (other.label_map.array == phantom.label_map.array).mean()
    assert 0.5 < overlap < 0.98
    assert other.label_map.mask(PORTAL_VEIN).any()
    assert other.known_answers()["planes"][0]["margins_mm"] == []


def test_drawn_lesions_are_as_many_as_asked_for_and_mixed() -> None:
    specs = random_lesions(30, seed=1)
    assert len(specs) == 30
    assert len({s.kind for s in specs}) == 4
    assert len({s.contact for s in specs}) == 3
    assert specs == random_lesions(30, seed=1) != random_lesions(30, seed=2)
    assert PhantomSettings(seed=1, lesions=30).lesion_specs() == specs


def test_a_liver_that_is_full_refuses_more_lesions() -> None:
    crowd = tuple(LesionSpec(radius_mm=40) for _ in range(9))
    with pytest.raises(UsageError, match="ask for fewer or smaller lesions"):
        make_phantom(PhantomSettings(spacing_mm=(10, 10, 10), lesions=crowd))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "`seed` must be 0 or more"),
        ({"spacing_mm": (0.1, 1, 1)}, "`spacing_mm` must be three numbers in 0.5..10"),
        ({"spacing_mm": (float("nan"), 1, 1)}, "`spacing_mm` must be three numbers"),
        ({"lesions": 31}, "`lesions` must be 0 to 30"),
    ],
)
def test_settings_refuse_what_makes_no_phantom(wrong: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PhantomSettings(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "abscess"}, "`kind` must be metastasis"),
        ({"radius_mm": 60.0}, "`radius_mm` must lie in 1.5..45"),
        ({"contact": "near"}, "`contact` must be free"),
    ],
)
def test_a_lesion_refuses_what_cannot_be_made(wrong: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LesionSpec(**wrong)


def test_importing_the_room_loads_no_torch_and_no_vtk() -> None:
    code = "import sys, surgplan.phantom; print({'torch', 'vtk', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_label_map_arrays_are_read_only(phantom: Phantom) -> None:
    with pytest.raises(ValueError, match="read-only"):
        phantom.label_map.array[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        phantom.tree("portal").branches[0].points_mm[0] = 0
    assert np.array_equal(phantom.couinaud.array > 0, phantom.label_map.whole_liver())


def test_drawn_lesions_shrink_until_they_fit_and_asked_ones_are_refused() -> None:
    drawn = make_phantom(PhantomSettings(seed=501, spacing_mm=(6.0, 6.0, 6.0), lesions=1))
    wished = PhantomSettings(seed=501, lesions=1).lesion_specs()
    (lesion,) = drawn.lesions
    assert 0.5 * wished[0].radius_mm < lesion.spec.radius_mm < wished[0].radius_mm
    with pytest.raises(UsageError, match="no place left"):
        make_phantom(PhantomSettings(seed=501, spacing_mm=(6.0, 6.0, 6.0), lesions=wished))
