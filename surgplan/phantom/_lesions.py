"""Lesions of the liver: ellipsoids whose volume, centre and distances are known exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.phantom._individual import random_stream
from surgplan.phantom._parts import Part, layers
from surgplan.phantom._routes import LiverSpace, Obstacles
from surgplan.phantom._shapes import Array, Blob
from surgplan.phantom._vessels import Trunk
from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, Segment

Kind = Literal["metastasis", "hcc", "haemangioma", "cyst"]
Contact = Literal["free", "abutting", "infiltrating"]

MARGIN_MM = 1.5
"""Liver left between a lesion and the surface, so that its whole volume lies inside."""

FREE_MM = 5.0
GATE_MM = 10.0
"""Liver left between a lesion and a point where a portal trunk ends and its tree begins."""

PUSH_MM = 3.0
"""How far a lesion may be moved to touch a vessel."""

_TRIES = 6000


@dataclass(frozen=True, kw_only=True)
class LesionSpec:
    """A lesion that is asked for.

    Attributes
    ----------
    kind
        ``'metastasis'``, ``'hcc'`` and ``'haemangioma'`` count as liver tumour, ``'cyst'`` as cyst.
    radius_mm
        Radius of the ball of the same volume, 1.5 to 45 mm.
    contact
        ``'free'``: at least 5 mm from every named trunk; ``'abutting'``: touching one;
        ``'infiltrating'``: with one running through its edge.
    """

    kind: Kind = "metastasis"
    radius_mm: float = 10.0
    contact: Contact = "free"

    def __post_init__(self) -> None:
        if self.kind not in ("metastasis", "hcc", "haemangioma", "cyst"):
            msg = f"`kind` must be metastasis, hcc, haemangioma or cyst, got {self.kind!r}"
            raise UsageError(msg)
        if not 1.5 <= self.radius_mm <= 45:
            msg = f"`radius_mm` must lie in 1.5..45, got {self.radius_mm}"
            raise UsageError(msg)
        if self.contact not in ("free", "abutting", "infiltrating"):
            msg = f"`contact` must be free, abutting or infiltrating, got {self.contact!r}"
            raise UsageError(msg)


DEFAULT_LESIONS: tuple[LesionSpec, ...] = (
    LesionSpec(kind="metastasis", radius_mm=17.0, contact="abutting"),
    LesionSpec(kind="metastasis", radius_mm=8.0),
    LesionSpec(kind="metastasis", radius_mm=4.5),
    LesionSpec(kind="hcc", radius_mm=13.0, contact="infiltrating"),
    LesionSpec(kind="haemangioma", radius_mm=10.0),
    LesionSpec(kind="cyst", radius_mm=9.0),
)


def random_lesions(count: int, seed: int) -> tuple[LesionSpec, ...]:
    """Lesions of mixed kinds, contacts and lognormal size (radius 3 to 28 mm)."""
    random = random_stream(seed, 5)
    kinds: tuple[Kind, ...] = ("metastasis", "hcc", "haemangioma", "cyst")
    contacts: tuple[Contact, ...] = ("free", "abutting", "infiltrating")
    return tuple(
        LesionSpec(
            kind=kinds[int(random.choice(4, p=(0.55, 0.2, 0.1, 0.15)))],
            radius_mm=round(float(np.clip(random.lognormal(np.log(8), 0.55), 3, 28)), 1),
            contact=contacts[int(random.choice(3, p=(0.7, 0.15, 0.15)))],
        )
        for _ in range(count)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesion:
    """An ellipsoid inside the liver.

    Attributes
    ----------
    number
        1, 2, ... in the order asked for.
    spec
        What was asked for.
    centre_mm
        ``(3,)`` LPS.
    semi_axes_mm
        ``(3,)``; their product is the cube of the radius asked for.
    axes
        ``(3, 3)``, one unit vector in LPS per row, for each semi-axis.
    """

    number: int
    spec: LesionSpec
    centre_mm: npt.NDArray[np.float64]
    semi_axes_mm: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]

    @property
    def volume_ml(self) -> float:
        """Analytic volume."""
        return float(4 / 3 * np.pi * np.prod(self.semi_axes_mm)) / 1000

    @property
    def segment(self) -> Segment:
        """The structure it counts as."""
        return LIVER_CYST if self.spec.kind == "cyst" else LIVER_TUMOUR

    def distance_mm(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Signed distance from LPS points ``(n, 3)`` to the surface, negative inside; exact."""
        local = (np.asarray(points_mm, dtype=np.float64).reshape(-1, 3) - self.centre_mm).T
        return ellipsoid_distance_mm(self.axes @ local, self.semi_axes_mm)

    def margin_to_plane_mm(self, point_mm: npt.ArrayLike, normal: npt.ArrayLike) -> float:
        """Smallest distance to a plane; negative where the plane cuts the lesion."""
        unit = np.asarray(normal, dtype=np.float64)
        unit = unit / np.linalg.norm(unit)
        reach = float(np.linalg.norm(self.semi_axes_mm * (self.axes @ unit)))
        return abs(float((self.centre_mm - np.asarray(point_mm)) @ unit)) - reach

    def part(self) -> Part:
        """The lesion as a part of the body."""
        semi, axes, centre = self.semi_axes_mm, self.axes, self.centre_mm

        def distance(p: Array) -> Array:
            q = axes @ (p - centre[:, None]) / semi[:, None]
            k = np.sqrt((q * q).sum(axis=0)) + 1e-9
            q /= semi[:, None]
            return k * (k - 1) / (np.sqrt((q * q).sum(axis=0)) + 1e-9 / float(semi.min()))

        reach = float(semi.max()) + 6
        box = np.array([centre - reach, centre + reach])
        r, kind = self.spec.radius_mm, self.spec.kind
        inside = {
            "metastasis": layers((0, "metastasis rim"), (0.4 * r, "metastasis core")),
            "hcc": layers((0, "capsule"), (min(1.2, 0.2 * r), "hcc")),
            "haemangioma": layers((0, "haemangioma rim"), (0.35 * r, "haemangioma core")),
            "cyst": layers((0, "cyst")),
        }[kind]
        return Part(
            shape=Blob(distance=distance, box_mm=box), layers=inside, segment=self.segment
        )


