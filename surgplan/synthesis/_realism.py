"""How real an image is, in numbers: features of a network, noise power, edges, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import wasserstein_distance

from surgplan.errors import UsageError
from surgplan.segmentation import find_model, load_network, normalise
from surgplan.volume import Geometry, Modality, distance_outside_mm

NOISE_SIDE = 12
"""Rows and columns of the squares that noise power is measured in."""

Array = npt.NDArray[np.float64]


def network_features(
    patches: Sequence[npt.NDArray[Any]], modality: Modality = "CT", model: str | None = None
) -> Array:
    """What the shipped segmentation network makes of patches: mean and spread of each channel.

    Patches are ``(slice, row, column)`` at the network's spacing, sides multiples of 16; returns
    ``(n, 2 x channels)`` from the deepest level.
    """
    network = load_network(find_model(model))
    kept: list[torch.Tensor] = []
    handle = network.bottleneck.register_forward_hook(lambda *call: kept.append(call[2].float()))
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for patch in patches:
                image = normalise(torch.from_numpy(np.asarray(patch, dtype=np.float32)), modality)
                network(image[None, None])
    finally:
        handle.remove()
    return np.array(
        [torch.cat([f[0].mean(dim=(1, 2, 3)), f[0].std(dim=(1, 2, 3))]).numpy() for f in kept],
        dtype=np.float64,
    )


def feature_distance(made: Array, real: Array) -> float:
    """Squared maximum mean discrepancy of two sets of features; 0 for the same set, never less.

    The sets may show the same places, as images made from the labels of the real ones do. Gaussian
    kernel, its width the median distance among the real features (Gretton et al. 2012,
    https://jmlr.org/papers/v13/gretton12a.html). Features are scaled by their spread among the
    real ones first.
    """
    if min(len(made), len(real)) < 3:
        msg = "a distance of sets needs three patches in each"
        raise UsageError(msg)
    spread = real.std(axis=0) + 1e-6
    a, b = made / spread, real / spread
    width = float(np.median(_squares(b, b)[np.triu_indices(len(b), 1)]))

    inner = np.exp(-_squares(a, a) / width).mean() + np.exp(-_squares(b, b) / width).mean()
    return float(inner - 2 * np.exp(-_squares(a, b) / width).mean())


def _squares(a: Array, b: Array) -> Array:
    squares: Array = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    return squares


def noise_power(
    image: npt.NDArray[Any], mask: npt.NDArray[np.bool_], spacing_mm: float, most: int = 60
) -> tuple[Array, Array]:
    """Radial noise power spectrum in the slice plane, inside a structure.

    Returns
    -------
    frequency, power
        Cycles per mm, and power in HU^2 mm^2; averaged over squares of `NOISE_SIDE` voxels that
        lie wholly inside the mask, their plane trend removed.

    Raises
    ------
    UsageError
        If no square fits into the mask.
    """
    side = NOISE_SIDE
    squares = []
    for z in range(image.shape[0]):
        for y in range(0, image.shape[1] - side + 1, side // 2):
            for x in range(0, image.shape[2] - side + 1, side // 2):
                if mask[z, y : y + side, x : x + side].all():
                    squares.append(image[z, y : y + side, x : x + side].astype(np.float64))
    if not squares:
        msg = f"no square of {side} voxels lies inside the structure"
        raise UsageError(msg)
    squares = squares[:: max(1, len(squares) // most)]
    rows, columns = np.mgrid[:side, :side]
    plane = np.stack([np.ones(side * side), rows.ravel(), columns.ravel()], axis=1)
    power = np.zeros((side, side))
    for square in squares:
        flat = square.ravel()
        flat = flat - plane @ np.linalg.lstsq(plane, flat, rcond=None)[0]
        power += np.abs(np.fft.fft2(flat.reshape(side, side))) ** 2
    power *= spacing_mm**2 / (side * side * len(squares))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) / spacing_mm
    edges = np.arange(0.5, side // 2 + 1) / (side * spacing_mm)
    ring = np.digitize(frequency, edges)
    rings = range(1, len(edges))
    return (
        np.array([frequency[ring == k].mean() for k in rings]),
        np.array([power[ring == k].mean() for k in rings]),
    )


def edge_profile(
    image: npt.NDArray[Any],
    mask: npt.NDArray[np.bool_],
    beside: npt.NDArray[np.bool_],
    geometry: Geometry,
) -> tuple[Array, Array]:
    """Mean brightness against the distance to a surface, from inside (0) to beside it (1).

    Parameters
    ----------
    image
        ``(slice, row, column)``.
    mask
        The structure.
    beside
        Voxels outside that count, for example fat.
    geometry
        Of the three arrays.

    Returns
    -------
    distance_mm, share
        Bins of 1.5 mm from -9 to 9 mm, negative inside; 0 is the mean deep inside, 1 far outside.
    """
    signed = distance_outside_mm(mask, geometry) - distance_outside_mm(~mask, geometry)
    known = mask | beside
    edges = np.arange(-9.75, 9.76, 1.5)
    place = np.digitize(signed, edges)
    found = np.array(
        [
            float(image[known & (place == k)].mean()) if (known & (place == k)).any() else np.nan
            for k in range(1, len(edges))
        ]
    )
    middle = (edges[:-1] + edges[1:]) / 2
    full = np.isfinite(found)  # no voxel centre lies at the surface itself
    found = np.interp(middle, middle[full], found[full])
    inner, outer = found[:3].mean(), found[-3:].mean()
    return middle, (found - inner) / (outer - inner)


def histogram_distance(made: npt.NDArray[Any], real: npt.NDArray[Any]) -> float:
    """Earth mover's distance of two sets of voxels, in their unit; medians removed first.

    Brightness is what a scan is asked to have; what remains is the shape of the histogram.
    """
    a, b = np.asarray(made, dtype=np.float64), np.asarray(real, dtype=np.float64)
    return float(wasserstein_distance(a - np.median(a), b - np.median(b)))
