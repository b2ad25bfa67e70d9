"""The vessels of the liver and around it: where trunks run, and trees grown from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.phantom import _liver
from surgplan.phantom._growth import Plantation
from surgplan.phantom._individual import Individual, random_stream
from surgplan.phantom._routes import LiverSpace, Obstacles, Router
from surgplan.phantom._shapes import Array, Tubes, spline, tubes
from surgplan.phantom._trees import Branch, VesselTree, finish

PORTAL_TERMINALS = 130
HEPATIC_TERMINALS = 110
PORTAL_UNIT_MM = 1.2
HEPATIC_UNIT_MM = 1.3
SYSTEM_GAP_MM = 1.5
"""Tissue between the walls of portal branches and hepatic veins."""

TARGET_DEPTH_MM = 6.0

Points = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Stem:
    """A branch whose course is anatomy: template points after its parent's end, and what follows.

    ``segment`` is the Couinaud number of the territory that grows from the parent's end instead.
    """

    label: str
    path: Points = ()
    stems: tuple[Stem, ...] = ()
    segment: int = 0

    def segments(self) -> tuple[int, ...]:
        """Territories behind this stem."""
        return (self.segment,) if self.segment else sum((s.segments() for s in self.stems), ())


def _ends(*numbers: int) -> tuple[Stem, ...]:
    return tuple(Stem(label=f"P{n}", segment=n) for n in numbers)


CONFLUENCE = (-6.0, -25.0, -36.0)
PORTAL = Stem(
    label="main portal vein",
    path=((-14, -26, -22), (-29, -23, -1)),
    stems=(
        Stem(
            label="right portal vein",
            path=((-40, -19, 2), (-52, -15, 5)),
            stems=(
                Stem(label="right anterior portal vein", path=((-60, -21, 9), (-68, -28, 12)),
                     stems=_ends(5, 8)),
                Stem(label="right posterior portal vein", path=((-62, -5, 2), (-74, 12, -2)),
                     stems=_ends(6, 7)),
            ),
        ),
        Stem(
            label="left portal vein",
            path=((-23, -28, 6), (-17, -31, 11)),
            stems=(
                *_ends(1),
                Stem(
                    label="left portal vein",
                    path=((-10, -36, 17), (0, -43, 22)),
                    stems=(
                        *_ends(2),
                        Stem(label="umbilical portion", path=((3, -49, 20), (2, -56, 16)),
                             stems=_ends(3, 4)),
                    ),
                ),
            ),
        ),
    ),
)  # fmt: skip

HEPATIC: tuple[tuple[str, str, Points], ...] = (
    ("right hepatic vein", "RHV",
     ((-24, -4, 52), (-40, 2, 50), (-66, 6, 38), (-90, 9, 10), (-103, 9, -28))),
    ("middle hepatic vein", "MHV",
     ((-22, -10, 56), (-31, -20, 51), (-43, -38, 37), (-53, -54, 12), (-60, -66, -10))),
    ("left hepatic vein", "LHV",
     ((-17, -10, 57), (-6, -21, 50), (9, -34, 40), (28, -44, 32), (52, -45, 31))),
)  # fmt: skip
SHARES = {"RHV": 0.3, "MHV": 0.2, "LHV": 0.05}
"""About what part of the terminals is behind the middle of each trunk."""

DRAINED = {"RHV": (5, 6, 7, 8), "MHV": (4, 5, 8), "LHV": (2, 3, 4)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trunk:
    """A course laid out before the trees grow, with the radius planned for it."""

    system: str
    label: str
    points_mm: Array
    radius_mm: float
    firm: int
    """Points from the start on where the radius is as planned; beyond, the trunk tapers."""


def cava(individual: Individual) -> Tubes:
    """The inferior vena cava."""
    line = spline(np.column_stack([_liver.CAVA]), step_mm=8.0)
    radii = np.interp(line[:, 2], _liver.CAVA[:, 2], _liver.CAVA_RADII_MM)
    return tubes((individual.place(line), radii))


def spread_targets(
    space: LiverSpace, count: int, keep_off: Array, random: np.random.Generator
) -> Array:
    """Points ``(count, 3)`` far from each other (farthest-point sampling) and from ``keep_off``."""
    points = space.inner_points(TARGET_DEPTH_MM)
    points = points + random.uniform(-1, 1, points.shape)
    gap = cKDTree(keep_off).query(points)[0]
    chosen = []
    for _ in range(count):
        best = int(np.argmax(gap))
        chosen.append(best)
        np.minimum(gap, np.linalg.norm(points - points[best], axis=1), out=gap)
    return points[chosen]


def trunks(individual: Individual) -> tuple[Trunk, ...]:
    """Courses of the named portal branches and hepatic veins, for placing lesions by them."""
    laid = []
    for stem, start, share in _walk(PORTAL, np.array(CONFLUENCE), 1.0):
        line = individual.place(spline([tuple(start), *stem.path]))
        radius = PORTAL_UNIT_MM * (PORTAL_TERMINALS * share) ** (1 / 3)
        laid.append(
            Trunk(
                system="portal",
                label=stem.label,
                points_mm=line,
                radius_mm=radius,
                firm=len(line),
            )
        )
    for name, short, path in HEPATIC:
        radius = HEPATIC_UNIT_MM * (HEPATIC_TERMINALS * SHARES[short]) ** (1 / 3)
        line = individual.place(spline(path))
        laid.append(
            Trunk(
                system="hepatic",
                label=name,
                points_mm=line,
                radius_mm=radius,
                firm=2 * len(line) // 3,
            )
        )
    return tuple(laid)


def _walk(stem: Stem, start: Array, share: float) -> Iterator[tuple[Stem, Array, float]]:
    """Stems with their start and roughly their share of the flow."""
    if not stem.path:
        return
    yield stem, start, share
    below = len(stem.segments())
    for child in stem.stems:
        yield from _walk(child, np.array(stem.path[-1]), share * len(child.segments()) / below)


def grow_portal(space: LiverSpace, lesions: Obstacles) -> VesselTree:
    """The portal tree, from the confluence behind the pancreas to the segments."""
    individual = space.individual
    random = random_stream(individual.seed, 3)
    others = Obstacles(centres=lesions.centres, radii=lesions.radii)
    for _, _, path in HEPATIC:
        radius = HEPATIC_UNIT_MM * (HEPATIC_TERMINALS / 2.5) ** (1 / 3)
        others.add(individual.place(spline(path)), radius, SYSTEM_GAP_MM)
    others.add(individual.place(_liver.CAVA), 12.5, 1.0)
    router = Router(space=space, random=random, own=Obstacles(), others=others)
    plantation = Plantation(router=router, unit_mm=PORTAL_UNIT_MM)
    targets = spread_targets(space, PORTAL_TERMINALS, individual.place(_liver.CAVA), random)
    numbers = space.segments(targets)
    _plant(plantation, PORTAL, None, np.array(CONFLUENCE), (targets, numbers))
    tree = finish("portal", plantation.sprouts, PORTAL_UNIT_MM, ())
    return VesselTree(
        system="portal",
        branches=tree.branches,
        feeders=_portal_feeders(individual, tree.branches[0].radius_mm),
    )


def _plant(
    plantation: Plantation,
    stem: Stem,
    parent: int | None,
    start: Array,
    aims: tuple[Array, npt.NDArray[np.uint8]],
) -> None:
    """Lay a stem and what follows it; all courses first, so that growth keeps clear of them."""
    queue = [(stem, parent, start)]
    territories = []
    while queue:
        now, above, at = queue.pop(0)
        mine = np.isin(aims[1], now.segments())
        if now.segment:
            territories.append((now.label, above, aims[0][mine]))
            continue
        line = plantation.router.space.individual.place(spline([tuple(at), *now.path]))
        place = plantation.lay(now.label, above, line, int(mine.sum()))
        queue += [(child, place, np.array(now.path[-1])) for child in now.stems]
    for label, above, targets in territories:
        if above is not None:
            plantation.grow(label, above, targets)


def _portal_feeders(individual: Individual, radius_mm: float) -> tuple[Branch, ...]:
    """Splenic and superior mesenteric vein, which obey Murray's law at the confluence."""
    splenic = ((82, 22, 8), (62, 8, -2), (32, -12, -16), (10, -21, -31), CONFLUENCE)
    mesenteric = ((-8, -33, -150), (-6, -33, -100), (-7, -28, -62), CONFLUENCE)
    return tuple(
        Branch(
            label=label,
            order=1,
            parent=None,
            points_mm=individual.place(spline(path)),
            radius_mm=radius_mm * share ** (1 / 3),
        )
        for label, path, share in (
            ("splenic vein", splenic, 0.4),
            ("superior mesenteric vein", mesenteric, 0.6),
        )
    )


