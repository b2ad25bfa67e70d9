from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.phantom import CtSettings, MrSettings, Phantom, render_ct, render_mr
from surgplan.volume import (
    ARTERIES,
    BONE,
    LIVER,
    LIVER_CYST,
    LUNGS,
    SPLEEN,
    VENA_CAVA,
    Geometry,
    Segment,
    Volume,
)

from .conftest import oblique_grid

GRID = Geometry.from_spacing(
    shape=(20, 64, 80), spacing_mm=(5.0, 4.0, 4.0), origin_mm=(-160, -125, -15)
)


@pytest.fixture(scope="module")
def body(phantom: Phantom) -> Phantom:
    return phantom.on(GRID)


@pytest.fixture(scope="module")
def portal(body: Phantom) -> Volume:
    return render_ct(body, seed=4)


def inner_mean(volume: Volume, body: Phantom, segment: Segment, steps: int = 1) -> float:
    mask = ndimage.binary_erosion(body.label_map.mask(segment), iterations=steps)
    assert mask.sum() > 5, segment.name
    return float(np.median(volume.array[mask]))


@pytest.mark.parametrize(
    ("segment", "low", "high"),
    [
        (LIVER, 90, 120),
        (SPLEEN, 105, 140),
        (ARTERIES, 140, 185),
        (VENA_CAVA, 115, 165),
        (LUNGS, -937, -700),
        (BONE, 136, 552),
    ],
)
def test_portal_phase_lies_in_the_band_of_each_structure(
    body: Phantom, portal: Volume, segment: Segment, low: float, high: float
) -> None:
    assert low <= inner_mean(portal, body, segment) <= high


def test_a_cyst_is_water(phantom: Phantom) -> None:
    cyst = next(le for le in phantom.lesions if le.segment is LIVER_CYST)
    grid = Geometry.from_spacing(
        shape=(16, 16, 16), spacing_mm=(1.5, 1.5, 1.5), origin_mm=tuple(cyst.centre_mm - 11.25)
    )
    near = phantom.on(grid)
    assert -5 <= inner_mean(render_ct(near, seed=0), near, LIVER_CYST, 2) <= 20
    assert inner_mean(render_mr(near, seed=0, sequence="t2"), near, LIVER_CYST, 2) > 600


def test_phases_differ_as_contrast_passes(body: Phantom) -> None:
    quiet = {
        phase: render_ct(body, seed=4, settings=CtSettings(phase=phase, noise_hu=0))
        for phase in ("native", "arterial", "portal")
    }
    aorta = {phase: inner_mean(v, body, ARTERIES) for phase, v in quiet.items()}
    liver = {phase: inner_mean(v, body, LIVER) for phase, v in quiet.items()}
    assert aorta["native"] < 60 < aorta["portal"] < 250 < aorta["arterial"]
    assert 40 < liver["native"] < liver["arterial"] < liver["portal"]


def test_renderings_are_the_same_for_the_same_seed_and_differ_for_another(
    body: Phantom, portal: Volume
) -> None:
    assert render_ct(body, seed=4) == portal
    other = render_ct(body, seed=5)
    assert (other.array != portal.array).mean() > 0.5
    assert render_mr(body, seed=4) == render_mr(body, seed=4) != render_mr(body, seed=5)


def test_noise_is_as_strong_as_asked_for_and_correlated(body: Phantom) -> None:
    quiet = render_ct(body, seed=4, settings=CtSettings(noise_hu=0)).array.astype(float)
    loud = render_ct(body, seed=4, settings=CtSettings(noise_hu=20)).array.astype(float)
    liver = body.label_map.mask(LIVER)
    noise = np.where(liver, loud - quiet, np.nan)
    assert np.nanstd(noise) == pytest.approx(20, rel=0.1)
    neighbours = np.nanmean(noise[:, :, 1:] * noise[:, :, :-1]) / np.nanvar(noise)
    assert 0.2 < neighbours < 0.9


def test_ct_is_hounsfield_in_air_and_edges_are_partial(body: Phantom) -> None:
    volume = render_ct(body, seed=4, settings=CtSettings(noise_hu=0, table=False))
    assert volume.modality == "CT"
    assert volume.array.dtype == np.int16
    assert volume.array[:, 0, 0].max() <= -980
    lung, liver = (ndimage.binary_dilation(body.label_map.mask(s)) for s in (LUNGS, LIVER))
    between = volume.array[lung & liver]
    assert ((between > -700) & (between < 0)).mean() > 0.3


def test_a_table_lies_behind_the_back_only_where_it_is_wanted(body: Phantom) -> None:
    on, off = (
        render_ct(body, seed=4, settings=CtSettings(noise_hu=0, table=table)).array
        for table in (True, False)
    )
    behind = GRID.to_lps(np.indices(GRID.shape).reshape(3, -1).T)[:, 1].reshape(GRID.shape) > 112
    assert on[behind].max() > -700
    assert off[behind].max() < -900


@pytest.mark.parametrize(("sequence", "brighter"), [("t1", "liver"), ("t2", "spleen")])
def test_spleen_and_liver_swap_brightness_between_t1_and_t2(
    body: Phantom, sequence: str, brighter: str
) -> None:
    settings = MrSettings(sequence=sequence, bias=0.0)
    volume = render_mr(body, seed=1, settings=settings)
    assert volume.modality == "MR"
    assert volume.array.min() >= 0
    liver, spleen = (inner_mean(volume, body, s) for s in (LIVER, SPLEEN))
    assert (liver > 1.2 * spleen) == (brighter == "liver")
    assert (spleen > 1.2 * liver) == (brighter == "spleen")


def test_mr_noise_in_air_follows_rayleigh_and_the_bias_is_smooth(body: Phantom) -> None:
    volume = render_mr(body, seed=1, settings=MrSettings(noise=20.0, bias=0.0))
    air = volume.array[:, :4, :8].astype(float)
    assert air.mean() == pytest.approx(20 * np.sqrt(np.pi / 2), rel=0.05)
    flat, bent = (
        render_mr(body, seed=1, settings=MrSettings(noise=0.0, bias=b)).array.astype(float)
        for b in (0.0, 0.3)
    )
    liver = ndimage.binary_erosion(body.label_map.mask(LIVER))
    ratio = bent[liver] / flat[liver]
    assert ratio.std() > 0.05
    assert 0.2 < ratio.min() < ratio.max() < 4


def test_oblique_grids_render_too(phantom: Phantom) -> None:
    part = phantom.on(oblique_grid(np.array([-70.0, -10, 20]), 50, (5.0, 4.0, 3.0)))
    volume = render_ct(part, seed=0)
    assert volume.geometry == part.label_map.geometry
    assert 85 < np.median(volume.array[part.label_map.mask(LIVER)]) < 125


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CtSettings(phase="late"), "`phase` must be one of native, arterial"),
        (lambda: CtSettings(noise_hu=-1), "`noise_hu` and `psf_mm` must be 0 or more"),
        (lambda: MrSettings(sequence="dwi"), "`sequence` must be one of t1, t2"),
        (lambda: MrSettings(bias=-1), "must be 0 or more"),
    ],
)
def test_renderers_refuse_what_no_scanner_does(make: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()
