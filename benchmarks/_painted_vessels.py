"""Livers with two painted vessel trees, and what is known of a flat cut through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from surgplan.planning import PlaneResection, PreparedLiver, vessels_cut
from surgplan.planning._corridor import in_liver
from surgplan.volume import HEPATIC_VEINS, LIVER, PORTAL_VEIN, Geometry, LabelMap

HALF_AXES = np.array([40.0, 32.0, 30.0])
RADII_MM = (4.0, 3.2, 2.4, 1.8, 1.3)
LENGTHS_MM = (30.0, 16.0, 13.0, 11.0, 9.0)
APART_MM = 2.0
FORK_MM = 4.0
ALONE_MM = 8.0

Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Line:
    """A painted branch: points a quarter of a millimetre apart, radius, parent."""

    points: np.ndarray
    radius: float
    parent: int | None


def grown(
    rng: np.random.Generator, start: Sequence[float], towards: Sequence[float], taken: list[Line]
) -> list[Line]:
    """A tree that forks three to four times and keeps clear of what is there already."""
    first = laid(np.array(start, float), np.array(towards, float))
    lines = [Line(first, RADII_MM[0], None)]
    ends = [(0, 1)]
    while ends:
        stem, level = ends.pop(0)
        if level == len(RADII_MM):
            continue
        for _ in range(2):
            line = sprout(rng, lines, stem, level, taken)
            if line is not None:
                lines.append(line)
                ends.append((len(lines) - 1, level + 1))
    return lines


def sprout(
    rng: np.random.Generator, lines: list[Line], stem: int, level: int, taken: list[Line]
) -> Line | None:
    """A gently bent branch from the end of a stem, or None where there is no room for one."""
    origin = lines[stem].points[-1]
    ahead = origin - lines[stem].points[-20]
    ahead /= np.linalg.norm(ahead)
    radius = RADII_MM[level]
    for _ in range(60):
        turn = rng.normal(size=3)
        way = ahead + 0.9 * turn / np.linalg.norm(turn)
        way /= np.linalg.norm(way)
        aside = np.cross(way, rng.normal(size=3))
        share = np.linspace(0, 1, int(4 * LENGTHS_MM[level]))[:, None]
        points = origin + LENGTHS_MM[level] * (share * way + 0.15 * share**2 * aside)
        room = RADII_MM[0] + radius + APART_MM
        own = [line for n, line in enumerate(lines) if n != stem]
        beyond = points[np.linalg.norm(points - origin, axis=1) > room]
        if (((points / HALF_AXES) ** 2).sum(axis=1) > 0.75).any():
            continue
        if all(clear(beyond, radius, line) for line in (*own, *taken)):
            return Line(points, radius, stem)
    return None


def clear(points: Values, radius: float, line: Line) -> bool:
    """Whether a branch of a radius keeps its distance from another."""
    away = np.linalg.norm(points[::3, None] - line.points[None, ::3], axis=-1)
    return bool(away.size == 0 or away.min() > radius + line.radius + APART_MM)


def laid(start: Values, end: Values) -> Values:
    """Points a quarter of a millimetre apart on a straight way."""
    share = np.linspace(0, 1, int(4 * np.linalg.norm(end - start)))
    points: Values = start + share[:, None] * (end - start)
    return points


def grid(spacing_mm: Sequence[float], turn: int | None) -> Geometry:
    """Around the liver; ``turn`` seeds a random rotation of its axes."""
    axes, half = np.eye(3)[:, ::-1], HALF_AXES[::-1] + 6
    if turn is not None:
        axes = Rotation.from_quat(np.random.default_rng(turn).normal(size=4)).as_matrix()
        half = np.full(3, half.max())
    slices, rows, columns = (int(n) for n in np.ceil(2 * half / np.asarray(spacing_mm)) + 3)
    shape = (slices, rows, columns)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.asarray(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape=shape, affine=affine)


@dataclass(frozen=True)
class Painted:
    """A liver with two trees as voxels whose middles lie in them, and the trees."""

    label_map: LabelMap
    trees: dict[str, list[Line]]

    @classmethod
    def on(cls, spacing_mm: Sequence[float], turn: int | None, seed: int) -> Painted:
        """Grown by a seed, on a straight or an oblique grid."""
        rng = np.random.default_rng(seed)
        mouth = Line(laid(np.array([-4.0, 38, 22]), np.array([-2.0, 14, 12])), RADII_MM[0], None)
        portal = grown(rng, (4, -40, -12), (2, -14, -8), [mouth])
        hepatic = grown(rng, (-4, 38, 22), (-2, 14, 12), portal)
        geometry = grid(spacing_mm, turn)
        index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
        points = geometry.to_lps(index)
        array = np.zeros(geometry.shape, dtype=np.uint8)
        array[((points / HALF_AXES) ** 2).sum(axis=-1) < 1] = LIVER.label
        for segment, lines in ((PORTAL_VEIN, portal), (HEPATIC_VEINS, hepatic)):
            for line in lines:
                array[tuple(voxels(points, line).T)] = segment.label
        segments = (LIVER, PORTAL_VEIN, HEPATIC_VEINS)
        label_map = LabelMap(array=array, geometry=geometry, segments=segments)
        return cls(label_map, {"portal": portal, "hepatic": hepatic})


def voxels(points: Values, line: Line) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Indices ``(n, 3)`` of the voxels whose middles lie in a branch."""
    low = line.points.min(axis=0) - line.radius
    high = line.points.max(axis=0) + line.radius
    box = np.argwhere(((points >= low) & (points <= high)).all(axis=-1))
    away = np.linalg.norm(points[tuple(box.T)][:, None] - line.points[::2], axis=-1)
    return box[away.min(axis=1) < line.radius]


