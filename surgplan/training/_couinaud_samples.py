"""One training sample: a warped liver with drawn or real vessels, as good or bad as they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from surgplan.segmentation import liver_frame, network_input
from surgplan.synthesis import warp
from surgplan.training._chance import stream
from surgplan.training._couinaud_settings import CouinaudSettings, LiverWarp
from surgplan.training._couinaud_sources import Liver
from surgplan.training._couinaud_vessels import Anatomy, Field, Points, draw_anatomy, raster
from surgplan.volume import Geometry

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class CouinaudSample:
    """What the network sees and what it should say.

    Attributes
    ----------
    image
        ``(channels, slice, row, column)`` float32, channels as in
        `surgplan.segmentation.COUINAUD_CHANNELS`.
    target
        ``(slice, row, column)`` int64: 0 to 7 = I to VIII, -1 outside the liver.
    """

    image: torch.Tensor
    target: torch.Tensor


def draw_couinaud_sample(
    livers: list[Liver], settings: CouinaudSettings, index: int
) -> CouinaudSample:
    """The sample of a given step; depends on the settings' seed and the index alone."""
    rng = stream(settings.seed, index)
    weights = np.array([1.0 if v.vessels is None else settings.real_weight for v in livers])
    liver = livers[int(rng.choice(len(livers), p=weights / weights.sum()))]
    labels, vessels, frame = _warped(liver, settings, rng)
    spacing = np.array(frame.spacing_mm)
    real = vessels if rng.random() < settings.real_vessels else None
    channels = _vessel_channels(labels, spacing, real, rng)
    mask = _spoiled_liver(labels > 0, spacing, rng)
    return _sample(labels, network_input(mask, channels))


def plain_sample(liver: Liver, settings: CouinaudSettings, *, vessels: bool) -> CouinaudSample:
    """A liver as it is, with what is known of its vessels, else drawn ones, or without any."""
    rng = stream(settings.seed, len(liver.surface_mm))
    still = LiverWarp(rotation_deg=0, shear=0, bend_mm=0, cap=0)
    labels, real, frame = _warped(liver, settings, rng, still)
    channels = np.zeros((5, *labels.shape), dtype=np.float32)
    if vessels:
        spacing = np.array(frame.spacing_mm)
        anatomy = draw_anatomy(labels, spacing, rng)
        channels = _rasters(anatomy, labels, spacing)
        if real is not None:
            channels[:3] = 0
            channels[2] = real
    return _sample(labels, network_input(labels > 0, channels))


def _sample(labels: npt.NDArray[np.uint8], image: npt.NDArray[np.float32]) -> CouinaudSample:
    target = torch.from_numpy(labels.astype(np.int64) - 1)
    return CouinaudSample(image=torch.from_numpy(image), target=target)


def _warped(
    liver: Liver, settings: CouinaudSettings, rng: np.random.Generator, how: LiverWarp | None = None
) -> tuple[npt.NDArray[np.uint8], Field | None, Geometry]:
    """Segments and real vessels in the frame of the turned and bent liver."""
    how = how or settings.warp
    centre = liver.surface_mm.mean(0)
    turn = Rotation.from_euler("xyz", rng.normal(0, how.rotation_deg, 3), degrees=True)
    matrix = turn.as_matrix() @ (np.eye(3) + np.triu(rng.normal(0, how.shear, (3, 3)), 1))
    bend = _bend(liver.geometry, how, rng)
    moved = (liver.surface_mm - centre) @ matrix.T + centre
    cut = _cap(moved, rng) if rng.random() < how.cap else None
    low, high = moved.min(0) - how.bend_mm, moved.max(0) + how.bend_mm
    for _ in range(2):  # the bent liver has another box than the straight one
        frame = liver_frame(low, high, settings.shape)
        shown = frame.to_lps(np.moveaxis(np.indices(frame.shape), 0, -1))
        index = liver.geometry.to_index((shown - centre) @ np.linalg.inv(matrix).T + centre)
        grid = torch.from_numpy(index.astype(np.float32))
        if how.bend_mm:
            grid = grid + bend(grid)
        labels = _nearest(liver.segments, grid)
        if cut is not None:
            labels[(shown - cut[0]) @ cut[1] > 0] = 0
        where = np.argwhere(labels > 0)
        step = np.array(frame.spacing_mm)[::-1] / 2
        low, high = frame.to_lps(where.min(0)) - step, frame.to_lps(where.max(0)) + step
    vessels = None
    if liver.vessels is not None:
        vessels = warp(liver.vessels, grid, mode="bilinear", outside=0).numpy()
    return labels, vessels, frame