def ellipsoid_distance_mm(local: Array, semi_mm: Array) -> Array:
    """Signed distance of points ``(3, n)``, in the ellipsoid's own axes, to its surface.

    The nearest surface point is s^2 q / (t + s^2) with t the largest root of
    sum (s q / (t + s^2))^2 = 1 (Eberly, Distance from a Point to an Ellipsoid), found by halving.
    """
    s = semi_mm[:, None]
    q = np.maximum(np.abs(local), 1e-9 * float(semi_mm.min()))
    low = np.max(s * q - s**2, axis=0)
    high = np.sqrt(((s * q) ** 2).sum(axis=0)) - float(semi_mm.min()) ** 2
    high = np.maximum(high, low)
    for _ in range(80):
        middle = (low + high) / 2
        outside = ((s * q / (middle + s**2)) ** 2).sum(axis=0) > 1
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    nearest = s**2 * q / (high + s**2)
    gap = np.sqrt(((q - nearest) ** 2).sum(axis=0))
    inside = ((q / s) ** 2).sum(axis=0) < 1
    return np.where(inside, -gap, gap)


def place_lesions(
    specs: tuple[LesionSpec, ...], space: LiverSpace, trunks: tuple[Trunk, ...]
) -> tuple[Lesion, ...]:
    """Lesions at seeded places, the largest first, inside the liver and apart from each other.

    Raises
    ------
    UsageError
        If one finds no place; ask for fewer or smaller ones.
    """
    random = random_stream(space.individual.seed, 6)
    candidates = space.inner_points(3.0)
    found: dict[int, Lesion] = {}
    for number in sorted(range(len(specs)), key=lambda i: -specs[i].radius_mm):
        lesion = _shape(number, specs[number], random)
        points = candidates[random.integers(0, len(candidates), _TRIES)]
        points = points + random.uniform(-1.5, 1.5, points.shape)
        points = points[_has_room(points, lesion, space, tuple(found.values()))]
        found[number] = _placed(lesion, points, trunks)
    return tuple(found[i] for i in range(len(specs)))