def grow_hepatic(space: LiverSpace, portal: VesselTree, lesions: Obstacles) -> VesselTree:
    """Right, middle and left hepatic vein, from the vena cava to between the portal branches."""
    individual = space.individual
    random = random_stream(individual.seed, 4)
    others = Obstacles(centres=lesions.centres, radii=lesions.radii)
    for branch in portal.branches:
        others.add(branch.points_mm, branch.radius_mm, SYSTEM_GAP_MM)
    router = Router(space=space, random=random, own=Obstacles(), others=others)
    plantation = Plantation(router=router, unit_mm=HEPATIC_UNIT_MM)
    walls = np.vstack([b.samples_mm(3.0) for b in portal.branches])
    targets = spread_targets(space, HEPATIC_TERMINALS, walls, random)
    numbers = space.segments(targets)
    lines = {short: individual.place(spline(path)) for _, short, path in HEPATIC}
    gaps = {
        short: np.where(
            np.isin(numbers, DRAINED[short]),
            np.linalg.norm(targets[:, None] - line[None], axis=2).min(axis=1),
            np.inf,
        )
        for short, line in lines.items()
    }
    nearest = np.stack(list(gaps.values()))
    for i, (name, short, _) in enumerate(HEPATIC):
        mine = (nearest.argmin(axis=0) == i) & np.isfinite(nearest[i])
        plantation.grow_along(name, short, lines[short], targets[mine])
    return finish("hepatic", plantation.sprouts, HEPATIC_UNIT_MM, ())