def _bend(
    geometry: Geometry, how: LiverWarp, rng: np.random.Generator
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A smooth random displacement, in voxels, of points given in voxels."""
    points = int(rng.integers(how.control_points[0], how.control_points[1] + 1))
    reach = rng.uniform(0, how.bend_mm) * 3 / points / np.array(geometry.spacing_mm)
    control = rng.uniform(-1, 1, (points, points, points, 3)) * reach
    field = torch.from_numpy(control.astype(np.float32)).permute(3, 0, 1, 2)[None]
    size = torch.tensor(geometry.shape, dtype=torch.float32)

    def displacement(grid: torch.Tensor) -> torch.Tensor:
        normal = (2 * grid / (size - 1) - 1).flip(-1)[None]
        found = F.grid_sample(field, normal, padding_mode="border", align_corners=True)
        return found[0].permute(1, 2, 3, 0)

    return displacement


def _cap(points: Points, rng: np.random.Generator) -> tuple[Points, Points]:
    """A slightly tilted plane that cuts off what is above or below the field of view."""
    normal = np.array([*rng.normal(0, 0.1, 2), 1.0]) * (1 if rng.random() < 0.6 else -1)
    along = points @ normal
    part = rng.uniform(0.03, 0.25)
    return points.mean(0) + normal * (
        (along.max() - part * np.ptp(along) - points.mean(0) @ normal) / (normal @ normal)
    ), normal


def _nearest(numbers: npt.NDArray[np.uint8], grid: torch.Tensor) -> npt.NDArray[np.uint8]:
    index = torch.round(grid).long().numpy()
    inside = ((index >= 0) & (index < numbers.shape)).all(-1)
    index[~inside] = 0
    found: npt.NDArray[np.uint8] = numbers[index[..., 0], index[..., 1], index[..., 2]]
    found[~inside] = 0
    return found


def _vessel_channels(
    labels: npt.NDArray[np.uint8], spacing: Points, real: Field | None, rng: np.random.Generator
) -> Field:
    """Portal, hepatic, either, vena cava, gallbladder; with all that can be wrong with them."""
    if rng.random() < 0.12:
        return np.zeros((5, *labels.shape), dtype=np.float32)
    anatomy = _weakened(draw_anatomy(labels, spacing, rng), rng)
    channels = _rasters(anatomy, labels, spacing)
    if real is not None:
        _share(channels, real, anatomy, spacing)
    channels[:2] *= _holes(labels, spacing, rng)
    if rng.random() < 0.15:  # a stretch of one system taken for the other
        ball = _ball(labels, spacing, rng.uniform(8, 30), rng)
        channels[:2, ball] = channels[1::-1, ball]
    if rng.random() < 0.2:  # the vena cava counted as a hepatic vein
        channels[1] = np.maximum(channels[1], channels[3])
        channels[3] = 0
    channels[2] = channels[:2].max(0)
    if rng.random() < (0.6 if real is not None else 0.25):  # the two systems under one label
        channels[:2] = 0
    elif rng.random() < 0.35:  # one system missing
        channels[int(rng.random() < 0.5)] = 0
        channels[2] = channels[:2].max(0)
    if rng.random() < 0.4:  # vessels labelled inside the liver alone
        channels[:3] *= labels > 0
    for channel, missing in ((3, 0.35), (4, 0.6)):
        if rng.random() < missing:
            channels[channel] = 0
    return channels


def _rasters(anatomy: Anatomy, labels: npt.NDArray[np.uint8], spacing: Points) -> Field:
    channels = np.zeros((5, *labels.shape), dtype=np.float32)
    parts = ((0, anatomy.portal), (1, anatomy.hepatic), (3, anatomy.cava), (4, anatomy.gallbladder))
    for channel, points in parts:
        channels[channel] = raster(points, labels.shape, spacing)
    channels[4] *= labels == 0
    channels[2] = channels[:2].max(0)
    return channels


def _weakened(anatomy: Anatomy, rng: np.random.Generator) -> Anatomy:
    """Thin vessels unseen, and all of them drawn too thick or too thin."""
    least = rng.choice([0.0, rng.uniform(0.8, 3.5)])
    thick = float(np.exp(rng.normal(0, 0.25)))

    def seen(points: Points) -> Points:
        kept = points[points[:, 3] >= least]
        return np.column_stack([kept[:, :3], kept[:, 3] * thick])

    return Anatomy(
        portal=seen(anatomy.portal),
        hepatic=seen(anatomy.hepatic),
        cava=anatomy.cava,
        gallbladder=anatomy.gallbladder,
    )


def _share(channels: Field, real: Field, anatomy: Anatomy, spacing: Points) -> None:
    """Real vessels instead of drawn ones, each voxel for the system that is drawn nearer."""
    where = np.argwhere(real > 0.02)
    away = [
        cKDTree(points[:, :3]).query(where * spacing)[0]
        if len(points)
        else np.full(len(where), 1e3)
        for points in (anatomy.portal, anatomy.hepatic)
    ]
    hepatic = away[1] < away[0]
    channels[:2] = 0
    channels[(hepatic.astype(int), *where.T)] = np.clip(1.5 * real[tuple(where.T)], 0, 1)


def _holes(labels: npt.NDArray[np.uint8], spacing: Points, rng: np.random.Generator) -> Mask:
    """False in balls where vessels are not seen."""
    seen = np.ones(labels.shape, dtype=bool)
    for _ in range(int(rng.choice([0, 0, 1, 2, 4, 8]))):
        seen &= ~_ball(labels, spacing, rng.uniform(4, 28), rng)
    return seen


def _ball(
    labels: npt.NDArray[np.uint8], spacing: Points, radius_mm: float, rng: np.random.Generator
) -> Mask:
    inside = np.flatnonzero(labels)
    centre = np.array(np.unravel_index(rng.choice(inside), labels.shape))
    axes = [
        ((np.arange(n) - c) * s) ** 2 for n, c, s in zip(labels.shape, centre, spacing, strict=True)
    ]
    squared = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
    ball: Mask = squared <= radius_mm**2
    return ball


def _spoiled_liver(inside: Mask, spacing: Points, rng: np.random.Generator) -> Mask:
    """The liver as a network or a hurried hand would draw it."""
    mask = inside
    if rng.random() < 0.5:
        noise = torch.from_numpy(rng.normal(0, 1, (1, 1, 8, 8, 8)).astype(np.float32))
        wave = F.interpolate(noise, size=inside.shape, mode="trilinear")[0, 0].numpy()
        soft = ndimage.gaussian_filter(inside.astype(np.float32), 0.8)
        mask = soft > 0.5 + rng.normal(0, 0.08) + rng.uniform(0, 0.18) * wave
    if rng.random() < 0.15:  # a tumour that does not count as liver
        mask = mask & ~_ball(inside.astype(np.uint8), spacing, rng.uniform(5, 22), rng)
    if rng.random() < 0.15:  # thick slices
        mask = mask[np.arange(len(mask)) // 2 * 2]
    return mask