def _shape(number: int, spec: LesionSpec, random: np.random.Generator) -> Lesion:
    """A lesion at the origin with seeded proportions; cysts are balls."""
    stretch = np.exp(random.normal(0, 0.0 if spec.kind == "cyst" else 0.09, 3))
    stretch /= np.prod(stretch) ** (1 / 3)
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return Lesion(
        number=number + 1,
        spec=spec,
        centre_mm=np.zeros(3),
        semi_axes_mm=spec.radius_mm * stretch,
        axes=axes,
    )


def _has_room(
    points: Array, lesion: Lesion, space: LiverSpace, others: tuple[Lesion, ...]
) -> npt.NDArray[np.bool_]:
    """At which points the lesion lies inside the liver and apart from other lesions."""
    largest = float(lesion.semi_axes_mm.max())
    push = 0.0 if lesion.spec.contact == "free" else PUSH_MM
    good = space.depth_mm(points) > largest + MARGIN_MM + push
    for other in others:
        apart = np.linalg.norm(points - other.centre_mm, axis=1)
        good &= apart > largest + float(other.semi_axes_mm.max()) + 4 + push
    room: npt.NDArray[np.bool_] = good
    return room


def _placed(lesion: Lesion, points: Array, trunks: tuple[Trunk, ...]) -> Lesion:
    """The lesion at the first point that fits the contact asked for, pushed against its trunk."""
    largest, spec = float(lesion.semi_axes_mm.max()), lesion.spec
    gates = np.array([t.points_mm[-1] for t in trunks if t.system == "portal"])
    to_gate = np.linalg.norm(points[:, None] - gates, axis=2).min(axis=1)
    points = points[to_gate > largest + GATE_MM]
    gaps = np.stack([_gaps(points, t.points_mm, t.radius_mm) for t in trunks], axis=1) - largest
    if spec.contact == "free":
        hits = np.flatnonzero(gaps.min(axis=1) > FREE_MM)
    else:
        firm = [_gaps(points, t.points_mm[: t.firm], t.radius_mm) for t in trunks]
        nearest = np.stack(firm, axis=1).min(axis=1) - largest
        alone = np.sort(gaps, axis=1)[:, 1] > PUSH_MM + 1.0
        hits = np.flatnonzero((np.abs(nearest - gaps.min(axis=1)) < 0.1) & alone
                              & (np.abs(nearest) < PUSH_MM))  # fmt: skip
    if not len(hits):
        msg = (
            f"no place left for a lesion of radius {spec.radius_mm} mm with contact "
            f"{spec.contact!r}; ask for fewer or smaller lesions"
        )
        raise UsageError(msg)
    at = replace(lesion, centre_mm=points[hits[0]])
    return at if spec.contact == "free" else _against(at, trunks[int(gaps[hits[0]].argmin())])


def _gaps(points: Array, line: Array, radius_mm: float) -> Array:
    """From points to the wall of a trunk."""
    gaps: Array = np.linalg.norm(points[:, None] - line, axis=2).min(axis=1) - radius_mm
    return gaps


def _against(lesion: Lesion, trunk: Trunk) -> Lesion:
    """The lesion pushed against a trunk, or onto it."""
    abutting = lesion.spec.contact == "abutting"
    overlap = 0.4 if abutting else min(3.0, 0.3 * lesion.spec.radius_mm)
    for _ in range(4):  # the nearest point of the trunk may change on the way
        gaps = lesion.distance_mm(trunk.points_mm) - trunk.radius_mm
        nearest = int(np.argmin(gaps))
        towards = trunk.points_mm[nearest] - lesion.centre_mm
        step = (gaps[nearest] + overlap) * towards / np.linalg.norm(towards)
        lesion = replace(lesion, centre_mm=lesion.centre_mm + step)
    return lesion


def obstacles(lesions: tuple[Lesion, ...]) -> Obstacles:
    """Balls around the lesions, for vessels to grow around."""
    if not lesions:
        return Obstacles()
    return Obstacles(
        centres=np.array([lesion.centre_mm for lesion in lesions]),
        radii=np.array([float(lesion.semi_axes_mm.max()) + 0.8 for lesion in lesions]),
    )