def flat_cuts(count: int, seed: int) -> Iterator[PlaneResection]:
    """Planes through the middle half of the liver, in any direction."""
    rng = np.random.default_rng(seed)
    for normal in Rotation.random(count, rng=rng).as_matrix()[:, 0]:
        point = rng.uniform(-0.5, 0.5, 3) * HALF_AXES
        yield PlaneResection(point_mm=tuple(point), normal=tuple(normal))


@dataclass(frozen=True)
class Crossings:
    """Where a painted tree meets a plane.

    Points, radii, cosines, which are no mere touch, and how far the nearer end of the branch is.
    """

    points: np.ndarray
    radius: np.ndarray
    cosine: np.ndarray
    through: np.ndarray
    end_mm: np.ndarray


def crossings(lines: list[Line], cut: PlaneResection) -> Crossings:
    """A vessel is cut through where both parts of it reach its radius from the plane."""
    points = np.concatenate([line.points for line in lines])
    radius = np.concatenate([np.full(len(line.points), line.radius) for line in lines])
    ends = [np.stack([line.points[0], line.points[-1]]) for line in lines]
    end = np.concatenate([
        np.linalg.norm(line.points[:, None] - both, axis=-1).min(axis=1)
        for line, both in zip(lines, ends, strict=True)
    ])  # fmt: skip
    stops = np.cumsum([len(line.points) for line in lines])
    starts = stops - [len(line.points) for line in lines]
    edges = [np.stack([np.arange(a, b - 1), np.arange(a + 1, b)], 1) for a, b in zip(
        starts, stops, strict=True)]  # fmt: skip
    edges += [
        np.array([[stops[line.parent] - 1, start]])
        for line, start in zip(lines, starts, strict=True)
        if line.parent is not None
    ]
    edges = np.concatenate(edges)
    distance = cut.distance_mm(points)
    met = (distance[edges[:, 0]] < 0) != (distance[edges[:, 1]] < 0)
    whole = edges[~met]
    graph = coo_matrix((np.ones(len(whole)), whole.T), shape=(len(points), len(points)))
    part = connected_components(graph, directed=False)[1]
    reach = np.zeros(part.max() + 1)
    np.maximum.at(reach, part, np.abs(distance))
    a, b = edges[met].T
    share = (distance[a] / (distance[a] - distance[b]))[:, None]
    way = points[b] - points[a]
    along = np.abs(way @ cut.normal) / np.maximum(np.linalg.norm(way, axis=1), 1e-9)
    return Crossings(
        points=points[a] + share * way,
        radius=radius[b],
        cosine=along,
        through=np.minimum(reach[part[a]], reach[part[b]]) >= radius[b],
        end_mm=end[b],
    )


@dataclass(frozen=True)
class Counts:
    """Vessels of one system from a diameter on at one cut.

    Attributes
    ----------
    found
        For each that is cut through whether it was found; vessels whose lumens overlap where they
        are cut are one opening, found where one of them is.
    right
        For each that was found whether it is one.
    off_mm
        Diameter found less the true one, of vessels met alone and away from their forks.
    """

    found: list[bool]
    right: list[bool]
    off_mm: list[float]

    @classmethod
    def of(
        cls,
        prepared: PreparedLiver,
        tree: tuple[str, list[Line]],
        cut: PlaneResection,
        least: float,
    ) -> Counts:
        """By the engine's vessels cut, against a painted tree and its system."""
        system, lines = tree
        true = crossings(lines, cut)
        told = [v for v in vessels_cut(prepared, cut) if v.system == system]
        places = np.array([v.point_mm for v in told]).reshape(-1, 3)
        away = np.linalg.norm(true.points[:, None] - places, axis=-1)
        near = away <= ((true.radius + 1) / np.maximum(true.cosine, 0.2))[:, None]
        wanted = true.through & in_liver(prepared, true.points) & (2 * true.radius >= least)
        wide = np.array([v.at == "cut" and v.diameter_mm >= least for v in told], bool)
        apart = np.linalg.norm(true.points[:, None] - true.points, axis=-1)
        opening = apart < true.radius[:, None] + true.radius
        alone = wanted & near.any(axis=1) & ((apart < ALONE_MM).sum(axis=1) == 1)
        alone &= true.end_mm > FORK_MM
        return cls(
            found=(opening @ near).any(axis=1)[wanted].tolist(),
            right=near.any(axis=0)[wide].tolist(),
            off_mm=[
                told[int(np.argmin(away[n]))].diameter_mm - 2 * float(true.radius[n])
                for n in np.flatnonzero(alone)
            ],
        )
