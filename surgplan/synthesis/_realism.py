"""How real an image is, in numbers: features of a network, noise power, edges, histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import wasserstein_distance

from surgplan.errors import UsageError
from surgplan.segmentation import find_model, load_network, mixed_precision, normalise
from surgplan.volume import Geometry, Modality, distance_outside_mm

NOISE_SIDE = 12
"""Rows and columns of the squares that noise power is measured in."""

Array = npt.NDArray[np.float64]


def network_features(
    patches: Sequence[npt.NDArray[Any]], modality: Modality = "CT", model: str | None = None
) -> tuple[Array, ...]:
    """What the encoder of the shipped segmentation network makes of patches.

    Patches are ``(slice, row, column)`` at the network's spacing, sides multiples of 16. Returns
    for each level, from the finest to the deepest, ``(n, 2 x channels)``: mean and spread of each
    channel of the last convolution. They are taken before the instance normalisation, which gives
    every channel the same mean and spread.

    The network was trained on drawn images too, so it may be kinder to those than to others;
    `texture_features` knows no network.
    """
    network = load_network(find_model(model))
    blocks = (network.input_block, *network.downsamples, network.bottleneck)
    kept: list[list[torch.Tensor]] = [[] for _ in blocks]

    def keeper(level: int) -> Callable[..., None]:
        return lambda *call: kept[level].append(call[2][0].float())

    handles = [b.conv2.register_forward_hook(keeper(level)) for level, b in enumerate(blocks)]
    try:
        with torch.inference_mode(), mixed_precision("cpu"):
            for patch in patches:
                image = normalise(torch.from_numpy(np.array(patch, dtype=np.float32)), modality)
                network(image[None, None])
    finally:
        for handle in handles:
            handle.remove()
    return tuple(np.array([_pooled(f) for f in level], dtype=np.float64) for level in kept)


def _pooled(features: torch.Tensor) -> npt.NDArray[np.float32]:
    flat = features.flatten(1)
    pooled: npt.NDArray[np.float32] = torch.cat([flat.mean(dim=1), flat.std(dim=1)]).numpy()
    return pooled


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
