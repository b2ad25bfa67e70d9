"""Vessels that fit a map of Couinaud's segments: where they must run, with the spread of nature.

Hepatic veins run between sectors towards the vena cava, portal branches to the middle of segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]

_VEINS = (((2, 3), (4,)), ((2,), (3, 4)), ((4,), (5, 8)), ((5, 8), (6, 7)))
"""What the left (two ways), the middle and the right hepatic vein run between."""

_COARSE = 2
_STEP_MM = 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Anatomy:
    """Drawn vessels of one liver, in mm from the corner of its grid.

    Attributes
    ----------
    portal, hepatic
        ``(n, 4)`` points (slice, row, column) with a radius, mm.
    cava, gallbladder
        The same; empty where there is no place for them.
    """

    portal: Points
    hepatic: Points
    cava: Points
    gallbladder: Points


def draw_anatomy(
    labels: npt.NDArray[np.uint8], spacing: Points, rng: np.random.Generator
) -> Anatomy:
    """Random vessels for a map of segments.

    Parameters
    ----------
    labels
        ``(slice, row, column)`` 0 outside, 1 to 8 = I to VIII, axes (superior, posterior, left).
    spacing
        ``(3,)`` mm along the axes.
    rng
        Source of chance.
    """
    place = _Places(labels, spacing)
    cava = place.cava(rng)
    mouth = _mouth(place, cava, rng)
    return Anatomy(
        portal=_portal(place, rng),
        hepatic=_hepatic(place, mouth, rng),
        cava=cava,
        gallbladder=place.gallbladder(rng),
    )


def raster(points: Points, shape: tuple[int, ...], spacing: Points) -> Field:
    """How much of each voxel the vessels fill, 0 to 1."""
    filled = np.zeros(shape, dtype=np.float32)
    if len(points) == 0:
        return filled
    low = np.floor((points[:, :3] - points[:, 3:]).min(0) / spacing - 1).astype(int).clip(0)
    high = np.ceil((points[:, :3] + points[:, 3:]).max(0) / spacing + 2).astype(int)
    box = tuple(slice(a, min(b, n)) for a, b, n in zip(low, high, shape, strict=True))
    inside = filled[box]
    if inside.size == 0:
        return filled
    where = (np.argwhere(np.ones(inside.shape, dtype=bool)) + low) * spacing
    reach = float(points[:, 3].max()) + float(spacing.max())
    distance, near = cKDTree(points[:, :3]).query(where, distance_upper_bound=reach)
    known = np.isfinite(distance)
    depth = points[near[known], 3] - distance[known]
    part = np.zeros(len(where), dtype=np.float32)
    part[known] = np.clip(depth / spacing.mean() + 0.5, 0, 1)
    inside[:] = part.reshape(inside.shape)
    return filled


class _Places:
    """Where the parts of a liver are, on every second voxel of its grid."""

    def __init__(self, labels: npt.NDArray[np.uint8], spacing: Points) -> None:
        self.labels = labels[::_COARSE, ::_COARSE, ::_COARSE]
        self.spacing = spacing * _COARSE
        self.outside = self.labels == 0
        self.distance = {
            n: ndimage.distance_transform_edt(self.labels != n, sampling=self.spacing)
            if (self.labels == n).any()
            else np.full(self.labels.shape, 1e3)
            for n in range(1, 9)
        }

    def has(self, *numbers: int) -> bool:
        return all(float(self.distance[n].min()) == 0 for n in numbers)

    def points(self, mask: Mask) -> Points:
        where: Points = np.argwhere(mask) * self.spacing
        return where

    def centre(self, number: int) -> Points:
        middle: Points = self.points(self.labels == number).mean(0)
        return middle

    def meeting(self, *numbers: int, near: Points | None = None) -> Points:
        """Where several segments come closest together."""
        cost = sum(self.distance[n] for n in numbers)
        if near is not None:
            grid = np.moveaxis(np.indices(self.labels.shape), 0, -1) * self.spacing
            cost = cost + 0.3 * np.linalg.norm(grid - near, axis=-1)
        index = np.array(np.unravel_index(np.argmin(cost), self.labels.shape))
        point: Points = index * self.spacing
        return point

    def between(self, one: tuple[int, ...], other: tuple[int, ...]) -> Points:
        a = np.min([self.distance[n] for n in one], axis=0)
        b = np.min([self.distance[n] for n in other], axis=0)
        limit = float(self.spacing.max()) * 1.01
        return self.points((np.maximum(a, b) <= limit) & ~self.outside)

    def cava(self, rng: np.random.Generator) -> Points:
        """A tube in the groove between I and the right liver."""
        right = np.minimum(self.distance[7], self.distance[6])
        own = self.distance[1]
        groove = self.points(self.outside & (own > 3) & (own < 16) & (right > 3) & (right < 26))
        if len(groove) < 8:
            return np.empty((0, 4))
        height = np.arange(0, self.labels.shape[0] * self.spacing[0], _STEP_MM)
        slope = float(np.clip(rng.normal(0, 0.12), -0.25, 0.25))
        middle = np.median(groove, axis=0) + rng.normal(0, [0, 3, 3])
        row = middle[1] + slope * (height - middle[0])
        column = middle[2] + rng.normal(0, 0.1) * (height - middle[0])
        radius = np.full(len(height), rng.uniform(7, 13))
        return np.column_stack([height, row, column, radius])

    def gallbladder(self, rng: np.random.Generator) -> Points:
        """A pear under the border of IV and V."""
        near = self.outside & (self.distance[4] < 16) & (self.distance[5] < 16)
        bed = self.points(near)
        if len(bed) < 4:
            return np.empty((0, 4))
        bed = bed[bed[:, 0] <= np.quantile(bed[:, 0], 0.6)]
        neck, fundus = bed[np.argmax(bed[:, 1])], bed[np.argmin(bed[:, 1])]
        way = _way(np.array([neck, fundus]) + rng.normal(0, 3, (2, 3)), rng, bend=2.0)
        radius = np.linspace(rng.uniform(3, 7), rng.uniform(7, 15), len(way))
        return np.column_stack([way, radius])


def _mouth(place: _Places, cava: Points, rng: np.random.Generator) -> Points:
    """Where the hepatic veins meet the vena cava: above I."""
    if place.has(1):
        own = place.points(place.labels == 1)
        high = own[own[:, 0] >= np.quantile(own[:, 0], 0.9)].mean(0)
    else:
        high = place.meeting(2, 4, 7)
    high = high + np.array([rng.uniform(0, 18), 0, 0])
    if len(cava):
        at = cava[np.argmin(np.abs(cava[:, 0] - high[0])), :3]
        high = 0.4 * high + 0.6 * at
    mouth: Points = high + rng.normal(0, 3, 3)
    return mouth


def _hepatic(place: _Places, mouth: Points, rng: np.random.Generator) -> Points:
    left = _VEINS[:2] if rng.random() < 0.4 else (_VEINS[int(rng.random() < 0.6)],)
    parts = []
    for one, other in (*left, *_VEINS[2:]):
        sheet = place.between(one, other)
        if len(sheet) >= 6:
            parts.append(_vein(place, sheet, mouth, (*one, *other), rng))
    for number in (6, 7):  # a right inferior or accessory vein, straight to the vena cava
        if place.has(number) and rng.random() < 0.2:
            end = place.centre(number) + rng.normal(0, 8, 3)
            start = mouth - [rng.uniform(25, 60), 0, 0]
            parts.append(_tube(_way(np.array([start, end]), rng), rng.uniform(2, 4), 1.2))
    return np.concatenate(parts) if parts else np.empty((0, 4))


def _vein(
    place: _Places, sheet: Points, mouth: Points, beside: tuple[int, ...], rng: np.random.Generator
) -> Points:
    """A trunk in the sheet between sectors, and tributaries from both sides."""
    far = np.linalg.norm(sheet - mouth, axis=1)
    end = sheet[rng.choice(np.flatnonzero(far >= np.quantile(far, 0.8)))]
    tree = cKDTree(sheet)
    knots = [mouth]
    for t in (0.2, 0.4, 0.6, 0.8, 1.0):
        wish = mouth + t * (end - mouth) + rng.normal(0, 4, 3)
        pull = min(1.0, 2.5 * t)
        knots.append((1 - pull) * wish + pull * sheet[tree.query(wish)[1]])
    trunk = _way(np.array(knots) + np.vstack([np.zeros(3), rng.normal(0, 2.5, (5, 3))]), rng)
    thick = rng.uniform(3.0, 6.0)
    parts = [_tube(trunk, thick, 1.3)]
    tissue = place.points(np.isin(place.labels, beside))
    for _ in range(int(rng.integers(2, 9))):
        t = rng.uniform(0.15, 0.95)
        start = trunk[int(t * (len(trunk) - 1))]
        twig = _twig(tissue, start, mouth, rng)
        if twig is not None:
            parts.append(_tube(twig, 0.7 * (thick + t * (1.3 - thick)), 1.0))
    return np.concatenate(parts)


def _twig(tissue: Points, start: Points, source: Points, rng: np.random.Generator) -> Points | None:
    """A way out into the tissue, not back towards where the blood goes."""
    away = np.linalg.norm(tissue - start, axis=1)
    farther = np.linalg.norm(tissue - source, axis=1) > np.linalg.norm(start - source)
    choice = np.flatnonzero((away > 10) & (away < rng.uniform(25, 65)) & farther)
    if len(choice) == 0:
        return None
    return _way(np.array([start, tissue[rng.choice(choice)]]), rng)


def _portal(place: _Places, rng: np.random.Generator) -> Points:
    near = [n for n in (1, 4, 5) if place.has(n)]
    hilum = place.meeting(*near) + rng.normal(0, 3, 3)
    way_in = [-rng.uniform(30, 60), rng.uniform(-5, 15), rng.uniform(5, 35)]
    trunk = hilum + np.array(way_in)
    thick = rng.uniform(4.5, 7.5)
    parts = [_tube(_way(np.array([trunk, hilum]), rng), thick, thick)]
    right = [n for n in (5, 6, 7, 8) if place.has(n)]
    left = [n for n in (2, 3, 4) if place.has(n)]
    if right:
        fork = place.meeting(*right, near=hilum) + rng.normal(0, 3, 3)
        fork = hilum + rng.uniform(0.0, 1.0) * (fork - hilum)
        parts.append(_tube(_way(np.array([hilum, fork]), rng), 0.8 * thick, 0.7 * thick))
        for sector in ((5, 8), (6, 7)):
            parts += _sector(place, [n for n in sector if n in right], fork, 0.6 * thick, rng)
    if left:
        fork = place.meeting(*left, near=hilum) + rng.normal(0, 3, 3)
        parts.append(_tube(_way(np.array([hilum, fork]), rng), 0.7 * thick, 0.6 * thick))
        parts += _sector(place, left, fork, 0.5 * thick, rng, stem=0.0)
    if place.has(1):
        parts += _sector(place, [1], hilum, 0.3 * thick, rng, stem=0.0)
    return np.concatenate(parts)


def _sector(
    place: _Places,
    numbers: list[int],
    fork: Points,
    thick: float,
    rng: np.random.Generator,
    stem: float = 0.35,
) -> list[Points]:
    """Branches from a fork to the middle of each segment, and twigs behind."""
    if not numbers:
        return []
    middles = {n: place.centre(n) + rng.normal(0, 6, 3) for n in numbers}
    goal = fork + stem * rng.uniform(0.5, 1.5) * (np.mean(list(middles.values()), axis=0) - fork)
    parts = [_tube(_way(np.array([fork, goal]), rng), thick, 0.9 * thick)] if stem else []
    for number, middle in middles.items():
        main = _way(np.array([goal, middle]), rng)
        parts.append(_tube(main, 0.8 * thick, 1.5))
        tissue = place.points(place.labels == number)
        for _ in range(int(rng.integers(1, 6))):
            twig = _twig(tissue, main[int(rng.uniform(0.4, 1) * (len(main) - 1))], goal, rng)
            if twig is not None:
                parts.append(_tube(twig, 0.5 * thick, 1.0))
    return parts


def _way(knots: Points, rng: np.random.Generator, bend: float = 0.1) -> Points:
    """A smooth way through knots; between two it bends by a part of their distance."""
    if len(knots) == 2:
        length = float(np.linalg.norm(knots[1] - knots[0]))
        middle = knots.mean(0) + rng.normal(0, min(bend, 1.0) * length + 0.1, 3)
        t = np.linspace(0, 1, max(3, int(length / _STEP_MM)))[:, None]
        curve: Points = (1 - t) ** 2 * knots[0] + 2 * t * (1 - t) * middle + t**2 * knots[1]
        return curve
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))]
    at = np.linspace(0, along[-1], max(4, int(along[-1] / _STEP_MM)))
    raw = np.column_stack([np.interp(at, along, axis) for axis in knots.T])
    smooth: Points = ndimage.gaussian_filter1d(raw, 5.0, axis=0, mode="nearest")
    return smooth


def _tube(way: Points, first: float, last: float) -> Points:
    return np.column_stack([way, np.linspace(first, max(last, 0.8), len(way))])
